"""The nightly upkeep of tables, which each deployment runs as well."""

from __future__ import annotations

import threading

import psycopg
import pytest

from imagemarket.operations.retention import Retention
from imagemarket.platform.database import Database
from imagemarket.platform.retention import EXPIRED
from tests.integration.rows import a_contributor

pytestmark = pytest.mark.engines


def test_it_may_take_longer_than_a_request_waits(database: Database, database_url: str) -> None:
    account = a_contributor(database)
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO idempotency_keys (account_id, operation, key, request_sha256, claimed_at, expires_at)"
            " VALUES (%s, 'upload', 'k', '', now(), now() - interval '1 hour')",
            (account,),
        )
    impatient = Database(lambda: database_url, statement_timeout_ms=300)
    with psycopg.connect(database_url) as another:
        another.execute("SELECT 1 FROM idempotency_keys FOR UPDATE")
        release = threading.Timer(1.0, another.rollback)
        release.start()
        assert Retention(impatient, EXPIRED).run()["idempotency_keys"] == 1
        release.join()
    row = impatient.fetch_one("SELECT current_setting('statement_timeout') AS now")
    impatient.close()
    assert row == {"now": "300ms"}, "for that transaction alone"
