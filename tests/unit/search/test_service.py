"""Searching over engines in memory: pages, fallbacks, what an answer says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagemarket.app import app
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.models import ImageType
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.errors import DependencyUnavailable, InvalidRequest
from imagemarket.platform.ids import new_id
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.document import Removal
from imagemarket.search.engines.ports import EncodedQuery, Hit, QueryRefused
from imagemarket.search.errors import InvalidCursor, SearchUnavailable
from imagemarket.search.events import SearchEvent
from imagemarket.search.request import MAX_RESULTS, VECTOR_CANDIDATES, Filters, Mode, SearchQuery, SimilarQuery, Sort
from imagemarket.search.result import SearchPage
from imagemarket.search.run import Timeouts
from imagemarket.search.service import Search
from tests.provided import provide
from tests.unit.search.kit import MODEL, MemorySearch, document, pointing, random_documents

Ask = Callable[..., SearchPage]


class Encoder:
    """Every text points along the first axis."""

    model_version = MODEL

    def encode(self, text: str) -> EncodedQuery:
        return EncodedQuery(pointing(0))


def service(engine: Any, **changes: Any) -> Search:
    parts: dict[str, Any] = {
        "keyword": engine,
        "vector": engine,
        "reader": engine,
        "encoder": Encoder,
        "cursors": CursorSigner(lambda: "a secret", ManualClock(datetime(2026, 5, 1, tzinfo=UTC))),
        "media_base_url": "https://cdn.test/media",
        "public_base_url": "https://api.test",
        **changes,
    }
    return Search(**parts)


def walk(ask: Callable[[str | None], SearchPage]) -> Iterator[SearchPage]:
    cursor = None
    while True:
        page = ask(cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.fixture
def engine() -> MemorySearch:
    engine = MemorySearch()
    engine.write(random_documents(60), [])
    return engine


def test_a_hit_says_what_a_client_shows(engine: MemorySearch) -> None:
    shown = document(
        "Zebra crossing", categories=("travel",), thumbhash="aGk=", license_types=("standard", "editorial")
    )
    engine.write([shown], [])
    page = service(engine).search(SearchQuery(q="zebra", mode=Mode.KEYWORD))
    (hit,) = page.results
    assert (hit.id, hit.title, hit.contributor.name) == (shown.image_id, "Zebra crossing", "Ada")
    assert hit.license_types == ["standard", "editorial"]
    assert hit.preview_url == f"https://api.test/v1/images/{shown.image_id}/preview"
    assert len(hit.renditions) == 6
    assert {r.url for r in hit.renditions} == {f"https://cdn.test/media/{r.key}" for r in shown.renditions}
    assert (page.mode, page.degraded, page.estimated_total, page.next_cursor) == ("keyword", [], 1, None)


class Refusing(MemorySearch):
    """Takes no words; everything else it answers."""

    def search_text(self, text: Any, filters: Filters, **details: Any) -> list[Hit]:
        if text:
            raise QueryRefused("no such question")
        return super().search_text(text, filters, **details)


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.KEYWORD])
def test_what_one_engine_refuses_another_answers_and_says_so(mode: Mode) -> None:
    engine = Refusing()
    engine.write(random_documents(9), [])
    search = service(engine)
    for _ in range(9):  # more than open a breaker
        page = search.search(SearchQuery(q="boat", mode=mode))
        assert (page.mode, [(each.part, each.reason) for each in page.degraded]) == (
            "semantic",
            [("keyword", "refused")],
        )
    assert search.search(SearchQuery()).degraded == []


def test_what_no_engine_takes_is_the_querys_fault_and_no_outage() -> None:
    engine = Refusing()
    engine.write(random_documents(9), [])
    search = service(engine)
    for _ in range(9):
        with pytest.raises(InvalidRequest, match="q: cannot be searched") as refused:
            search.search(SearchQuery(q="boat", sort=Sort.NEWEST))
        assert not isinstance(refused.value, InvalidCursor)
        assert refused.value.extensions["errors"][0]["field"] == "q"
    assert search.search(SearchQuery()).degraded == []


@given(limit=st.integers(1, 70), mode=st.sampled_from(Mode), text=st.sampled_from(["", "boat", "lake boat"]))
@settings(max_examples=25, deadline=None)
def test_a_walk_by_cursor_gives_every_hit_once_in_order(limit: int, mode: Mode, text: str) -> None:
    engine = MemorySearch()
    engine.write(random_documents(60), [])
    search = service(engine)
    pages = list(walk(lambda cursor: search.search(SearchQuery(q=text, mode=mode, limit=limit, cursor=cursor))))
    walked = [hit.id for page in pages for hit in page.results]
    assert len(set(walked)) == len(walked) == pages[0].estimated_total
    assert all(len(page.results) == limit for page in pages[:-1])
    numbered = [
        hit.id
        for number in range(1, len(pages) + 1)
        for hit in search.search(SearchQuery(q=text, mode=mode, limit=limit, page=number)).results
    ]
    assert numbered == walked
    assert len({page.search_id for page in pages}) == len(pages)


def test_a_walk_goes_on_after_the_last_hit_when_newer_ones_come_and_old_ones_go(engine: MemorySearch) -> None:
    search = service(engine)
    before = [hit.id for page in walk(lambda c: search.search(SearchQuery(limit=10, cursor=c))) for hit in page.results]
    first = search.search(SearchQuery(limit=10))
    newer = document("new", published_at=datetime(2027, 1, 1, tzinfo=UTC))
    engine.write([newer], [Removal(before[2], 9), Removal(before[15], 9)])
    second = search.search(SearchQuery(limit=10, cursor=first.next_cursor))
    assert [hit.id for hit in second.results] == [each for each in before[10:21] if each != before[15]]


def test_a_walk_goes_on_when_the_last_hit_itself_is_gone(engine: MemorySearch) -> None:
    search = service(engine)
    first = search.search(SearchQuery(limit=10))
    engine.write([], [Removal(first.results[-1].id, 9)])
    seen = {hit.id for hit in first.results}
    second = search.search(SearchQuery(limit=10, cursor=first.next_cursor))
    assert len(second.results) == 10
    assert not seen & {hit.id for hit in second.results}


def test_a_walk_goes_on_when_so_many_better_ones_come_that_its_place_leaves_the_window() -> None:
    class Ranked(MemorySearch):
        def search_text(self, *_: Any, limit: int, **__: Any) -> list[Hit]:
            return hits[:limit]

    engine = Ranked()
    made = [document(str(number)) for number in range(300)]
    engine.write(made, [])
    search = service(engine)
    hits = [Hit(each.image_id, 1.0) for each in made[:30]]
    query = {"q": "boat", "mode": Mode.KEYWORD, "limit": 10}
    first = search.search(SearchQuery(**query))
    hits = [*(Hit(each.image_id, 2.0) for each in made[30:]), *hits]
    second = search.search(SearchQuery(**query, cursor=first.next_cursor))
    assert [hit.id for hit in (*first.results, *second.results)] == [each.image_id for each in made[:20]]


def test_results_reach_only_so_far() -> None:
    class Endless(MemorySearch):
        def search_text(self, *_: Any, limit: int, **__: Any) -> list[Hit]:
            return hits[:limit]

    engine = Endless()
    made = [document(str(number)) for number in range(MAX_RESULTS + 50)]
    hits = [Hit(each.image_id, 0) for each in made]
    engine.write(made, [])
    search = service(engine)
    last = search.search(SearchQuery(limit=100, page=MAX_RESULTS // 100))
    assert len(last.results) == 100
    assert last.next_cursor is None
    assert last.estimated_total == MAX_RESULTS + 50


@pytest.mark.parametrize("mode", [Mode.SEMANTIC, Mode.HYBRID])
@pytest.mark.parametrize("number", [VECTOR_CANDIDATES, VECTOR_CANDIDATES + 1, VECTOR_CANDIDATES + 45])
def test_a_walk_by_meaning_goes_on_beyond_the_first_that_are_looked_at(mode: Mode, number: int) -> None:
    engine = MemorySearch()
    engine.write([document(f"{'boat' if place % 9 == 0 else 'tree'} {place}") for place in range(number)], [])
    search = service(engine)
    pages = list(walk(lambda c: search.search(SearchQuery(q="boat", mode=mode, limit=20, cursor=c))))
    assert all(page.results for page in pages)
    walked = [hit.id for page in pages for hit in page.results]
    assert len(walked) == len(set(walked)) == number
    assert [page.facets_estimated for page in pages[: VECTOR_CANDIDATES // 20]] == [number > VECTOR_CANDIDATES] * (
        VECTOR_CANDIDATES // 20
    )
    assert pages[0].estimated_total >= min(number, VECTOR_CANDIDATES)
    assert pages[-1].estimated_total == number
    whole = [
        hit.id
        for page in range(1, 5)
        for hit in search.search(SearchQuery(q="boat", mode=mode, limit=100, page=page)).results
    ]
    assert whole == walked


def test_what_quotes_leave_of_the_nearest_ends_with_a_page_that_is_not_empty() -> None:
    engine = MemorySearch()
    made = [document("old boat" if place % 4 == 0 else "boat", embedding=pointing(place % 90)) for place in range(1300)]
    engine.write(made, [])
    search = service(engine)
    pages = list(walk(lambda c: search.search(SearchQuery(q='"old boat"', mode=Mode.SEMANTIC, limit=50, cursor=c))))
    assert all(page.results for page in pages)
    assert {hit.title for page in pages for hit in page.results} == {"old boat"}
    assert pages[0].facets_estimated


def test_without_words_the_newest_come_whatever_the_mode(engine: MemorySearch) -> None:
    for mode in Mode:
        page = service(engine).search(SearchQuery(mode=mode, limit=5))
        assert page.mode == "browse"
        assert [hit.score for hit in page.results] == [0] * 5
        newest = sorted((d.published_at, d.image_id) for _, d in engine.held.values() if d and d.safe)[::-1]
        assert [hit.id for hit in page.results] == [each[1] for each in newest[:5]]


def test_other_orders_sort_what_the_words_match(engine: MemorySearch) -> None:
    page = service(engine).search(SearchQuery(q="boat", sort=Sort.NEWEST, limit=100))
    assert page.mode == "keyword"
    assert all("boat" in engine.held[hit.id][1].model_dump_json() for hit in page.results)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_random_order_stays_for_its_seed_while_pictures_come(engine: MemorySearch) -> None:
    search = service(engine)

    def walked(seed: int) -> list[Any]:
        pages = walk(lambda c: search.search(SearchQuery(sort=Sort.RANDOM, seed=seed, limit=7, cursor=c)))
        return [hit.id for page in pages for hit in page.results]

    first = walked(1)
    assert first == walked(1)
    assert set(first) == set(walked(2))
    assert first != walked(2) != sorted(walked(2))
    engine.write([document(f"new {number}") for number in range(5)], [])
    assert [each for each in walked(1) if each in set(first)] == first


def test_a_facet_counts_what_its_own_filter_hides_in_every_mode(engine: MemorySearch) -> None:
    search = service(engine)
    similar_to = next(d.image_id for _, d in engine.held.values() if d and not d.safe)
    for mode in Mode:
        for text in ("", "boat lake"):
            wide = search.search(SearchQuery(q=text, mode=mode, people=True)).facets
            narrow = search.search(SearchQuery(q=text, mode=mode, people=True, color=["red"], type=[ImageType.PHOTO]))
            for facet, own in (("color", {"type": ["photo"]}), ("type", {"color": ["red"]})):
                other = SearchQuery.model_validate({"q": text, "mode": mode, "people": True} | own)
                without = search.search(other).facets
                assert getattr(narrow.facets, facet) == getattr(without, facet), (mode, text, facet)
            assert wide.color != narrow.facets.color
            assert sum(each.count for each in narrow.facets.orientation) == narrow.estimated_total
            assert not narrow.facets_estimated
    narrow = search.similar(similar_to, SimilarQuery(color=["red"])).facets
    assert narrow.color == search.similar(similar_to, SimilarQuery()).facets.color
    assert narrow.type == search.similar(similar_to, SimilarQuery(color=["red"])).facets.type


def test_facets_of_more_than_was_looked_at_are_called_estimates() -> None:
    engine = MemorySearch()
    engine.write([document(f"boat {number}") for number in range(MAX_RESULTS + 5)], [])
    search = service(engine)
    assert search.search(SearchQuery(q="boat", mode=Mode.SEMANTIC, limit=1)).facets_estimated
    assert search.search(SearchQuery(q="boat", limit=1)).facets_estimated
    by_words = search.search(SearchQuery(q="boat", mode=Mode.KEYWORD, limit=1))
    assert (by_words.facets_estimated, by_words.estimated_total) == (False, MAX_RESULTS + 5)


def test_results_below_the_least_score_are_left_out_and_not_counted() -> None:
    engine = MemorySearch()
    made = [document(f"boat {angle}", embedding=pointing(angle)) for angle in (0, 20, 40, 60, 80)]
    engine.write(made, [])
    search = service(engine)
    page = search.search(SearchQuery(q="boat", mode=Mode.SEMANTIC, min_score=0.7, limit=2))
    assert (len(page.results), page.estimated_total) == (2, 3)
    assert page.facets.type[0].count == 3
    following = SearchQuery(q="boat", mode=Mode.SEMANTIC, min_score=0.7, limit=2, cursor=page.next_cursor)
    assert [hit.title for hit in search.search(following).results] == ["boat 40"]
    similar = search.similar(made[0].image_id, SimilarQuery(min_score=0.9))
    assert [hit.title for hit in similar.results] == ["boat 20"]
    assert search.search(SearchQuery(q="boat", mode=Mode.KEYWORD, min_score=5)).results == []


# --- what is close enough ------------------------------------------------------------------------


class Measured(Encoder):
    """Pictures count as close up to 40 degrees; words in another script are unknown."""

    def encode(self, text: str) -> EncodedQuery:
        unknown = tuple(word for word in text.split() if not word.isascii())
        vector = [] if len(unknown) == len(text.split()) else pointing(0)
        return EncodedQuery(vector, 0.766, unknown)


@pytest.fixture
def angles() -> MemorySearch:
    engine = MemorySearch()
    made = [document(f"boat {angle}", embedding=pointing(angle)) for angle in (0, 20, 35, 50, 70)]
    engine.write([*made, document("rowing by 猫", embedding=pointing(85))], [])
    return engine


def test_only_what_is_close_or_has_the_words_is_found_and_counted(angles: MemorySearch) -> None:
    search = service(angles, encoder=Measured)
    by_meaning = search.search(SearchQuery(q="zeppelin", mode=Mode.SEMANTIC))
    assert [hit.title for hit in by_meaning.results] == ["boat 0", "boat 20", "boat 35"]
    assert by_meaning.estimated_total == sum(each.count for each in by_meaning.facets.type) == 3
    both = search.search(SearchQuery(q="rowing"))
    assert {hit.title for hit in both.results} == {"boat 0", "boat 20", "boat 35", "rowing by 猫"}
    assert (both.mode, both.estimated_total, both.facets_estimated) == ("hybrid", 4, False)
    assert both.facets.orientation[0].count == 4
    narrow = search.search(SearchQuery(q="rowing", type=[ImageType.PHOTO]))
    assert narrow.facets.type[0].count == 4, "a facet in use counts the same"


def test_nothing_close_is_no_result() -> None:
    engine = MemorySearch()
    engine.write([document("boat", embedding=pointing(80))], [])
    for mode in (Mode.SEMANTIC, Mode.HYBRID):
        page = service(engine, encoder=Measured).search(SearchQuery(q="asdfghjkl", mode=mode))
        assert (page.results, page.estimated_total, page.next_cursor) == ([], 0, None)


def test_pages_are_full_while_enough_are_close() -> None:
    engine = MemorySearch()
    near = [document(f"near {place}", embedding=pointing(place / 50)) for place in range(VECTOR_CANDIDATES + 20)]
    engine.write([*near, *(document(f"far {place}", embedding=pointing(80)) for place in range(50))], [])
    search = service(engine, encoder=Measured)
    for mode in (Mode.SEMANTIC, Mode.HYBRID):
        pages = list(walk(lambda c, m=mode: search.search(SearchQuery(q="lake", mode=m, limit=50, cursor=c))))
        assert [len(page.results) for page in pages] == [50] * 6 + [20]
        assert pages[-1].estimated_total == VECTOR_CANDIDATES + 20
        assert pages[0].facets_estimated


def test_a_least_score_takes_the_place_of_the_models_own(angles: MemorySearch) -> None:
    search = service(angles, encoder=Measured)
    for least, number in ((0.9, 2), (0.5, 4), (0.0, 6)):
        page = search.search(SearchQuery(q="zeppelin", mode=Mode.SEMANTIC, min_score=least))
        assert page.estimated_total == number


@pytest.mark.parametrize("mode", [Mode.SEMANTIC, Mode.HYBRID])
def test_words_that_the_model_does_not_know_go_by_the_text(angles: MemorySearch, mode: Mode) -> None:
    search = service(angles, encoder=Measured)
    page = search.search(SearchQuery(q="猫", mode=mode))
    assert ([hit.title for hit in page.results], page.mode) == (["rowing by 猫"], "keyword")
    assert (page.keyword_only, page.degraded) == (["猫"], [])
    page = search.search(SearchQuery(q="rowing 猫", mode=mode))
    assert page.keyword_only == ["猫"]
    assert {hit.title for hit in page.results} <= {"rowing by 猫"}
    assert search.search(SearchQuery(q="แมว", mode=mode)).results == []


@pytest.mark.parametrize("signs", ["-", '"', "!!!", "\U0001f642", "- -"])
@pytest.mark.parametrize("mode", Mode)
def test_signs_alone_are_no_words(angles: MemorySearch, signs: str, mode: Mode) -> None:
    page = service(angles, encoder=Measured).search(SearchQuery(q=signs, mode=mode))
    assert (page.mode, page.estimated_total) == ("browse", 6)


@pytest.mark.parametrize("mode", Mode)
def test_an_images_id_finds_that_image(angles: MemorySearch, mode: Mode) -> None:
    wanted = next(iter(angles.listed()))
    search = service(angles, encoder=Measured)
    for asked in (str(wanted), f" {str(wanted).upper()} ", wanted.hex):
        page = search.search(SearchQuery(q=asked, mode=mode))
        assert [hit.id for hit in page.results] == [wanted]
        assert page.estimated_total == 1
    assert search.search(SearchQuery(q=str(wanted), mode=mode, people=True)).results == [], "filters hold"
    assert search.search(SearchQuery(q=str(new_id()), mode=mode)).results == []


# --- engines that fail ---------------------------------------------------------------------------


class Broken(MemorySearch):
    """An engine of which some questions fail."""

    def __init__(self, *broken: str) -> None:
        super().__init__()
        self.write(random_documents(60), [])
        for name in broken:
            setattr(self, name, self._fail)

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("out of order")


def no_encoder() -> Any:
    raise FileNotFoundError("no bundle")


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("broken", ["search_text", "nearest", "encoder"])
def test_one_engine_serves_for_the_other_and_says_so(mode: Mode, broken: str) -> None:
    engine = Broken(*({broken} - {"encoder"}))
    search = service(engine, **({"encoder": no_encoder} if broken == "encoder" else {}))
    page = search.search(SearchQuery(q="boat", mode=mode))
    serves: str = "semantic" if broken == "search_text" else "keyword"
    untouched = mode is not Mode.HYBRID and mode == serves
    assert page.results
    part = {"search_text": "keyword", "nearest": "vector", "encoder": "encoder"}[broken]
    assert page.mode == serves
    assert [(each.part, each.reason) for each in page.degraded] == ([] if untouched else [(part, "failed")])


def test_a_late_engine_is_not_waited_for(engine: MemorySearch) -> None:
    release = threading.Event()

    class Late(MemorySearch):
        def nearest(self, *_: Any, **__: Any) -> list[Hit]:
            release.wait(10)
            return []

    search = service(engine, vector=Late(), timeouts=Timeouts(engine_seconds=0.5, first_seconds=1.0))
    for _ in range(2):
        page = search.search(SearchQuery(q="boat"))
        assert (page.mode, [(each.part, each.reason) for each in page.degraded]) == ("keyword", [("vector", "late")])
    release.set()


def test_an_engine_may_take_its_time_to_start(engine: MemorySearch) -> None:
    def slow_to_load() -> Encoder:
        time.sleep(0.2)
        return Encoder()

    search = service(engine, encoder=slow_to_load, timeouts=Timeouts(engine_seconds=0.02))
    page = search.search(SearchQuery(q="boat"))
    assert (page.mode, page.degraded) == ("hybrid", [])


def test_without_facets_the_results_still_come(engine: MemorySearch) -> None:
    page = service(Broken("count_facets")).search(SearchQuery(q="boat", mode=Mode.KEYWORD))
    assert [each.part for each in page.degraded] == ["facets"]
    assert page.results
    assert page.facets.model_dump(exclude_defaults=True) == {}
    assert page.estimated_total >= len(page.results)


def test_when_nothing_serves_the_client_is_told_when_to_return() -> None:
    for query in [SearchQuery(q="boat"), SearchQuery(q="boat", mode=Mode.KEYWORD), SearchQuery()]:
        with pytest.raises(SearchUnavailable) as refused:
            service(Broken("search_text", "nearest"), timeouts=Timeouts(retry_delays=())).search(query)
        assert refused.value.status == 503
        assert int(refused.value.headers["Retry-After"]) > 0


# --- pictures like one ---------------------------------------------------------------------------


def test_similar_pictures_leave_out_the_picture_itself() -> None:
    engine = MemorySearch()
    made = [document(str(angle), embedding=pointing(angle)) for angle in (0, 20, 40, 60)]
    engine.write(made, [])
    search = service(engine)
    pages = list(walk(lambda c: search.similar(made[1].image_id, SimilarQuery(limit=2, cursor=c))))
    assert sorted(hit.title for hit in pages[0].results) == ["0", "40"]
    assert [hit.title for hit in pages[1].results] == ["60"]
    assert {page.mode for page in pages} == {"similar"}
    with pytest.raises(InvalidCursor):
        search.similar(made[0].image_id, SimilarQuery(limit=2, cursor=pages[0].next_cursor))


class Alike(Encoder):
    """Pictures within 60 degrees of each other are alike."""

    def encode(self, text: str) -> EncodedQuery:
        assert text == "", "nothing has to be encoded for it"
        return EncodedQuery([], alike_from=0.5)


def test_what_is_not_alike_is_no_similar_picture() -> None:
    engine = MemorySearch()
    made = [document(str(angle), colours=("red",), embedding=pointing(angle)) for angle in (0, 20, 40, 80, 120)]
    engine.write(made, [])
    search = service(engine, encoder=Alike)
    page = search.similar(made[0].image_id, SimilarQuery())
    assert [hit.title for hit in page.results] == ["20", "40"]
    assert (page.estimated_total, page.facets.color[0].count, page.next_cursor) == (2, 2, None)
    widened = search.similar(made[0].image_id, SimilarQuery(color=["red"]))
    assert widened.facets.color[0].count == 2, "also where a facet counts without its own filter"
    everything = search.similar(made[0].image_id, SimilarQuery(min_score=0))
    assert [hit.title for hit in everything.results] == ["20", "40", "80", "120"], "min_score takes its place"


def test_without_the_encoder_similar_pictures_say_that_they_have_no_floor() -> None:
    engine = MemorySearch()
    made = [document(str(angle), embedding=pointing(angle)) for angle in (0, 20, 120)]
    engine.write(made, [])

    def away() -> Encoder:
        raise DependencyUnavailable("away")

    page = service(engine, encoder=away).similar(made[0].image_id, SimilarQuery())
    assert [hit.title for hit in page.results] == ["20", "120"]
    (told,) = page.degraded
    assert (told.part, told.effect) == ("encoder", "Pictures that are merely nearer than others are among the results.")


def test_the_floor_of_another_model_is_not_taken() -> None:
    engine = MemorySearch()
    made = [document(str(angle), embedding=pointing(angle)) for angle in (0, 120)]
    engine.write(made, [])

    class Other(Alike):
        model_version = "another-1"

    assert len(service(engine, encoder=Other).similar(made[0].image_id, SimilarQuery()).results) == 1


def test_a_search_by_a_picture_finds_what_is_alike() -> None:
    engine = MemorySearch()
    engine.write([document(str(angle), embedding=pointing(angle)) for angle in (0, 20, 80)], [])
    search = service(engine)
    page = search.like_vector(pointing(0), MODEL, Filters(), limit=10, alike_from=0.5)
    assert [hit.title for hit in page.results] == ["0", "20"]
    assert len(search.like_vector(pointing(0), MODEL, Filters(), limit=10, alike_from=0.5, min_score=0).results) == 3


def test_a_search_by_vector_takes_a_least_score_and_is_told() -> None:
    engine = MemorySearch()
    engine.write([document(str(angle), embedding=pointing(angle)) for angle in (0, 20, 40)], [])
    told: list[SearchEvent] = []

    class Told:
        def publish(self, event: SearchEvent) -> None:
            told.append(event)

    search = service(engine, events=Told())
    page = search.like_vector(pointing(0), MODEL, Filters(people=None), limit=10, min_score=0.9)
    assert [hit.title for hit in page.results] == ["0", "20"]
    assert (page.estimated_total, page.next_cursor) == (2, None)
    (event,) = told
    assert (event.search_id, event.mode, event.images) == (
        page.search_id,
        "similar",
        tuple(hit.id for hit in page.results),
    )


@pytest.mark.parametrize(
    ("q", "all_words"),
    [
        ("boat", True),
        ("boat no vertical wave at everybody", False),
        ("boat not vertical come to me", False),
        ("boat without muslims", False),
        ("boat no jews", False),
        ("boat -immigrants", False),
        ("boat or immigrants", False),
        ("x ray boat", True),
        ("boat tv stand", True),
        ("5 boats", True),
    ],
)
def test_an_event_says_that_a_result_has_all_words_only_where_all_were_looked_for(q: str, all_words: bool) -> None:
    """Else anything may stand behind a "no" and be suggested to others."""
    engine = MemorySearch()
    engine.write([document("A boat with 5 red TV stands and an X-ray")], [])
    told: list[SearchEvent] = []

    class Told:
        def publish(self, event: SearchEvent) -> None:
            told.append(event)

    service(engine, events=Told()).search(SearchQuery(q=q, mode=Mode.KEYWORD))
    assert [event.all_words for event in told] == [all_words]


def test_similar_to_nothing_listed_is_not_found(engine: MemorySearch) -> None:
    gone = document()
    engine.write([gone], [])
    engine.write([], [Removal(gone.image_id, 9)])
    for image_id in (gone.image_id, new_id()):
        with pytest.raises(ImageNotFound):
            service(engine).similar(image_id, SimilarQuery())


@pytest.mark.parametrize("mode", [Mode.SEMANTIC, Mode.HYBRID])
def test_quotes_and_minus_hold_for_what_is_found_by_meaning(mode: Mode) -> None:
    engine = MemorySearch()
    titles = ["A red boat on a lake", "A boat on a lake", "A lake in fog"]
    engine.write([document(title=title, embedding=pointing(0)) for title in titles], [])
    asked: list[str] = []

    class Hearing(Encoder):
        def encode(self, text: str) -> EncodedQuery:
            asked.append(text)
            return super().encode(text)

    search = service(engine, encoder=Hearing)

    def found(q: str) -> set[str]:
        return {hit.title for hit in search.search(SearchQuery(q=q, mode=mode)).results}

    assert found("lake") == set(titles)
    assert found("lake -boat") == {"A lake in fog"}
    assert found('"red boat"') == {"A red boat on a lake"}
    assert asked[-2:] == ["lake", "red boat"]
    assert search.search(SearchQuery(q="-boat", mode=mode)).mode == "keyword"


def test_the_second_reader_gives_documents_back_while_the_first_is_away(engine: MemorySearch) -> None:
    def away(*_: Any) -> Any:
        raise DependencyUnavailable("away")

    class Away:
        documents = staticmethod(away)

    whole = service(engine).search(SearchQuery(q="boat"))
    page = service(engine, reader=Away(), second_reader=engine).search(SearchQuery(q="boat"))
    assert (page.results, page.degraded) == (whole.results, []), "nothing is missing from the page"
    nobody = service(engine, reader=Away(), second_reader=Away(), timeouts=Timeouts(retry_delays=()))
    with pytest.raises(SearchUnavailable):
        nobody.search(SearchQuery(q="boat"))


@pytest.mark.parametrize(
    ("keyword", "vector", "second"),
    [
        ("postgres", "postgres", None),
        ("opensearch", "postgres", "postgres"),
        ("postgres", "opensearch", "opensearch"),
        ("opensearch", "qdrant", None),
    ],
)
def test_the_second_reader_is_another_engine_that_keeps_documents(
    monkeypatch: pytest.MonkeyPatch, keyword: str, vector: str, second: str | None
) -> None:
    monkeypatch.setenv("MARKET_KEYWORD_ENGINE", keyword)
    monkeypatch.setenv("MARKET_VECTOR_ENGINE", vector)
    provide("search.postgres", "postgres")
    provide("search.opensearch", "opensearch")
    assert app().search.second_reader == second
