"""Reciprocal rank fusion."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.search.fusion import RRF_K, fuse
from imagemarket.search.models import Hit

IDS = st.integers(1, 30).map(lambda number: UUID(int=number))
RANKING = st.lists(IDS, unique=True, max_size=20).map(lambda ids: [Hit(each, -place) for place, each in enumerate(ids)])


def test_the_formula() -> None:
    a, b, c = (UUID(int=number) for number in (1, 2, 3))
    fused = fuse([[Hit(a, 9.0), Hit(b, 8.0)], [Hit(c, 0.9), Hit(a, 0.8)]])
    assert [hit.image_id for hit in fused] == [a, c, b]
    assert [hit.score for hit in fused] == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])


@given(st.lists(RANKING, max_size=3))
def test_every_hit_once_best_first_and_whatever_the_order_of_the_engines(rankings: list[list[Hit]]) -> None:
    fused = fuse(rankings)
    assert len({hit.image_id for hit in fused}) == len(fused)
    assert {hit.image_id for hit in fused} == {hit.image_id for ranking in rankings for hit in ranking}
    scores = [hit.score for hit in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= len(rankings) / (RRF_K + 1) for score in scores)
    backwards = fuse(rankings[::-1])
    assert {hit.image_id: pytest.approx(hit.score) for hit in fused} == {h.image_id: h.score for h in backwards}


@given(RANKING)
def test_one_engine_alone_keeps_its_order(ranking: list[Hit]) -> None:
    assert [hit.image_id for hit in fuse([ranking])] == [hit.image_id for hit in ranking]
    assert [hit.image_id for hit in fuse([ranking, []])] == [hit.image_id for hit in ranking]


@given(RANKING, RANKING, st.data())
def test_coming_first_everywhere_is_coming_first(one: list[Hit], other: list[Hit], data: st.DataObject) -> None:
    best = data.draw(IDS)
    first = [[Hit(best, 1), *(hit for hit in ranking if hit.image_id != best)] for ranking in (one, other)]
    assert fuse(first)[0].image_id == best
