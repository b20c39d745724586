"""The rows of favourites."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.ids import new_id


def add(connection: Connection, account_id: UUID, image_id: UUID) -> datetime | None:
    """Adds an approved image to an account's favourites; since when it is one, None where it was one already, or is
    not approved."""
    row = connection.execute(
        "INSERT INTO favourites (id, account_id, image_id)"
        " SELECT %s, %s, id FROM images WHERE id = %s AND status = 'approved'"
        " ON CONFLICT (account_id, image_id) DO NOTHING RETURNING created_at",
        (new_id(), account_id, image_id),
    ).fetchone()
    return None if row is None else row["created_at"]


def is_favourite(connection: Connection, account_id: UUID, image_id: UUID) -> bool:
    """Whether the image is one of the account's favourites."""
    row = connection.execute(
        "SELECT 1 FROM favourites WHERE account_id = %s AND image_id = %s", (account_id, image_id)
    ).fetchone()
    return row is not None


def number(connection: Connection, account_id: UUID) -> int:
    """How many favourites the account has. Additions of one account take turns from here to the transaction's end, so
    that it stays true."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('favourites ' || %s::text, 0))", (account_id,))
    row = connection.execute("SELECT count(*) AS n FROM favourites WHERE account_id = %s", (account_id,)).fetchone()
    assert row is not None
    return row["n"]


def remove(connection: Connection, account_id: UUID, image_id: UUID) -> None:
    """Removes an image from an account's favourites, if it is one."""
    connection.execute("DELETE FROM favourites WHERE account_id = %s AND image_id = %s", (account_id, image_id))


def page(database: Database, account_id: UUID, *, cursor: UUID | None, limit: int) -> list[Row]:
    """An account's favourites that are approved, the latest first, from behind the one with the id `cursor`."""
    return database.fetch_all(
        "SELECT f.id, f.image_id, i.title, r.key AS preview_key, f.created_at AS favourited_at"
        "  FROM favourites f JOIN images i ON i.id = f.image_id AND i.status = 'approved'"
        "  JOIN image_renditions r ON r.image_id = i.id AND r.kind = 'preview' AND r.format = 'jpeg'"
        " WHERE f.account_id = %(account)s AND (%(cursor)s::uuid IS NULL OR f.id < %(cursor)s)"
        " ORDER BY f.id DESC LIMIT %(limit)s",
        {"account": account_id, "cursor": cursor, "limit": limit},
    )
