"""A database that was filled before a revision is whole after it, and after the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from imagemarket import schema
from imagemarket.catalog.images import FAIL, change_status
from imagemarket.catalog.models import ImageStatus
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.platform.database import Database
from local.postgres import make_database
from tests.databases import PostgresServer
from tests.integration.rows import a_contributor, an_image_in_one_row

pytestmark = pytest.mark.engines

OPEN_IN_PARTS: dict[str, Any] = {
    "status": "processing",
    "multipart_id": "parts-1",
    "announced_bytes": 150 * 2**20,
    "announced_sha256": b"s" * 32,
    "request_id": "request-1",
    "trace_header": "Root=1",
}
RETRY_UNDER_WAY: dict[str, Any] = {
    "status": "processing",
    "refused_version": "v1",
    "rejection": Jsonb({"code": "unreadable-image", "detail": "Cut short."}),
    "run": 2,
    "announced_bytes": 77,
}
REPLAYED: dict[str, Any] = {"status": "processing", "object_version": "v3", "run": 3, "replays": 2}


@pytest.fixture
def at_0030(postgres_server: PostgresServer) -> Iterator[str]:
    """DSN of a database at revision 0030 with no rows."""
    name = "upgraded"
    make_database(postgres_server.port, postgres_server.password, name)
    schema.upgrade(postgres_server.dsn(name), "0030")
    yield postgres_server.dsn(name)
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fill(database: Database) -> None:
    """An image in every status, an open multipart upload, a retry that waits for other bytes, a replay under way."""
    owner = a_contributor(database)
    ended: list[dict[str, Any]] = [
        {
            "status": status.value,
            "object_version": "v1",
            "width": 3,
            "height": 2,
            "suggestions": Jsonb({"creator": "Ada"}),
            "rejection": Jsonb({"code": "x", "detail": "y"}) if status in {"rejected", "taken_down"} else None,
        }
        for status in ImageStatus
    ]
    for number, changes in enumerate([*ended, OPEN_IN_PARTS, RETRY_UNDER_WAY, REPLAYED]):
        changed = {"filename": f"{number}.jpg", "announced_bytes": 1000 + number, **changes}
        image = an_image_in_one_row(database, owner, title=f"Picture {number}", **changed)
        with database.transaction() as connection:
            connection.execute("INSERT INTO outbox (topic, image_id, payload) VALUES ('index', %s, '{}')", (image,))


def all_images(dsn: str, *, table: str = "images") -> list[dict[str, Any]]:
    database = Database(lambda: dsn)
    try:
        return database.fetch_all(f"SELECT * FROM {table} ORDER BY id")
    finally:
        database.close()


def downgrade(dsn: str, revision: str) -> None:
    from alembic import command
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    config = schema.configuration(Path(schema.__file__).parent)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()


def test_images_of_every_status_come_through_and_back(at_0030: str) -> None:
    database = Database(lambda: at_0030)
    fill(database)
    database.close()
    before = all_images(at_0030)
    assert {row["status"] for row in before} == {status.value for status in ImageStatus}
    schema.upgrade(at_0030)
    after = all_images(at_0030, table="images JOIN uploads ON image_id = id")
    assert [{**row, "image_id": row["id"]} for row in before] == after
    assert "filename" not in all_images(at_0030)[0]
    downgrade(at_0030, "0030")
    assert all_images(at_0030) == before


def test_what_was_under_way_goes_on(at_0030: str) -> None:
    database = Database(lambda: at_0030)
    fill(database)
    schema.upgrade(at_0030)
    waiting = repository.waiting(database, overdue_seconds=-1, abandoned_hours=1, limit=9)
    assert [(row["multipart_id"], row["refused_version"]) for row in waiting] == [("parts-1", None), (None, "v1")]
    (replayed,) = (
        row for row in repository.overdue(database, overdue_seconds=-1, limit=9) if row["object_version"] == "v3"
    )
    assert (replayed["run"], replayed["replays"]) == (3, 2)
    with database.transaction() as connection:
        change_status(
            connection, replayed["id"], FAIL, ImageStatus.PROCESSING_FAILED, actor="ingestion", reason="It failed."
        )
    told = database.fetch_all(
        "SELECT type, payload ->> 'after' AS after FROM outbox WHERE subject = %s ORDER BY id", (replayed["id"],)
    )
    assert [tuple(row.values()) for row in told] == [
        ("ImageListingChanged", None),
        ("ImageStatusChanged", "processing_failed"),
    ]
    database.close()
