"""Favourites make images more popular."""

from __future__ import annotations

import hashlib

from imagemarket.favourites.events import ImageFavourited
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database
from imagemarket.search.popularity import count_looks

LISTENS_TO = (ImageFavourited,)


class PopularityFeed:
    """Counts a favourite as one look of its day more, beside the look itself."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def count(self, event: ImageFavourited) -> None:
        """Counts once what is told twice; and an account that removes and adds an image again counts once a day."""
        who = hashlib.sha256(b"favourite of " + event.account_id.bytes).hexdigest()[:16]
        with self._database.transaction() as connection:
            count_looks(connection, [(event.image_id, event.at.date(), who)], self._clock.now())
