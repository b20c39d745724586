"""Events through a real Valkey into a real PostgreSQL: once each, in nobody's name, and never in a buyer's way."""

from __future__ import annotations

import json

import pytest

from functions.gather_search_events.handler import handler
from imagemarket import wiring
from imagemarket.platform.cache import Cache
from imagemarket.platform.database import Database
from imagemarket.search.events import EventGatherer, ValkeyStream, impersonal
from imagemarket.search.models import Mode, SearchQuery
from imagemarket.search.suggestions import OFTEN, SuggestionTable
from local.layout import free_port
from local.valkey import url_of
from tests.api.events import LambdaContext
from tests.golden import golden
from tests.unit.search.kit import MemorySearch, random_documents
from tests.unit.search.test_service import service

pytestmark = pytest.mark.engines


@pytest.fixture
def gatherer(valkey_url: str, database: Database) -> EventGatherer:
    return EventGatherer(Cache(valkey_url), database, SuggestionTable(database))


def test_a_search_and_a_look_are_told_by_the_search_id(
    valkey_url: str, database: Database, gatherer: EventGatherer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MemorySearch()
    engine.write(random_documents(60), [])
    search = service(engine, events=ValkeyStream(Cache(valkey_url)))
    page = search.search(SearchQuery(q=" Boat ", mode=Mode.KEYWORD, color=["red"], limit=3))
    following = search.search(SearchQuery(q="boat", mode=Mode.KEYWORD, color=["red"], limit=3, cursor=page.next_cursor))
    search.viewed(page.results[1].id, page.search_id)
    monkeypatch.setattr(wiring, "search_events", lambda: gatherer)
    assert handler(golden("scheduler/every_minute.json"), LambdaContext()) == {"gathered": 3}
    assert gatherer.drain() == 0
    rows = database.fetch_all("SELECT kind, search_id, event FROM search_events ORDER BY place")
    assert [(row["kind"], row["search_id"]) for row in rows] == [
        ("searched", page.search_id),
        ("searched", following.search_id),
        ("viewed", page.search_id),
    ]
    told = rows[0]["event"]
    assert told == {
        "words": "boat",
        "mode": "keyword",
        "filters": {"color": ["red"]},
        "first": 0,
        "total": page.estimated_total,
        "images": [str(hit.id) for hit in page.results],
        "degraded": [],
    }
    assert rows[1]["event"]["first"] == 3
    assert rows[2]["event"]["images"] == [str(page.results[1].id)]


def test_what_is_often_searched_becomes_a_suggestion_and_what_finds_nothing_does_not(
    valkey_url: str, database: Database, gatherer: EventGatherer
) -> None:
    engine = MemorySearch()
    engine.write(random_documents(60), [])
    search = service(engine, events=ValkeyStream(Cache(valkey_url)))
    for _ in range(OFTEN):
        search.search(SearchQuery(q="Forest lake", mode=Mode.KEYWORD))
        search.search(SearchQuery(q="forest zzzz", mode=Mode.KEYWORD, color=["purple"]))
    gatherer.drain()
    assert [each.text for each in SuggestionTable(database).beginning_with("fore", 5)] == ["forest lake"]


def test_an_event_that_comes_again_counts_once(
    valkey_url: str, database: Database, gatherer: EventGatherer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    service(engine, events=ValkeyStream(Cache(valkey_url))).search(SearchQuery(q="boat"))
    with monkeypatch.context() as broken:
        # Taken into the table, and then the stream could not be told.
        broken.setattr(Cache, "remove", _away)
        assert gatherer.drain() == 1
    assert gatherer.drain() == 0
    assert database.fetch_one("SELECT count(*) AS number FROM search_events") == {"number": 1}
    assert database.fetch_one("SELECT searches FROM suggestions WHERE phrase = 'boat'") == {"searches": 1}


def _away(*_: object) -> None:
    from imagemarket.platform.errors import DependencyUnavailable

    raise DependencyUnavailable("away")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("  Red  BOAT ", "red boat"),
        ("ada@example.com", ""),
        ("call 030 / 123 45 67", ""),
        ("https://example.com/ada", ""),
        ("olympics 2024", "olympics 2024"),
    ],
)
def test_what_could_be_somebodys_contact_is_not_told(asked: str, told: str) -> None:
    assert impersonal(asked) == told


def test_no_buyer_waits_for_an_event(database: Database) -> None:
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    away = Cache(url_of(free_port()))
    page = service(engine, events=ValkeyStream(away)).search(SearchQuery(q="boat"))
    assert page.results
    assert page.degraded == []
    assert EventGatherer(away, database, SuggestionTable(database)).drain() == 0


def test_an_event_knows_no_account(valkey_url: str) -> None:
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    service(engine, events=ValkeyStream(Cache(valkey_url))).search(SearchQuery(q="boat"))
    ((_, raw),) = Cache(valkey_url).waiting("{search}:events", most=5)
    assert set(json.loads(raw)) <= {
        *("kind", "search_id", "at", "words", "mode", "filters", "first", "total", "images", "degraded"),
    }
