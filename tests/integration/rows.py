"""Rows that integration tests begin with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from imagemarket.catalog.events import ImageStatusChanged, Reason
from imagemarket.catalog.models import ImageStatus
from imagemarket.platform.database import Database
from imagemarket.platform.events import publish
from imagemarket.platform.ids import new_id

UPLOAD_COLUMNS = {
    *("filename", "content_type", "announced_bytes", "announced_sha256", "multipart_id", "refused_version"),
    *("run", "replays", "request_id", "trace_header", "suggestions"),
}


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
    """An image that was announced, with its upload; `changes` set columns of either."""
    columns = _columns(contributor, changes)
    upload = {"image_id": columns["id"]} | {name: columns.pop(name) for name in UPLOAD_COLUMNS & columns.keys()}
    with database.transaction() as connection:
        _insert(connection, "images", columns)
        _insert(connection, "uploads", upload)
    return columns["id"]


def an_image_in_one_row(database: Database, contributor: UUID, **changes: Any) -> UUID:
    """The same in a database before revision 0032."""
    columns = _columns(contributor, changes)
    with database.transaction() as connection:
        _insert(connection, "images", columns)
    return columns["id"]


def _columns(contributor: UUID, changes: dict[str, Any]) -> dict[str, Any]:
    image = changes.get("id") or new_id()
    return {
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


def _insert(connection: Connection[Any], table: str, columns: dict[str, Any]) -> None:
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(sql.Placeholder, columns)),
        ),
        columns,
    )


def bring_to(database: Database, image_id: UUID, status: str, rejection: dict[str, Any] | None = None) -> None:
    """Brings an image from whichever status to another, and publishes that it changed."""
    with database.transaction() as connection:
        row = connection.execute(
            "UPDATE images i SET status = %s, rejection = %s, version = i.version + 1, updated_at = now()"
            "  FROM (SELECT id, status FROM images WHERE id = %s FOR UPDATE) AS old"
            "  LEFT JOIN uploads u ON u.image_id = old.id WHERE i.id = old.id"
            " RETURNING i.version, i.contributor_id, i.title, old.status AS before, i.updated_at, u.request_id",
            (status, Jsonb(rejection) if rejection else None, image_id),
        ).fetchone()
        assert row is not None
        if row["before"] != status:
            changed = ImageStatusChanged(
                image_id=image_id,
                version=row["version"],
                contributor_id=row["contributor_id"],
                title=row["title"],
                before=ImageStatus(row["before"]),
                after=ImageStatus(status),
                reason=Reason.model_validate(rejection) if rejection else None,
                at=row["updated_at"],
            )
            publish(connection, changed, request_id=row["request_id"])


def image_with_upload(database: Database, image_id: UUID) -> dict[str, Any]:
    """All columns of an image and of its upload."""
    row = database.fetch_one("SELECT * FROM images i JOIN uploads u ON u.image_id = i.id WHERE i.id = %s", (image_id,))
    assert row is not None
    return row
