"""A database whose time is the histories' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagemarket.platform.database import Database
from tests.conftest import PostgresServer
from tests.simulation.world import virtual_time


@pytest.fixture(scope="module")
def truth(
    postgres_server: PostgresServer, migrated_template: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    import psycopg
    from psycopg import sql

    name = f"simulation_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as connection:
        names = {"name": sql.Identifier(name), "template": sql.Identifier(migrated_template)}
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy").format(**names))
        found = virtual_time(postgres_server.dsn(name))
        yield found
        found.close()
        connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))
