"""Favourites."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagemarket.catalog.wiring import CatalogRoom
    from imagemarket.favourites.listener import PopularityFeed
    from imagemarket.favourites.service import Favourites
    from imagemarket.platform.resources import Resources


class FavouritesRoom:
    """Favourites' services."""

    def __init__(self, resources: Resources, *, catalog: CatalogRoom) -> None:
        self._resources = resources
        self._catalog = catalog

    @cached_property
    def service(self) -> Favourites:
        from imagemarket.favourites.service import Favourites

        return Favourites(database=self._resources.database, media_base_url=self._catalog.settings.media_base_url)

    @cached_property
    def popularity_feed(self) -> PopularityFeed:
        from imagemarket.favourites.listener import PopularityFeed

        return PopularityFeed(database=self._resources.database, clock=self._resources.clock)
