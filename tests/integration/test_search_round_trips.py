"""How often engines are asked, counted on the connection: OpenSearch and Qdrant for one thing, PostgreSQL for the whole
of a search; what PostgreSQL is asked for one thing is counted beside."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.search.document import SearchDocument
from imagemarket.search.engines.opensearch import OpenSearchEngine, connect
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.engines.qdrant import QdrantEngine
from imagemarket.search.engines.qdrant import connect as connect_qdrant
from imagemarket.search.pages import PageCache
from imagemarket.search.query.parser import QueryParser
from imagemarket.search.query.spelling import Speller, words_of
from imagemarket.search.request import Filters, Mode, SearchQuery, SimilarQuery, Sort
from imagemarket.search.run import Timeouts
from local.layout import LOOPBACK, free_port
from tests.contract.test_search_engines import Refreshed
from tests.integration import engine_process
from tests.integration.test_search_postgres import PostgresTurns, Turns
from tests.unit.search.kit import MODEL, random_documents, random_unit
from tests.unit.search.test_service import service

pytestmark = pytest.mark.engines

_TIMES = 4
_CONNECTIONS = 4
_PATIENT = Timeouts(engine_seconds=30, first_seconds=30, request_seconds=60)
"""Counts are of whole answers, on a busy machine too."""


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
                "words": (1, lambda: engine.search_text("boat lake", Filters(), sort=Sort.RELEVANCE, limit=100)),
                "any word": (2, lambda: engine.search_text("boat zeppelin", Filters(), sort=Sort.RELEVANCE, limit=100)),
                "browsing": (1, lambda: engine.search_text("", Filters(), sort=Sort.NEWEST, limit=100)),
                "meaning": (1, lambda: engine.nearest(vector, MODEL, Filters(), limit=50)),
                "facets": (1, lambda: engine.count_facets("boat", Filters(people=True))),
                "facets of any word": (2, lambda: engine.count_facets("boat zeppelin", Filters())),
                "facets of a ranking": (1, lambda: engine.facets_of(ids)),
                "words that pictures have": (1, lambda: engine.present(["boat", "lake", "zeppelin", "kayak"])),
                "exact words": (1, lambda: engine.filter_by_terms('"boat"', [each.image_id for each in made])),
                "documents": (1, lambda: engine.documents(ids)),
                "vector": (1, lambda: engine.vector_of(ids[0])),
            },
        )
    finally:
        writer.remove()


def test_qdrant(open_turns: Callable[[str], Turns], tmp_path: Path) -> None:
    port = free_port()
    with engine_process.server(engine_process.qdrant(tmp_path), port) as server:
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


_ONE: dict[str, Any] = {"category": ["nature"]}
_TWO = {**_ONE, "people": True}
_THREE = {**_TWO, "orientation": ["portrait", "landscape"]}
_KEYWORD: dict[str, Any] = {"mode": Mode.KEYWORD}
_SEMANTIC: dict[str, Any] = {"mode": Mode.SEMANTIC}
_WHOLE_SEARCHES = {
    "browsing": (3, SearchQuery()),
    "browsing, three filters": (3, SearchQuery(**_THREE)),
    "words": (5, SearchQuery(q="boat lake", **_KEYWORD)),
    "words, three filters": (5, SearchQuery(q="boat lake", **_KEYWORD, **_THREE)),
    "words, newest": (5, SearchQuery(q="boat lake", sort=Sort.NEWEST)),
    "words, misspelt": (6, SearchQuery(q="bicycel foresst", **_KEYWORD)),
    "words, a quoted phrase": (5, SearchQuery(q='"boat and lake"', **_KEYWORD)),
    "meaning": (4, SearchQuery(q="boat lake", **_SEMANTIC)),
    "meaning, one filter": (7, SearchQuery(q="boat", **_SEMANTIC, **_ONE)),
    "meaning, two filters": (10, SearchQuery(q="boat", **_SEMANTIC, **_TWO)),
    "meaning, three filters": (13, SearchQuery(q="boat", **_SEMANTIC, **_THREE)),
    "meaning, misspelt": (5, SearchQuery(q="bicycel foresst", **_SEMANTIC)),
    "meaning, a quoted phrase": (5, SearchQuery(q='"boat and lake"', **_SEMANTIC)),
    "both": (6, SearchQuery(q="boat lake")),
    "both, any word": (6, SearchQuery(q="boat lake zeppelin")),
    "both, further down": (6, SearchQuery(q="boat lake", page=2)),
    "both, with synonyms": (6, SearchQuery(q="bicycle forest")),
    "both, a quoted phrase": (7, SearchQuery(q='"boat and lake"')),
    "both, a word misspelt": (7, SearchQuery(q="boat foresst")),
    "both, four words misspelt": (7, SearchQuery(q="bicycel foresst makret twoer")),
    "both, one filter": (11, SearchQuery(q="boat lake", **_ONE)),
    "both, two filters": (16, SearchQuery(q="boat lake", **_TWO)),
    "both, three filters": (21, SearchQuery(q="boat lake", **_THREE)),
    "both, two filters and a shape that is named": (21, SearchQuery(q="vertical boat", **_TWO)),
}
"""Each search with the round trips that it makes, all parts together."""


@pytest.fixture
def counted(database_url: str) -> Iterator[tuple[Database, Turns]]:
    """A database whose connections are open, and the count of its round trips."""
    told = conninfo_to_dict(database_url)
    turns = PostgresTurns(str(told.get("host", LOOPBACK)), int(told.get("port") or 5432))
    database = Database(
        lambda: make_conninfo(database_url, host=LOOPBACK, port=turns.port), max_connections=_CONNECTIONS
    )
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(lambda _: database.fetch_one("SELECT pg_sleep(0.2)"), range(_CONNECTIONS)))
    yield database, turns
    database.close()
    turns.close()


def test_a_whole_search_on_postgresql(counted: tuple[Database, Turns], valkey_url: str) -> None:
    """As many as docs/search.md adds up to: what it makes of words, meaning, facets and documents."""
    database, turns = counted
    engine = PostgresSearch(database)
    made = random_documents(300)
    engine.write(made, [])
    reader = _reader(made)
    search = service(engine, queries=reader, timeouts=_PATIENT)
    for name, (number, query) in _WHOLE_SEARCHES.items():
        trips: list[int] = []
        for _ in range(_TIMES):
            before = turns.number
            page = search.search(query)
            trips.append(turns.number - before)
            assert page.results, name
            assert page.degraded == [], name
        assert set(trips) == {number}, (name, trips)
    for number, filters in ((5, {}), (8, _ONE), (11, _TWO), (14, _THREE)):
        before = turns.number
        assert search.similar(made[0].image_id, SimilarQuery(**filters)).results
        assert turns.number - before == number, filters

    cache = Cache(valkey_url)
    pages = PageCache(cache, cache, SystemClock())
    kept = service(engine, queries=reader, pages=pages, timeouts=_PATIENT)
    for number in (6, 0):
        before = turns.number
        assert kept.search(SearchQuery(q="boat lake")).results
        assert turns.number - before == number, "a page that is kept asks no engine"


def test_what_is_asked_was_understood_as_it_is_named() -> None:
    """Else a query would be counted as something that it is not."""
    reader = _reader(random_documents(300))

    def read(name: str) -> Any:
        return reader.parse(_WHOLE_SEARCHES[name][1], lambda _: ())

    assert read("both, with synonyms").synonyms
    assert read("both, a quoted phrase").words.exact.groups
    assert read("both, a word misspelt").text == "boat forest"
    assert read("both, four words misspelt").text == "bicycle forest market tower"
    assert read("both, two filters and a shape that is named").filters.orientation == ["portrait"]


def _reader(made: Sequence[SearchDocument]) -> QueryParser:
    """Knows the words of the titles, and a synonym of one."""
    speller = Speller(Counter(word for each in made for word in {*words_of(each.title), "bike"}))
    return QueryParser(lambda: speller)
