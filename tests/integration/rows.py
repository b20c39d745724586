"""Rows that integration tests begin with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import sql

from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id


def a_contributor(database: Database, *, role: str = "contributor", confirmed: bool = True) -> UUID:
    """An account, with a password that nobody knows, and an address that was confirmed or not."""
    account = new_id()
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO users (id, email, password_hash, role, display_name, email_confirmed_at)"
            " VALUES (%s, %s, '!', %s, 'Ada', CASE WHEN %s THEN now() END)",
            (account, f"{account}@example.com", role, confirmed),
        )
    return account


def an_image(database: Database, contributor: UUID, **changes: Any) -> UUID:
    """An image that was announced; `changes` set columns."""
    image = new_id()
    columns = {
        "id": image,
        "contributor_id": contributor,
        "title": "A picture",
        "image_type": "photo",
        "license_types": ["standard"],
        "filename": "a.jpg",
        "content_type": "image/jpeg",
        "announced_bytes": 1000,
        "s3_original_key": f"originals/{contributor}/{image}.jpg",
        **changes,
    }
    with database.transaction() as connection:
        connection.execute(
            sql.SQL("INSERT INTO images ({}) VALUES ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(map(sql.Placeholder, columns))
            ),
            columns,
        )
    return image
