"""The composition root: every room, built from one process's resources when it is first asked for.

What one room takes of another is an argument here, so that no room knows who gives it. Each room's services stand in
its `wiring.py`, its settings in its `settings.py`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagemarket.platform.resources import Resources

if TYPE_CHECKING:
    from imagemarket.catalog.wiring import CatalogRoom
    from imagemarket.delivery.wiring import DeliveryRoom
    from imagemarket.favourites.wiring import FavouritesRoom
    from imagemarket.identity.wiring import IdentityRoom
    from imagemarket.ingestion.wiring import IngestionRoom
    from imagemarket.notifications.wiring import NotificationsRoom
    from imagemarket.operations.wiring import OperationsRoom
    from imagemarket.search.wiring import SearchRoom
    from imagemarket.vision.wiring import VisionRoom


class App:
    """One process of the marketplace."""

    def __init__(self, resources: Resources | None = None) -> None:
        self.resources = resources or Resources()

    @cached_property
    def vision(self) -> VisionRoom:
        from imagemarket.vision.wiring import VisionRoom

        return VisionRoom(self.resources)

    @cached_property
    def identity(self) -> IdentityRoom:
        from imagemarket.identity.wiring import IdentityRoom

        return IdentityRoom(self.resources)

    @cached_property
    def catalog(self) -> CatalogRoom:
        from imagemarket.catalog.wiring import CatalogRoom
        from imagemarket.ingestion.saga import forget_deleted

        return CatalogRoom(self.resources, forget=forget_deleted)

    @cached_property
    def ingestion(self) -> IngestionRoom:
        from imagemarket.ingestion.wiring import IngestionRoom

        return IngestionRoom(
            self.resources, catalog=self.catalog, vision=self.vision, nearest=lambda: self.search.nearest
        )

    @cached_property
    def search(self) -> SearchRoom:
        from imagemarket.search.wiring import SearchRoom

        return SearchRoom(self.resources, catalog=self.catalog, vision=self.vision)

    @cached_property
    def notifications(self) -> NotificationsRoom:
        from imagemarket.notifications.wiring import NotificationsRoom

        return NotificationsRoom(self.resources, identity=self.identity)

    @cached_property
    def delivery(self) -> DeliveryRoom:
        from imagemarket.delivery.wiring import DeliveryRoom

        return DeliveryRoom(self.resources, catalog=self.catalog)

    @cached_property
    def favourites(self) -> FavouritesRoom:
        from imagemarket.favourites.wiring import FavouritesRoom

        return FavouritesRoom(self.resources, catalog=self.catalog)

    @cached_property
    def operations(self) -> OperationsRoom:
        from imagemarket.operations.wiring import OperationsRoom

        return OperationsRoom(self.resources, catalog=self.catalog, ingestion=self.ingestion, search=self.search)


_of_this_process: App | None = None


def app() -> App:
    """The app of this process."""
    global _of_this_process  # noqa: PLW0603 - one a process
    if _of_this_process is None:
        _of_this_process = App()
    return _of_this_process


def use(given: App | None) -> None:
    """Makes an app the process's own; None for one of the environment, made anew."""
    global _of_this_process  # noqa: PLW0603
    _of_this_process = given
