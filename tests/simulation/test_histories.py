"""Some hundred seeded histories of the ingestion; `./market bench simulation` lives through ten thousand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagemarket.platform.database import Database
from tests.conftest import PostgresServer
from tests.simulation.world import live_through, virtual_time

pytestmark = pytest.mark.engines

FOUND = [0]
"""Seeds that once did not hold; each is kept."""
BATCHES = 10
PER_BATCH = 30


@pytest.fixture(scope="module")
def truth(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Database]:
    import psycopg
    from psycopg import sql

    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as connection:
        names = {"name": sql.Identifier("simulation"), "template": sql.Identifier(migrated_template)}
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy").format(**names))
        found = virtual_time(postgres_server.dsn("simulation"))
        yield found
        found.close()
        connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


@pytest.mark.parametrize("seed", FOUND)
def test_a_history_that_once_went_wrong(truth: Database, seed: int) -> None:
    live_through(seed, truth)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_histories_end_well(truth: Database, batch: int) -> None:
    for seed in range(1_000_000 + batch * PER_BATCH, 1_000_000 + (batch + 1) * PER_BATCH):
        live_through(seed, truth)


def test_a_seed_is_one_history(truth: Database) -> None:
    first, second = (live_through(7, truth) for _ in range(2))
    assert first == second
