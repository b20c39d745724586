"""What every search engine does alike: the contract of `imagemarket.search.ports`."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any, Protocol

import pytest

from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.search import postgres
from imagemarket.search.models import Filters, Removal, Sort
from imagemarket.search.ports import DocumentReader, KeywordEngine, VectorEngine
from imagemarket.search.postgres import PostgresSearch
from tests.unit.search.kit import (
    ADA,
    BOB,
    FIRST_DAY,
    MODEL,
    MemorySearch,
    document,
    passes,
    pointing,
    random_documents,
    random_unit,
)


class Engine(KeywordEngine, VectorEngine, DocumentReader, Protocol):
    """All the roles; here one thing plays them."""


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.engines)])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "memory":
        return MemorySearch()
    database: Database = request.getfixturevalue("database")
    return PostgresSearch(database)


def titles(engine: Engine, hits: Any) -> list[str]:
    return [each.title for each in engine.documents([hit.image_id for hit in hits])]


def matched(engine: Engine, text: str, sort: Sort = Sort.RELEVANCE, limit: int = 100, **filters: Any) -> list[str]:
    return titles(engine, engine.match(text, Filters(**filters), sort=sort, limit=limit))


# --- writing -------------------------------------------------------------------------------------


def test_a_document_comes_back_as_it_was_written_less_its_vector(engine: Engine) -> None:
    written = document("Sunset", tags=("sea",), categories=("nature",), colours=("red",), people=True, description="d")
    assert engine.write([written], []) == 1
    assert engine.documents([written.image_id]) == [written.model_copy(update={"embedding": None})]


def test_writing_twice_changes_nothing_to_see(engine: Engine) -> None:
    written = document("Sunset")
    engine.write([written], [])
    engine.write([written], [])
    assert matched(engine, "sunset") == ["Sunset"]
    assert engine.tally("", Filters()).total == 1


def test_a_newer_version_replaces_an_older_one_whatever_comes_last(engine: Engine) -> None:
    older, gone = document("Red barn", version=3), document("Gone", version=3)
    newer = older.model_copy(update={"version": 5, "title": "Blue boat", "embedding": pointing(90)})
    engine.write([newer], [])
    assert engine.write([older], []) == 0
    engine.write([], [Removal(gone.image_id, 4)])
    assert engine.write([gone], []) == 0
    assert matched(engine, "") == ["Blue boat"]
    assert matched(engine, "barn") == []
    assert engine.vector_of(gone.image_id) is None


def test_a_removal_is_final_until_something_newer(engine: Engine) -> None:
    listed = document("Sunset", version=2)
    engine.write([listed], [])
    assert engine.write([], [Removal(listed.image_id, 1)]) == 0
    assert matched(engine, "sunset") == ["Sunset"]
    assert engine.write([], [Removal(listed.image_id, 3)]) == 1
    assert matched(engine, "sunset") == []
    assert engine.nearest(pointing(0), MODEL, Filters(), limit=10) == []
    assert engine.documents([listed.image_id]) == []
    assert engine.tally_of([listed.image_id]).total == 0
    engine.write([listed.model_copy(update={"version": 4})], [])
    assert matched(engine, "sunset") == ["Sunset"]


def test_documents_keep_the_order_asked_for_and_skip_the_unknown(engine: Engine) -> None:
    made = [document(str(number)) for number in range(5)]
    engine.write(made, [])
    asked = [made[3].image_id, new_id(), made[0].image_id, made[4].image_id]
    assert [each.title for each in engine.documents(asked)] == ["3", "0", "4"]


# --- words ---------------------------------------------------------------------------------------


def test_words_are_found_wherever_they_stand_titles_first(engine: Engine) -> None:
    engine.write(
        [
            document("Old town", description="a lighthouse far away"),
            document("Lighthouse"),
            document("Coast", tags=("lighthouse", "sea")),
            document("Meadow", tags=("grass",)),
        ],
        [],
    )
    assert matched(engine, "lighthouse") == ["Lighthouse", "Coast", "Old town"]


@pytest.mark.parametrize(
    "asked", ["cafés", "cafe", "CAFÉ", "coffee", "terrace coffee", "food", "ada", "the café", "drinks"]
)
def test_accents_capitals_and_plurals_do_not_matter(engine: Engine, asked: str) -> None:
    engine.write([document("Café terrace", tags=("coffee",), categories=("food-drink",))], [])
    engine.write([document("Empty road", contributor_id=BOB, contributor_name="Bob")], [])
    assert matched(engine, asked) == ["Café terrace"]


def test_all_words_are_wanted_and_any_is_enough_when_nothing_has_them_all(engine: Engine) -> None:
    engine.write([document("Red boat"), document("Red car"), document("Green boat")], [])
    assert matched(engine, "red boat") == ["Red boat"]
    assert set(matched(engine, "red tower")) == {"Red boat", "Red car"}
    assert engine.tally("red tower", Filters()).total == 2
    assert matched(engine, "purple tower") == []
    assert engine.tally("purple tower", Filters()).total == 0


@pytest.mark.parametrize("asked", ["!!!", "\U0001f642", "' OR 1=1 --", "a:*b & | ( <->", '"', "-", "%s %(x)s {}"])
def test_signs_are_no_commands(engine: Engine, asked: str) -> None:
    engine.write([document("Red boat")], [])
    assert matched(engine, asked) == []
    assert engine.tally(asked, Filters()).total == 0


def test_orders(engine: Engine) -> None:
    engine.write(
        [
            document("boat one", published_at=FIRST_DAY + timedelta(days=1), popularity=5),
            document("boat two", published_at=FIRST_DAY + timedelta(days=3), popularity=1),
            document("boat three", published_at=FIRST_DAY + timedelta(days=2), popularity=1),
            document("car", published_at=FIRST_DAY + timedelta(days=9), popularity=9),
        ],
        [],
    )
    newest = ["boat two", "boat three", "boat one"]
    assert matched(engine, "boat", Sort.NEWEST) == newest
    assert matched(engine, "boat", Sort.OLDEST) == newest[::-1]
    assert matched(engine, "boat", Sort.POPULAR) == ["boat one", "boat two", "boat three"]
    assert matched(engine, "") == matched(engine, "", Sort.NEWEST) == ["car", *newest]
    assert matched(engine, "", Sort.POPULAR, limit=2) == ["car", "boat one"]


def test_a_random_order_is_one_for_each_seed_in_every_engine(engine: Engine) -> None:
    made = random_documents(80)
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    orders = []
    for seed in (0, 1, 2**32 - 1):
        for text in ("", "boat"):
            found = engine.match(text, Filters(), sort=Sort.RANDOM, limit=200, seed=seed)
            expected = memory.match(text, Filters(), sort=Sort.RANDOM, limit=200, seed=seed)
            assert [hit.image_id for hit in found] == [hit.image_id for hit in expected]
            few = engine.match(text, Filters(), sort=Sort.RANDOM, limit=5, seed=seed)
            assert [hit.image_id for hit in few] == [hit.image_id for hit in found[:5]]
        orders.append([hit.image_id for hit in engine.match("", Filters(), sort=Sort.RANDOM, limit=200, seed=seed)])
    assert len({tuple(order) for order in orders}) == 3


# --- filters -------------------------------------------------------------------------------------

FILTERS: list[dict[str, Any]] = [
    {"category": ["nature"]},
    {"category": ["travel", "transport"]},
    {"color": ["red", "green"]},
    {"license": ["editorial"]},
    {"orientation": ["portrait", "square"]},
    {"type": ["vector"]},
    {"contributor": BOB},
    {"people": True},
    {"people": False},
    {"safe": False},
    {"color": ["#c81e28"]},
    {"color": ["#3c6ed2", "orange"], "color_tolerance": 30},
    {"color": ["#c83c78"], "color_tolerance": 50, "safe": False},
    {"min_width": 3000},
    {"min_width": 4000, "min_height": 3000},
    {"min_aspect_ratio": 4 / 3},
    {"min_aspect_ratio": 0.9, "max_aspect_ratio": 4 / 3, "type": ["photo", "vector"]},
    {"date_from": date(2026, 2, 1)},
    {"date_to": date(2026, 1, 31)},
    {"date_from": date(2026, 2, 3), "date_to": date(2026, 2, 3)},
    {"date_from": date(1, 1, 1), "date_to": date(9999, 12, 31)},
    {"category": ["nature"], "color": ["blue"], "orientation": ["landscape"], "contributor": ADA},
]


# A facet in use by its own filter, alone and with others; words that nothing has together.
FACETED: list[tuple[str, dict[str, Any]]] = [
    ("boat", {"category": ["nature"], "people": False, "min_width": 900}),
    ("", {"orientation": ["square"], "license": ["editorial"], "type": ["photo"]}),
    ("", {"contributor": ADA, "date_from": date(2026, 2, 1), "color": ["#c81e28"]}),
    ("boat zeppelin", {"color": ["red"], "safe": False}),
    ("zeppelin", {"color": ["red"]}),
]


def test_every_filter_holds_in_every_question(engine: Engine) -> None:
    made = random_documents(150)
    engine.write(made, [])
    vector = random_unit(random.Random(7))
    for chosen in FILTERS:
        filters = Filters(**chosen)
        passing = {each.image_id for each in made if passes(each, filters)}
        assert 0 < len(passing) <= len(made), chosen
        assert {hit.image_id for hit in engine.match("", filters, sort=Sort.NEWEST, limit=200)} == passing, chosen
        boats = {each.image_id for each in made if each.image_id in passing and "boat" in f"{each.title} {each.tags}"}
        found = {hit.image_id for hit in engine.match("boat", filters, sort=Sort.RELEVANCE, limit=200)}
        assert found == boats, chosen
        assert {hit.image_id for hit in engine.nearest(vector, MODEL, filters, limit=200)} == passing, chosen
        assert engine.tally("", filters).total == len(passing), chosen


def test_facets_count_the_matches(engine: Engine) -> None:
    made = random_documents(60)
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    for text, chosen in [("", {}), ("boat", {}), ("lake", {"color": ["red"]}), ("", {"people": True}), *FACETED]:
        assert engine.tally(text, Filters(**chosen)) == memory.tally(text, Filters(**chosen))
    some = [each.image_id for each in made[:20]]
    tally = engine.tally_of(some)
    assert tally == memory.tally_of(some)
    assert tally.total == 20 == sum(count.count for count in tally.facets.orientation)
    assert {count.label for count in tally.facets.contributor} == {"Ada", "Bob"}
    assert engine.tally_of([]).total == 0


# --- vectors -------------------------------------------------------------------------------------


def test_the_nearest_come_first_with_their_cosine(engine: Engine) -> None:
    made = {angle: document(f"{angle}", embedding=pointing(angle)) for angle in (0, 30, 60, 90, 180)}
    engine.write(list(made.values()), [])
    hits = engine.nearest(pointing(10), MODEL, Filters(), limit=4)
    assert titles(engine, hits) == ["0", "30", "60", "90"]
    assert hits[0].score == pytest.approx(0.9848, abs=2e-3)
    without = engine.nearest(pointing(10), MODEL, Filters(), limit=2, exclude=made[0].image_id)
    assert titles(engine, without) == ["30", "60"]


def test_only_one_models_vectors_are_compared(engine: Engine) -> None:
    engine.write(
        [
            document("ours"),
            document("other", model_version="other"),
            document("none", model_version=None, embedding=None),
        ],
        [],
    )
    assert titles(engine, engine.nearest(pointing(0), MODEL, Filters(), limit=10)) == ["ours"]
    assert titles(engine, engine.nearest(pointing(0), "other", Filters(), limit=10)) == ["other"]
    assert sorted(matched(engine, "")) == ["none", "other", "ours"]


def test_an_images_vector_comes_back(engine: Engine) -> None:
    written, bare = document(embedding=pointing(33)), document(model_version=None, embedding=None)
    engine.write([written, bare], [])
    found = engine.vector_of(written.image_id)
    assert found is not None
    assert found[0] == MODEL
    assert found[1] == pytest.approx(list(pointing(33)), abs=1e-3)
    assert engine.vector_of(bare.image_id) is None
    assert engine.vector_of(new_id()) is None


def test_the_graph_gives_full_lists_that_pass_every_filter(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing counted as few, PostgreSQL walks its graph for every list."""
    monkeypatch.setattr(postgres, "EXACT_UP_TO", 0)
    made = random_documents(400, seed=3)
    engine.write(made, [])
    vector = random_unit(random.Random(8))
    memory = MemorySearch()
    memory.write(made, [])
    for chosen in [{}, *FILTERS]:
        filters = Filters(**chosen)
        passing = sum(passes(each, filters) for each in made)
        for limit in (10, 400):
            hits = engine.nearest(vector, MODEL, filters, limit=limit)
            assert len(hits) == min(limit, passing), chosen
            assert len({hit.image_id for hit in hits}) == len(hits)
            assert all(passes(each, filters) for each in engine.documents([hit.image_id for hit in hits]))
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        exact = {hit.image_id for hit in memory.nearest(vector, MODEL, filters, limit=10)}
        found = {hit.image_id for hit in engine.nearest(vector, MODEL, filters, limit=10)}
        assert len(exact & found) >= 0.8 * len(exact), chosen
