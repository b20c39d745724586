"""Where pictures are kept and reached."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class CatalogSettings(RoomSettings):
    """Where pictures are kept and reached."""

    originals_bucket: str = UNSET
    """Private, versioned bucket of originals and clean 1000 px renditions."""
    work_bucket: str = UNSET
    """Private bucket of what passes between the steps of the saga; expires."""
    renditions_bucket: str = UNSET
    """Bucket of public renditions, read by the CDN alone."""
    media_base_url: str = UNSET
    """Where the CDN serves public renditions, without a trailing slash."""
    cdn_distribution_id: str = UNSET
    """CloudFront distribution in front of the public renditions; `none` where they are read from their bucket."""
