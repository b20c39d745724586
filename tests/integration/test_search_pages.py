"""Pages kept in a real Valkey: fresh, computed by one, gone with what is taken down, and done without."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.engines.ports import Hit
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.facets import FacetCounts
from imagemarket.search.pages import (
    BRIEF_SECONDS,
    FRESH_SECONDS,
    LAST_GOOD_SECONDS,
    STALE_SECONDS,
    PageCache,
    TakeDowns,
)
from imagemarket.search.query.syntax import Words
from imagemarket.search.request import Filters, Mode, SearchQuery, SimilarQuery
from imagemarket.search.run import Timeouts
from local.layout import free_port
from local.valkey import url_of
from tests.unit.search.kit import MemorySearch, document, random_documents
from tests.unit.search.test_service import service

pytestmark = pytest.mark.engines

QUESTION = SearchQuery(q="boat")


class Counted(MemorySearch):
    """Counts the round trips that a real engine would make."""

    def __init__(self) -> None:
        super().__init__()
        self.trips: list[str] = []
        self.gate: Callable[[], Any] = lambda: None

    def search_text(self, *given: Any, **named: Any) -> list[Hit]:
        self.trips.append("search_text")
        self.gate()
        return super().search_text(*given, **named)

    def nearest(self, *given: Any, **named: Any) -> list[Hit]:
        self.trips.append("nearest")
        return super().nearest(*given, **named)

    def documents(self, image_ids: Sequence[UUID]) -> list[SearchDocument]:
        self.trips.append("documents")
        return super().documents(image_ids)

    def count_facets(self, text: str | Words, filters: Filters) -> FacetCounts:
        self.trips.append("facets")
        return super().count_facets(text, filters)

    def facets_of(self, image_ids: Sequence[UUID], *facets: str) -> FacetCounts:
        self.trips.append("facets")
        return super().facets_of(image_ids, *facets)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 5, 1, tzinfo=UTC))


@pytest.fixture
def cache(valkey_url: str) -> Cache:
    return Cache(valkey_url)


@pytest.fixture
def counters(counters_url: str) -> Cache:
    import valkey

    with valkey.Valkey.from_url(counters_url) as client:
        client.flushall()
    return Cache(counters_url)


@pytest.fixture
def engine() -> Counted:
    engine = Counted()
    engine.write(random_documents(60), [])
    return engine


def test_a_page_costs_one_round_trip_per_engine_one_to_read_and_one_for_facets(engine: Counted) -> None:
    search = service(engine)
    for query, trips in [
        (SearchQuery(q="boat"), ["documents", "facets", "nearest", "search_text"]),
        (SearchQuery(q="boat", mode=Mode.KEYWORD), ["documents", "facets", "search_text"]),
        (SearchQuery(q="boat", mode=Mode.SEMANTIC), ["documents", "facets", "nearest"]),
        (SearchQuery(), ["documents", "facets", "search_text"]),
    ]:
        engine.trips.clear()
        search.search(query)
        assert sorted(engine.trips) == trips


def test_a_kept_page_asks_no_engine_for_a_minute(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    first = search.search(SearchQuery(q="boat", color=["red", "blue"], limit=5))
    engine.trips.clear()
    again = search.search(SearchQuery(q="  BOAT ", color=["blue", "red"], limit=5))
    assert engine.trips == []
    assert again.results == first.results
    assert again.search_id != first.search_id
    following = search.search(SearchQuery(q="boat", color=["red", "blue"], limit=5, cursor=again.next_cursor))
    assert not {hit.id for hit in following.results} & {hit.id for hit in first.results}
    engine.trips.clear()
    clock.advance(timedelta(seconds=FRESH_SECONDS))
    search.search(SearchQuery(q="boat", color=["red", "blue"], limit=5))
    assert "search_text" in engine.trips


def test_a_page_that_another_release_kept_in_another_form_is_computed_anew(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock, valkey_url: str
) -> None:
    import valkey

    search = service(engine, pages=PageCache(cache, counters, clock))
    first = search.search(SearchQuery(q="boat"))
    with valkey.Valkey.from_url(valkey_url) as client:
        pages = cast("list[bytes]", client.keys("{search}:page:*"))
        assert pages
        for page in pages:
            kept = cast("bytes", client.get(page))
            client.set(page, kept.replace(b'"label":', b'"lebel":'))
    engine.trips.clear()
    assert search.search(SearchQuery(q="boat")).results == first.results
    assert "search_text" in engine.trips


@pytest.mark.parametrize(
    "other",
    [
        SearchQuery(q="lake"),
        SearchQuery(q="boat", color=["red"]),
        SearchQuery(q="boat", mode=Mode.KEYWORD),
        SearchQuery(q="boat", limit=7),
        SearchQuery(q="boat", page=2),
    ],
)
def test_another_question_is_another_page(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock, other: SearchQuery
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    search.search(SearchQuery(q="boat"))
    engine.trips.clear()
    search.search(other)
    assert engine.trips


def test_what_is_taken_down_is_gone_from_every_kept_page_at_once(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    questions = [SearchQuery(q="boat"), SearchQuery(), SearchQuery(q="lake", mode=Mode.SEMANTIC)]
    before = [search.search(each) for each in questions]
    like = before[0].results[0].id
    before.append(search.similar(like, SimilarQuery()))
    gone = Removal(before[2].results[0].id if before[2].results[0].id != like else before[2].results[1].id, 9)
    engine.write([], [gone])
    TakeDowns(counters).write([], [gone])
    after = [*(search.search(each) for each in questions), search.similar(like, SimilarQuery())]
    assert any(hit.id == gone.image_id for page in before for hit in page.results)
    assert not any(hit.id == gone.image_id for page in after for hit in page.results)


def test_a_page_computed_while_a_picture_was_taken_down_is_not_kept(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    engine.gate = lambda: TakeDowns(counters).write([], [Removal(UUID(int=5), 9)])
    search.search(SearchQuery(q="boat"))
    engine.gate = lambda: None
    engine.trips.clear()
    search.search(SearchQuery(q="boat"))
    assert "search_text" in engine.trips


def test_of_many_who_ask_at_once_one_computes(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    engine.gate = lambda: time.sleep(0.2)
    with ThreadPoolExecutor(12) as pool:
        pages = list(pool.map(lambda _: search.search(SearchQuery(q="boat")), range(12)))
    assert engine.trips.count("search_text") == 1
    assert len({tuple(hit.id for hit in page.results) for page in pages}) == 1


def test_while_one_computes_the_others_take_what_is_a_little_old(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    first = search.search(SearchQuery(q="boat"))
    clock.advance(timedelta(seconds=FRESH_SECONDS + 1))
    computing, release = threading.Event(), threading.Event()

    def gate() -> None:
        computing.set()
        release.wait(5)

    engine.gate = gate
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(search.search, SearchQuery(q="boat"))
        assert computing.wait(5)
        began = time.monotonic()
        assert search.search(SearchQuery(q="boat")).results == first.results
        assert time.monotonic() - began < 0.5, "nobody waited"
        release.set()
        assert slow.result().results == first.results
    clock.advance(timedelta(seconds=STALE_SECONDS + 1))


def away(*_: Any, **__: Any) -> Any:
    raise DependencyUnavailable("away")


def cut_off(engine: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("search_text", "nearest", "documents", "facets_of"):
        monkeypatch.setattr(engine, name, away)


def test_when_no_engine_answers_the_last_good_page_does_without_what_was_taken_down(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock), timeouts=Timeouts(retry_delays=()))
    search.search(SearchQuery(q="boat"))
    good = search.search(SearchQuery(q="boat"))
    gone = good.results[1].id
    cut_off(engine, monkeypatch)
    TakeDowns(counters).write([], [Removal(gone, 9)])
    clock.advance(timedelta(hours=3))
    page = search.search(SearchQuery(q="boat"))
    assert [hit.id for hit in page.results] == [hit.id for hit in good.results if hit.id != gone]
    assert {each.part for each in page.degraded} == {"keyword", "vector"}
    assert page.degraded[0].effect == "The results are those of 10800 seconds ago."
    clock.advance(timedelta(seconds=1))
    assert "10801" in search.search(SearchQuery(q="boat")).degraded[0].effect, "an old page is not kept as a new one"


def test_what_the_cache_evicts_brings_no_taken_down_picture_back(
    engine: Counted,
    cache: Cache,
    counters: Cache,
    clock: ManualClock,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import valkey

    search = service(engine, pages=PageCache(cache, counters, clock), timeouts=Timeouts(retry_delays=()))
    for question in (QUESTION, QUESTION):
        good = search.search(question)
    gone = Removal(good.results[1].id, 9)
    engine.write([], [gone])
    TakeDowns(counters).write([], [gone])
    with valkey.Valkey.from_url(valkey_url) as client:
        others = set(client.scan_iter("*")) - set(client.scan_iter("{search}:page:*"))
        client.delete(*others)
        assert list(client.scan_iter("{search}:page:*")), "the page of before is still there"
    assert gone.image_id not in {hit.id for hit in search.search(QUESTION).results}
    cut_off(engine, monkeypatch)
    clock.advance(timedelta(hours=1))
    assert gone.image_id not in {hit.id for hit in search.search(QUESTION).results}
    with valkey.Valkey.from_url(valkey_url) as client:
        client.flushall()
    with pytest.raises(SearchUnavailable):
        search.search(QUESTION)


@pytest.mark.parametrize("engines", ["answer", "are away"])
def test_when_marks_are_lost_no_page_of_before_serves(
    engine: Counted,
    cache: Cache,
    counters: Cache,
    clock: ManualClock,
    counters_url: str,
    monkeypatch: pytest.MonkeyPatch,
    engines: str,
) -> None:
    import valkey

    search = service(engine, pages=PageCache(cache, counters, clock), timeouts=Timeouts(retry_delays=()))
    for question in (QUESTION, QUESTION):
        good = search.search(question)
    gone = Removal(good.results[1].id, 9)
    engine.write([], [gone])
    TakeDowns(counters).write([], [gone])
    with valkey.Valkey.from_url(counters_url) as client:
        client.flushall()
    if engines == "answer":
        page = search.search(QUESTION)
        assert gone.image_id not in {hit.id for hit in page.results}
        return
    cut_off(engine, monkeypatch)
    for _ in range(2):  # the first of them begins a new epoch
        with pytest.raises(SearchUnavailable):
            search.search(QUESTION)


def test_a_mark_outlives_every_page_that_was_being_computed(counters: Cache, counters_url: str) -> None:
    import valkey

    TakeDowns(counters).write([], [Removal(UUID(int=5), 9)])
    with valkey.Valkey.from_url(counters_url) as client:
        (mark,) = client.scan_iter("{search}:gone:*")
        assert cast("int", client.ttl(mark)) > LAST_GOOD_SECONDS + 60
        assert client.ttl("{search}:generation") == -1


def test_what_nobody_else_asks_is_forgotten_soon_and_what_is_asked_again_stays(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock, valkey_url: str
) -> None:
    import valkey

    search = service(engine, pages=PageCache(cache, counters, clock))

    def longest() -> int:
        with valkey.Valkey.from_url(valkey_url) as client:
            return max(cast("int", client.ttl(key)) for key in client.scan_iter("{search}:page:*"))

    search.search(SearchQuery(q="boat"))
    assert longest() <= STALE_SECONDS
    search.search(SearchQuery(q="boat"))
    assert longest() > STALE_SECONDS, "the same page, asked for by another"
    with valkey.Valkey.from_url(valkey_url) as client:
        client.flushall()
    search.search(SearchQuery(q="boat"))
    clock.advance(timedelta(hours=1))
    with valkey.Valkey.from_url(valkey_url) as client:
        client.delete(*client.scan_iter("{search}:page:*"))  # its two minutes are over
    search.search(SearchQuery(q="boat"))
    assert longest() > STALE_SECONDS, "computed anew, and asked for an hour ago"


def test_a_degraded_page_is_kept_for_seconds_and_takes_no_good_ones_place(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = service(engine, pages=PageCache(cache, counters, clock))
    with monkeypatch.context() as broken:
        broken.setattr(engine, "nearest", away)
        assert search.search(SearchQuery(q="boat")).degraded
    engine.trips.clear()
    assert search.search(SearchQuery(q="boat")).degraded
    assert engine.trips == []
    clock.advance(timedelta(seconds=BRIEF_SECONDS))
    good = search.search(SearchQuery(q="boat"))
    assert good.degraded == []
    clock.advance(timedelta(seconds=FRESH_SECONDS))
    cut_off(engine, monkeypatch)
    assert [hit.id for hit in search.search(SearchQuery(q="boat")).results] == [hit.id for hit in good.results]


@pytest.mark.parametrize("away", ["the cache", "the counters"])
def test_without_a_cache_the_search_is_whole_and_says_so(
    engine: Counted, cache: Cache, counters: Cache, clock: ManualClock, away: str
) -> None:
    nothing = Cache(url_of(free_port()))
    pages = PageCache(nothing, counters, clock) if away == "the cache" else PageCache(cache, nothing, clock)
    search = service(engine, pages=pages)
    for _ in range(8):
        page = search.search(SearchQuery(q="boat"))
        assert page.mode == "hybrid"
        assert [each.part for each in page.degraded] == ["cache"]
    shown = document("one")
    with pytest.raises(DependencyUnavailable):
        TakeDowns(Cache(url_of(free_port()))).write([], [Removal(shown.image_id, 1)])
    assert TakeDowns(Cache(url_of(free_port()))).write([shown], []) == 0
