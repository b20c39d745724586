"""What moves a picture up, and by how much at most."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.search.engines.ports import Hit
from imagemarket.search.query.interpretation import BoostTerms
from imagemarket.search.ranking.boosts import CATEGORY, COLOUR, EXACT_TAG, FRESH, POPULAR, WINDOW, apply_boosts, boosts
from imagemarket.search.ranking.fusion import Fusion
from imagemarket.search.request import Mode, SearchQuery
from tests.unit.search.kit import FIRST_DAY, MemorySearch, document, random_documents
from tests.unit.search.test_service import service

WANTED = BoostTerms(frozenset({"blue"}), frozenset({"nature"}), frozenset({"blue", "ocean"}))
MOST = POPULAR + FRESH + EXACT_TAG + COLOUR + CATEGORY


def test_boosts_have_names_and_add_up_to_less_than_a_half() -> None:
    best = document(tags=("Ocean", "blue"), colours=("blue",), categories=("nature",), popularity=1e9)
    assert boosts(best, WANTED, FIRST_DAY) == pytest.approx(
        {"popularity": POPULAR, "freshness": FRESH, "exact_tag": EXACT_TAG, "color": COLOUR, "category": CATEGORY}
    )
    assert MOST < 0.5
    month = boosts(document(tags=("ocean",)), WANTED, FIRST_DAY + timedelta(days=30))
    assert month == pytest.approx({"freshness": FRESH / 2, "exact_tag": EXACT_TAG / 2})
    grey = BoostTerms(words=frozenset({"grey"}))
    assert boosts(document(tags=("Gray",)), grey, FIRST_DAY)["exact_tag"] == EXACT_TAG, "another spelling of the word"


@given(st.floats(0, 1e12), st.integers(0, 5000), st.lists(st.sampled_from(["ocean", "blue", "sky"]), unique=True))
def test_boosts_are_bounded_whatever_the_image(popularity: float, days: int, tags: list[str]) -> None:
    found = boosts(document(popularity=popularity, tags=tuple(tags)), WANTED, FIRST_DAY + timedelta(days=days))
    assert all(boost > 0 for boost in found.values())
    assert sum(found.values()) <= MOST + 1e-9


@given(st.lists(st.floats(-1, 1), max_size=WINDOW + 30), st.data())
def test_boosting_loses_nothing_and_never_passes_a_much_better_match(scores: list[float], data: Any) -> None:
    hits = [Hit(UUID(int=place), score) for place, score in enumerate(sorted(scores, reverse=True), 1)]
    boosted = {hit.image_id: {"color": data.draw(st.floats(0, MOST))} for hit in hits}
    after = apply_boosts(hits, boosted)
    assert {hit.image_id for hit in after} == {hit.image_id for hit in hits}
    assert [hit.image_id for hit in after[WINDOW:]] == [hit.image_id for hit in hits[WINDOW:]]
    before = {hit.image_id: hit.score for hit in hits}
    for upper, lower in itertools.pairwise(after[:WINDOW]):
        assert before[upper.image_id] * (1 + MOST) >= before[lower.image_id] or before[upper.image_id] < 0


def test_a_colour_in_the_words_boosts_images_of_that_colour() -> None:
    engine = MemorySearch()
    plain = document("Blue boat", colours=("red",))
    blue = document("Blue boat", colours=("blue",))
    engine.write([plain, blue, *(document(f"Blue boat {n}") for n in range(5))], [])
    page = service(engine).search(SearchQuery(q="blue boat", mode=Mode.KEYWORD))
    assert page.results[0].id == blue.image_id
    assert page.interpreted[0].value == "blue"
    unread = service(engine).search(SearchQuery(q="blue boat", mode=Mode.KEYWORD, verbatim=True))
    assert unread.interpreted == []


def test_an_explanation_accounts_for_every_score() -> None:
    engine = MemorySearch()
    engine.write(random_documents(80), [])
    explained = service(engine, fusion=Fusion("rrf")).explain(SearchQuery(q="red boat", limit=30))
    assert explained.fusion == "rrf"
    assert [each.id for each in explained.explanations] == [hit.id for hit in explained.page.results]
    for each, hit in zip(explained.explanations, explained.page.results, strict=True):
        assert each.score == hit.score == pytest.approx(each.fused * (1 + sum(each.boosts.values())), abs=1e-5)
        by_rank = sum(1 / (60 + place.rank) for place in (each.keyword, each.vector) if place is not None)
        assert each.fused == pytest.approx(by_rank)
