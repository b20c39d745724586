"""Which events the index follows."""

from __future__ import annotations

from imagemarket.catalog.events import ImageListingChanged

LISTENS_TO = (ImageListingChanged,)
