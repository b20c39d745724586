"""The rows of search events, and of looks at pictures and what they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from imagemarket.platform.database import Connection, Row


def add(connection: Connection, events: Sequence[tuple[str, str, UUID | None, datetime, dict[str, Any]]]) -> set[str]:
    """Keeps events by their place in the stream, kind, search, time and the rest; the places of those that are new."""
    from psycopg.types.json import Jsonb

    rows = connection.execute(
        "INSERT INTO search_events (place, kind, search_id, at, event)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::timestamptz[], %s::jsonb[])"
        " ON CONFLICT DO NOTHING RETURNING place",
        (
            [place for place, _, _, _, _ in events],
            [kind for _, kind, _, _, _ in events],
            [search_id for _, _, search_id, _, _ in events],
            [at for _, _, _, at, _ in events],
            [Jsonb(event) for _, _, _, _, event in events],
        ),
    ).fetchall()
    return {row["place"] for row in rows}


def add_looks(connection: Connection, looks: Sequence[tuple[UUID, date, str]]) -> list[UUID]:
    """Keeps looks at approved images, each by its day and visitor, in the order in which all lock them; the image of
    each that is new."""
    rows = connection.execute(
        """
        INSERT INTO image_looks (image_id, day, visitor)
        SELECT n.* FROM unnest(%s::uuid[], %s::date[], %s::text[]) AS n (image_id, day, visitor)
          JOIN images i ON i.id = n.image_id AND i.status = 'approved'
         ORDER BY 1, 2, 3
            ON CONFLICT DO NOTHING RETURNING image_id
        """,
        ([each[0] for each in looks], [each[1] for each in looks], [each[2] for each in looks]),
    ).fetchall()
    return [row["image_id"] for row in rows]


def delete_looks(connection: Connection, now: datetime) -> None:
    """Forgets looks of days that nothing can be told of again."""
    connection.execute("DELETE FROM image_looks WHERE day < %s::date - 2", (now,))


def lock_popularity(connection: Connection, image_id: UUID) -> Row | None:
    """An image's `popularity`, as of which it was `indexed`, and its `version`; locked. None for no image."""
    connection.execute("INSERT INTO image_popularity (image_id) VALUES (%s) ON CONFLICT DO NOTHING", (image_id,))
    return connection.execute(
        "SELECT p.popularity, p.indexed, i.version FROM image_popularity p JOIN images i ON i.id = p.image_id"
        " WHERE p.image_id = %s FOR UPDATE OF p",
        (image_id,),
    ).fetchone()


def write_popularity(connection: Connection, image_id: UUID, *, popularity: float, indexed: float) -> None:
    """Writes what looks at an image amount to, and as of which it was indexed."""
    connection.execute(
        "UPDATE image_popularity SET popularity = %s, indexed = %s WHERE image_id = %s", (popularity, indexed, image_id)
    )
