"""How often pictures are looked at: distinct networks a day, each look worth half as much every two weeks.

A picture's popularity is the logarithm to base 2 of its looks, each weighed by 2 to the half-lives from `EPOCH` to its
time (forward decay: Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009). So the order of two pictures never changes
while neither is looked at, and nothing has to be indexed again for looks to fade.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import UUID

from imagemarket.catalog.images import publish_listing
from imagemarket.platform.database import Connection
from imagemarket.search.repository import events as repository

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HALF_LIFE_DAYS = 14
_MOST = 60  # a billion billion looks
REINDEXED_AFTER = 0.25
"""A picture is indexed again when its popularity has grown so much, by a fifth more looks."""


def half_lives(at: datetime) -> float:
    """How many half-lives after `EPOCH`."""
    return (at - EPOCH).total_seconds() / 86400 / HALF_LIFE_DAYS


def looks(popularity: float, now: datetime) -> float:
    """What a popularity is worth now, in looks of this moment."""
    return 2.0 ** min(popularity - half_lives(now), _MOST) if popularity > 0 else 0.0


def with_looks(popularity: float, number: int, at: datetime) -> float:
    """A popularity after so many more looks."""
    added = math.log2(number) + half_lives(at)
    if popularity <= 0:
        return max(added, 1e-6)
    most, least = max(popularity, added), min(popularity, added)
    return most + math.log2(1 + 2 ** (least - most))


def count_looks(connection: Connection, seen: Iterable[tuple[UUID, date, str]], now: datetime) -> int:
    """Counts looks at pictures, each by whom (`Visitors`) and on which day; returns how many were new. What is told
    again counts once, and a picture that is not approved does not count."""
    new = Counter(repository.add_looks(connection, sorted(set(seen))))
    for image_id, number in sorted(new.items()):
        _add(connection, image_id, number, now)
    repository.delete_looks(connection, now)
    return new.total()


def _add(connection: Connection, image_id: UUID, number: int, now: datetime) -> None:
    row = repository.lock_popularity(connection, image_id)
    if row is None:
        return
    popularity = with_looks(row["popularity"], number, now)
    indexed = row["indexed"]
    if popularity - indexed >= REINDEXED_AFTER:
        indexed = popularity
        publish_listing(connection, image_id, row["version"])
    repository.write_popularity(connection, image_id, popularity=popularity, indexed=indexed)
