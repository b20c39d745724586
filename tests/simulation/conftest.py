"""A database whose time is the histories' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagemarket.platform.database import Database
from tests.databases import PostgresServer, new_database
from tests.simulation.world import virtual_time


@pytest.fixture(scope="module")
def truth(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Database]:
    with new_database(postgres_server, migrated_template) as url:
        found = virtual_time(url)
        yield found
        found.close()
