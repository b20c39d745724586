"""A PostgreSQL of a benchmark's own, filled with a synthetic catalogue."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import LiteralString, cast

from benchmarks.material.catalogue import Catalogue
from imagemarket.platform.database import Database
from imagemarket.schema import upgrade
from imagemarket.search.engines.postgres import PostgresSearch

SERVER = {
    "shared_buffers": "8GB",
    "maintenance_work_mem": "4GB",
    "random_page_cost": "1.1",
    "effective_cache_size": "10GB",
    "max_wal_size": "8GB",
}
"""As Aurora has them by default for 11 GB of memory, but for the memory of building an index."""

_BATCH = 500
_WORKERS = 2


@contextmanager
def own_database(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The DSN of an empty database, or of the one that `MARKET_BENCH_DSN` names."""
    given = os.environ.get("MARKET_BENCH_DSN")
    if given:
        yield given
        return
    from local.layout import REPOSITORY, Layout, free_port
    from local.postgres import dsn_of, make_cluster, make_database, postgres_part
    from local.processes import Supervisor

    with tempfile.TemporaryDirectory(prefix="imagemarket-bench-") as folder:
        state = Path(folder)
        state.chmod(0o755)  # the server runs unprivileged
        password, port = secrets.token_urlsafe(12), free_port()
        make_cluster(state / "postgres", password)
        part = postgres_part(state / "postgres", port, password, settings)
        supervisor = Supervisor(Layout(made=REPOSITORY / ".market", state=state, port=free_port()))
        supervisor.start(part)
        try:
            make_database(port, password, "bench")
            yield dsn_of(port, password, "bench")
        finally:
            supervisor.stop(part)


def fill(dsn: str, documents: int, *, part: int = 0) -> None:
    """Adds so many pictures of the catalogue, by the engine's own `write` from two processes."""
    shares = [(documents + worker) // _WORKERS for worker in range(_WORKERS)]
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_fill, dsn), shares, [part * _WORKERS + worker for worker in range(_WORKERS)]))


def _fill(dsn: str, documents: int, part: int) -> None:
    database = Database(lambda: dsn, statement_timeout_ms=0)
    engine = PostgresSearch(database)
    waiting = Catalogue(part=part).documents(documents)
    while batch := list(islice(waiting, _BATCH)):
        engine.write(batch, [])
    database.close()


@contextmanager
def filled(documents: int) -> Iterator[tuple[str, Database, dict[str, float]]]:
    """The DSN of a database with so many documents, the same opened, and what filling it took: seconds by name.

    One that `MARKET_BENCH_DSN` names is filled once, and must then hold so many.
    """
    with own_database(SERVER) as dsn:
        upgrade(dsn)
        database = Database(lambda: dsn, statement_timeout_ms=0)
        try:
            took: dict[str, float] = {}
            held = database.fetch_one("SELECT count(*) AS number FROM search_documents")
            if held is None or held["number"] not in {0, documents}:
                raise SystemExit(f"MARKET_BENCH_DSN holds {held} documents; {documents} were asked for")
            if not held["number"]:
                indexes = drop_indexes(database)
                began = time.perf_counter()
                fill(dsn, documents)
                took["filling"] = time.perf_counter() - began
                for name, sql in indexes.items():
                    began = time.perf_counter()
                    _execute(database, sql)
                    took[name] = time.perf_counter() - began
                _execute(database, "ANALYZE search_documents")
            yield dsn, database, took
        finally:
            database.close()


def _execute(database: Database, sql: str) -> None:
    with database.transaction() as connection:
        connection.execute(cast("LiteralString", sql))


def drop_indexes(database: Database) -> dict[str, str]:
    """Drops the table's indexes but for the primary key; returns the statements that make them, by name.

    An index that is made afterwards costs a fraction of one that grows with every row.
    """
    found = database.fetch_all(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'search_documents'"
        " AND indexname <> 'search_documents_pkey'"
    )
    with database.transaction() as connection:
        for row in found:
            connection.execute(cast("LiteralString", f"DROP INDEX {row['indexname']}"))
    return {row["indexname"]: row["indexdef"] for row in found}
