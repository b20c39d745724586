"""Searches keep finding what is meant: a floor under what `benchmarks.relevance` measures."""

from __future__ import annotations

from uuid import UUID

import pytest

from benchmarks.relevance import DEFAULT, READINGS, corpus, engine_with, judge, mean, scores
from benchmarks.samples import SAMPLES
from local.cloud import Cloud
from local.layout import Layout

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

FLOORS = {"caption": 0.72, "noun": 0.36, "misspelt noun": 0.30, "synonym": 0.20, "filtered": 0.75}
"""nDCG@10, a little below what was measured."""


def test_the_measures_are_what_their_papers_say() -> None:
    a, b, c = (UUID(int=number) for number in (1, 2, 3))
    first, second = judge([a, b, c], frozenset({a})), judge([b, a, c], frozenset({a, c}))
    assert (first.ndcg, first.recall, first.reciprocal) == (1, 1, 1)
    assert second.ndcg == pytest.approx((0.6309 + 0.5) / (1 + 0.6309), abs=1e-4)
    assert (second.recall, second.reciprocal) == (1, 0.5)
    assert judge([b] * 10 + [a], frozenset({a})).recall == 0


@pytest.mark.skipif(not (SAMPLES / "manifest.json").exists(), reason="the sample photos are not here")
def test_every_kind_of_query_stays_above_its_floor(engine_room: Layout) -> None:
    Cloud(engine_room).build_models()
    made = corpus()
    with engine_with(made.documents) as (engine, speller):
        found = scores(made, engine, speller, {"all": READINGS["all"]})["all", DEFAULT]
    measured = {
        kind: mean([judged for question, judged in zip(made.questions, found, strict=True) if question.kind == kind])
        for kind in FLOORS
    }
    below = {kind: round(value, 3) for kind, value in measured.items() if value < FLOORS[kind]}
    assert not below
