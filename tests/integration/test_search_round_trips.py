"""How often OpenSearch and Qdrant are asked for one thing, counted on the connection; PostgreSQL is counted beside."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from imagemarket.search.models import Filters, Sort
from imagemarket.search.opensearch import OpenSearchEngine, connect
from imagemarket.search.qdrant import QdrantEngine
from imagemarket.search.qdrant import connect as connect_qdrant
from local.layout import LOOPBACK, free_port
from tests.contract.test_search_engines import Refreshed
from tests.integration import engine_process
from tests.integration.test_search_postgres import Turns
from tests.unit.search.kit import MODEL, random_documents, random_unit

pytestmark = pytest.mark.engines

_TIMES = 4


@pytest.fixture
def open_turns() -> Iterator[Callable[[str], Turns]]:
    opened: list[Turns] = []

    def through(url: str) -> Turns:
        to = urlsplit(url)
        assert to.hostname
        assert to.port
        opened.append(Turns(to.hostname, to.port))
        return opened[-1]

    yield through
    for each in opened:
        each.close()


def _hold(turns: Turns, bounds: dict[str, tuple[int, Callable[[], Any]]]) -> None:
    """Each way of asking finds something, within its number of round trips from the second time on."""
    for name, (bound, ask) in bounds.items():
        trips: list[int] = []
        for _ in range(_TIMES):
            before = turns.number
            assert ask(), name
            trips.append(turns.number - before)
        assert max(trips[1:]) <= bound, (name, trips)
        assert min(trips) >= 1, "what is counted is what is asked"


def test_opensearch(opensearch_server: str, open_turns: Callable[[str], Turns]) -> None:
    writer, turns = Refreshed(opensearch_server), open_turns(opensearch_server)
    made = random_documents(60)
    engine_process.write_patiently(writer, made)
    engine = OpenSearchEngine(connect(f"http://{LOOPBACK}:{turns.port}"), vectors=True)
    vector, ids = random_unit(random.Random(2)), [each.image_id for each in made[:20]]
    try:
        _hold(
            turns,
            {
                "words": (1, lambda: engine.match("boat lake", Filters(), sort=Sort.RELEVANCE, limit=100)),
                "any word": (2, lambda: engine.match("boat zeppelin", Filters(), sort=Sort.RELEVANCE, limit=100)),
                "browsing": (1, lambda: engine.match("", Filters(), sort=Sort.NEWEST, limit=100)),
                "meaning": (1, lambda: engine.nearest(vector, MODEL, Filters(), limit=50)),
                "facets": (1, lambda: engine.tally("boat", Filters(people=True))),
                "facets of any word": (2, lambda: engine.tally("boat zeppelin", Filters())),
                "facets of a ranking": (1, lambda: engine.tally_of(ids)),
                "exact words": (1, lambda: engine.having('"boat"', [each.image_id for each in made])),
                "documents": (1, lambda: engine.documents(ids)),
                "vector": (1, lambda: engine.vector_of(ids[0])),
            },
        )
    finally:
        writer.remove()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_qdrant(open_turns: Callable[[str], Turns]) -> None:
    port = free_port()
    with engine_process.server(engine_process.qdrant(), port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        turns = open_turns(f"http://{LOOPBACK}:{port}")
        engine = QdrantEngine(connect_qdrant(f"http://{LOOPBACK}:{turns.port}"))
        shown = engine_process.documents()[0]
        vector, version = shown.embedding, shown.model_version
        assert vector is not None
        assert version is not None
        _hold(
            turns,
            {
                "meaning": (1, lambda: engine.nearest(vector, version, Filters(), limit=50)),
                "vector": (1, lambda: engine.vector_of(shown.image_id)),
            },
        )
        server.shutdown()
