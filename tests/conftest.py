"""What the tests of every floor share: real engines, one set for each test process, a fresh database for each test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from imagemarket.imaging.sandbox import Inspector
    from tests.market import Market

from imagemarket.app import App, use
from imagemarket.platform.cache import Cache
from imagemarket.platform.database import Database
from imagemarket.platform.resources import Resources
from imagemarket.platform.telemetry import logger
from local import opensearch
from local.layout import REPOSITORY, Layout, free_port
from local.postgres import make_cluster, make_database, postgres_part
from local.processes import Supervisor
from local.valkey import COUNTERS, url_of, valkey_part
from tests.databases import EmptiedDatabase, PostgresServer, new_database
from tests.provided import provide

_TEMPLATE = "template_imagemarket"


class _Everyone:
    def exists(self, account_id: UUID, *, now_for_sure: bool = False) -> bool:
        return True


@pytest.fixture(autouse=True)
def _app_of_this_test() -> Iterator[None]:
    """An app of its own, which `provide` gives services to. Every account exists: most tests make up who is calling,
    and those of who is no more hand in their own. No cache counts requests, which those from loopback do not need."""
    use(App(Resources(counters=Cache("redis://127.0.0.1:1"))))
    provide("identity.directory", _Everyone())
    yield
    use(None)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """The command line quiets the log of its whole process, which tests share."""
    level = logger.log_level
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def engine_room(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    state = tmp_path_factory.mktemp("engines")
    return Layout(made=REPOSITORY / ".market", state=state, port=free_port())


@pytest.fixture(scope="session")
def postgres_server(engine_room: Layout) -> Iterator[PostgresServer]:
    server = PostgresServer(free_port(), secrets.token_urlsafe(12))
    folder = engine_room.data / "postgres"
    make_cluster(folder, server.password)
    part = postgres_part(
        folder, server.port, server.password, {"shared_buffers": "64MB", "fsync": "off", "full_page_writes": "off"}
    )
    supervisor = Supervisor(engine_room)
    supervisor.start(part)
    yield server
    supervisor.stop(part)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    from imagemarket.schema import upgrade

    make_database(postgres_server.port, postgres_server.password, _TEMPLATE)
    upgrade(postgres_server.dsn(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture(scope="session")
def emptied_database(postgres_server: PostgresServer, migrated_template: str) -> Iterator[EmptiedDatabase]:
    kept = EmptiedDatabase(postgres_server, migrated_template)
    yield kept
    kept.drop()


@pytest.fixture
def database_url(emptied_database: EmptiedDatabase) -> Iterator[str]:
    """DSN of a database of this test's own, with the schema and no rows."""
    with emptied_database.lent() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    found = Database(lambda: database_url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def decoder() -> Iterator[Inspector]:
    """A decoder's process, started by the first picture."""
    from imagemarket.imaging.sandbox import Inspector

    with Inspector() as decoder:
        yield decoder


@pytest.fixture(scope="module")
def built_market(
    postgres_server: PostgresServer, migrated_template: str, valkey_server: str, decoder: Inspector
) -> Iterator[Market]:
    """The whole API with a database of the module's own; see `tests.market`."""
    from tests.market import make_market

    with new_database(postgres_server, migrated_template) as url:
        database = Database(lambda: url)
        yield make_market(database, valkey_server, decoder)
        database.close()


@pytest.fixture
def whole_market(built_market: Market) -> Market:
    """The whole API, wired."""
    built_market.wire()
    return built_market


@pytest.fixture(scope="session")
def valkey_server(engine_room: Layout) -> Iterator[str]:
    engine_room.data.mkdir(parents=True, exist_ok=True)
    part = valkey_part(engine_room.data, free_port())
    supervisor = Supervisor(engine_room)
    supervisor.start(part)
    yield url_of(part.port)
    supervisor.stop(part)


@pytest.fixture
def counters_url(engine_room: Layout) -> Iterator[str]:
    """URL of a Valkey that evicts nothing, as the local stack starts it."""
    engine_room.data.mkdir(parents=True, exist_ok=True)
    part = valkey_part(engine_room.data, free_port(), COUNTERS)
    supervisor = Supervisor(engine_room)
    supervisor.start(part)
    yield url_of(part.port)
    supervisor.stop(part)


@pytest.fixture
def valkey_url(valkey_server: str) -> str:
    """URL of an empty Valkey."""
    import valkey

    with valkey.Valkey.from_url(valkey_server) as client:
        client.flushall()
    return valkey_server


@pytest.fixture(scope="session")
def opensearch_server(engine_room: Layout) -> Iterator[str]:
    """Address of a real OpenSearch of this test process alone; skips aloud where Java or Maven is missing."""
    if missing := opensearch.missing_tools():
        told = f"OPENSEARCH WAS NOT TESTED: this machine lacks {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    engine_room.state.mkdir(parents=True, exist_ok=True)
    installed = opensearch.install_opensearch(engine_room)
    part = opensearch.opensearch_part(installed, engine_room.data / "opensearch", free_port(), short_lived=True)
    supervisor = Supervisor(engine_room)
    supervisor.start(part)
    yield opensearch.url_of(part.port)
    supervisor.stop(part)
