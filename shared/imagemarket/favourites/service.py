"""Adding, removing and listing favourites."""

from __future__ import annotations

from uuid import UUID

from imagemarket.catalog.absence import absence
from imagemarket.favourites import repository
from imagemarket.favourites.errors import TooManyFavourites
from imagemarket.favourites.events import ImageFavourited
from imagemarket.favourites.models import MAX_FAVOURITES, FavouritePage, FavouriteView
from imagemarket.platform import events
from imagemarket.platform.database import Database


class Favourites:
    """An account's own favourites."""

    def __init__(self, *, database: Database, media_base_url: str) -> None:
        self._database = database
        self._media_base_url = media_base_url

    def add(self, account_id: UUID, image_id: UUID) -> None:
        """Makes an image a favourite; nothing where it is one already.

        Raises `ImageNotFound` or `ImageGone` where it is not approved, and `TooManyFavourites` where the account has
        `MAX_FAVOURITES`.
        """
        with self._database.transaction() as connection:
            if repository.is_favourite(connection, account_id, image_id):
                return
            if repository.number(connection, account_id) >= MAX_FAVOURITES:
                raise TooManyFavourites(
                    f"An account has at most {MAX_FAVOURITES:,} favourites; remove some, then add this one."
                )
            at = repository.add(connection, account_id, image_id)
            if at is not None:
                events.publish(connection, ImageFavourited(image_id=image_id, account_id=account_id, at=at))
                return
            if repository.is_favourite(connection, account_id, image_id):
                return  # since another request of the account, a moment ago
        raise absence(self._database, image_id)

    def remove(self, account_id: UUID, image_id: UUID) -> None:
        """Makes an image no favourite any more; nothing where it is none."""
        with self._database.transaction() as connection:
            repository.remove(connection, account_id, image_id)

    def page(self, account_id: UUID, *, cursor: UUID | None, limit: int) -> FavouritePage:
        """The latest first, from behind the page that ended with `cursor`. An image that was taken down is left out,
        and is back when it is restored."""
        rows = repository.page(self._database, account_id, cursor=cursor, limit=limit + 1)
        return FavouritePage(
            items=[
                FavouriteView(
                    image_id=row["image_id"],
                    title=row["title"],
                    preview_url=f"{self._media_base_url}/{row['preview_key']}",
                    favourited_at=row["favourited_at"],
                )
                for row in rows[:limit]
            ],
            next_cursor=rows[limit - 1]["id"] if len(rows) > limit else None,
        )
