"""Reciprocal rank fusion."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.search.engines.ports import Hit
from imagemarket.search.ranking.fusion import RRF_K, Fusion, combine, fuse

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


def test_scores_are_normalised_and_weighed() -> None:
    a, b, c, d = (UUID(int=number) for number in (1, 2, 3, 4))
    near = [Hit(b, 0.8), Hit(a, 0.6), Hit(c, 0.2), Hit(d, -0.1)]
    fused = combine([Hit(a, 4.0), Hit(b, 1.0)], near, semantic=0.5)
    assert {hit.image_id: hit.score for hit in fused} == pytest.approx(
        {a: 0.5 * 1 + 0.5 * 0.75, b: 0.5 * 0.25 + 0.5 * 1, c: 0.5 * 0.25, d: 0.0}
    )
    assert [hit.image_id for hit in fused] == [a, b, c, d]
    opposite = [Hit(a, -0.1), Hit(c, -0.2), Hit(b, -0.3)]
    assert combine([], opposite, semantic=0.5) == [Hit(a, 0.0), Hit(c, 0.0), Hit(b, 0.0)]
    assert combine([Hit(d, 0.0)], opposite, semantic=0.5)[0] == Hit(d, 0.5)
    looked_at_less = combine([Hit(a, 4.0), Hit(b, 1.0)], near[:3], semantic=0.5)
    assert looked_at_less == fused[:3]


@given(RANKING, RANKING, st.floats(0, 1))
def test_a_combination_gives_every_hit_once_between_0_and_1(words: list[Hit], meaning: list[Hit], share: float) -> None:
    fused = combine(words, meaning, semantic=share)
    assert {hit.image_id for hit in fused} == {hit.image_id for ranking in (words, meaning) for hit in ranking}
    assert len({hit.image_id for hit in fused}) == len(fused)
    scores = [hit.score for hit in fused]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(("name", "fusion"), [("rrf", Fusion("rrf")), ("convex:0.7", Fusion("convex", 0.7))])
def test_a_fusion_has_a_name(name: str, fusion: Fusion) -> None:
    assert Fusion.named(name) == fusion
    assert str(fusion) == name


@pytest.mark.parametrize("name", ["", "rrf:1", "convex", "convex:2", "mean"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Fusion.named(name)
