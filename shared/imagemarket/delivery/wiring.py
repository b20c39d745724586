"""Delivering renditions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagemarket.catalog.wiring import CatalogRoom
    from imagemarket.delivery.service import Delivery
    from imagemarket.platform.resources import Resources


class DeliveryRoom:
    """Delivery's services."""

    def __init__(self, resources: Resources, *, catalog: CatalogRoom) -> None:
        self._resources = resources
        self._catalog = catalog

    @cached_property
    def service(self) -> Delivery:
        from imagemarket.delivery.service import Delivery

        return Delivery(
            database=self._resources.database,
            originals=self._catalog.originals,
            media_base_url=self._catalog.settings.media_base_url,
        )
