"""The database that one test after another uses: each finds it as new."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.databases import EmptiedDatabase, PostgresServer

pytestmark = pytest.mark.engines

_ADD = (
    "INSERT INTO image_audit (image_id, action, actor, reason, status_before, status_after)"
    " VALUES (%s, 'delete', 'somebody', 'a reason', 'published', 'deleted') RETURNING id"
)


@pytest.fixture
def kept(postgres_server: PostgresServer, migrated_template: str) -> Iterator[EmptiedDatabase]:
    made = EmptiedDatabase(postgres_server, migrated_template)
    yield made
    made.drop()


def _oid(connection: psycopg.Connection) -> object:
    return connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()


def test_rows_are_gone_numbers_start_again_and_sessions_have_ended(kept: EmptiedDatabase) -> None:
    with kept.lent() as url:
        connection = psycopg.connect(url)
        oid = _oid(connection)
        assert connection.execute(_ADD, [uuid.uuid4()]).fetchone() == (1,)
        connection.commit()
        connection.execute(_ADD, [uuid.uuid4()])  # in a transaction that stays open
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    with kept.lent() as again, psycopg.connect(again) as connection:
        assert _oid(connection) == oid
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(url)
        assert connection.execute("SELECT count(*) FROM image_audit").fetchone() == (0,)
        assert connection.execute(_ADD, [uuid.uuid4()]).fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE another (id int)",
        "DROP INDEX image_audit_image",
        "ALTER TABLE images ALTER id SET DEFAULT gen_random_uuid()",
        "ALTER TABLE image_audit DISABLE TRIGGER USER",
        "GRANT SELECT ON image_audit TO PUBLIC",
        "CREATE OR REPLACE FUNCTION refuse_to_rewrite() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE SCHEMA sim",
        "ANALYZE image_audit",
        "UPDATE alembic_version SET version_num = '0001'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = on', current_database()); END $$",
    ],
)
def test_one_that_is_otherwise_than_its_template_is_replaced(kept: EmptiedDatabase, change: str) -> None:
    with kept.lent() as url, psycopg.connect(url) as connection:
        oid = _oid(connection)
        connection.execute(_ADD, [uuid.uuid4()])
        connection.execute(change.encode())
    with kept.lent() as again, psycopg.connect(again) as connection:
        assert _oid(connection) != oid
