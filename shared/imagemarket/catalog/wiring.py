"""Where pictures are kept, and what takes one down."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagemarket.catalog.settings import CatalogSettings
from imagemarket.platform.database import Connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from imagemarket.catalog.takedowns import Takedowns
    from imagemarket.platform.cdn import Cdn
    from imagemarket.platform.objects import ObjectStore
    from imagemarket.platform.resources import Resources


class CatalogRoom:
    """The catalogue's services."""

    def __init__(self, resources: Resources, *, forget: Callable[[Connection, UUID], None]) -> None:
        """`forget` deletes, in the transaction that deletes an image, what another room keeps of it."""
        self._resources = resources
        self._forget = forget

    @cached_property
    def settings(self) -> CatalogSettings:
        return CatalogSettings()

    @cached_property
    def originals(self) -> ObjectStore:
        return self._resources.bucket(self.settings.originals_bucket)

    @cached_property
    def work(self) -> ObjectStore:
        return self._resources.bucket(self.settings.work_bucket)

    @cached_property
    def renditions(self) -> ObjectStore:
        return self._resources.bucket(self.settings.renditions_bucket)

    @cached_property
    def cdn(self) -> Cdn:
        from imagemarket.platform.cdn import CloudFront, NoCdn

        distribution = self.settings.cdn_distribution_id
        return NoCdn() if distribution == "none" else CloudFront(self._resources.aws.client("cloudfront"), distribution)

    @cached_property
    def takedowns(self) -> Takedowns:
        from imagemarket.catalog.takedowns import Takedowns

        return Takedowns(
            database=self._resources.database,
            originals=self.originals,
            renditions=self.renditions,
            cdn=self.cdn,
            relay=self._resources.outbox_relay,
            forget=self._forget,
        )
