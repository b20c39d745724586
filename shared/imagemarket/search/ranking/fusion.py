"""Two rankings made one: by their ranks, or by their scores.

Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009. Convex combination of normalised scores: Bruch,
Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from operator import itemgetter
from typing import Literal
from uuid import UUID

from imagemarket.search.engines.ports import Hit

RRF_K = 60
"""The constant of the paper and of the specification: it keeps first places from deciding alone."""


@dataclass(frozen=True)
class Fusion:
    """How words and meaning are brought together. `semantic` is the share of the meaning, for `convex` alone."""

    # Measured: `python -m benchmarks.relevance`.
    method: Literal["rrf", "convex"] = "convex"
    semantic: float = 0.5

    @classmethod
    def named(cls, name: str) -> Fusion:
        """`rrf`, or `convex:0.7` with the share of the meaning. Raises ValueError for anything else."""
        method, colon, share = name.partition(":")
        if method == "rrf" and not colon:
            return cls("rrf")
        if method == "convex" and colon and 0 <= float(share) <= 1:
            return cls("convex", float(share))
        raise ValueError(f"{name!r} is neither `rrf` nor `convex:` and a number from 0 to 1")

    def __str__(self) -> str:
        return "rrf" if self.method == "rrf" else f"convex:{self.semantic:g}"

    def of(self, by_words: Sequence[Hit], by_meaning: Sequence[Hit]) -> list[Hit]:
        """One ranking of both, each hit once, best first."""
        if self.method == "rrf":
            return fuse([by_words, by_meaning])
        return combine(by_words, by_meaning, semantic=self.semantic)


def fuse(rankings: Sequence[Sequence[Hit]], *, k: int = RRF_K) -> list[Hit]:
    """One ranking of several: each hit scores the sum of 1 / (k + rank), ranks from 1.

    Equal scores stay in the order of the rankings.
    """
    scores: dict[UUID, float] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            scores[hit.image_id] = scores.get(hit.image_id, 0.0) + 1 / (k + rank)
    return _ordered(scores)


def combine(by_words: Sequence[Hit], by_meaning: Sequence[Hit], *, semantic: float) -> list[Hit]:
    """Each hit scores (1 - semantic) times its score by words plus semantic times that by meaning, both divided by
    the best of their list; a cosine below 0 counts 0, as does what a ranking has not. That the lower end is fixed
    (the paper's "theoretical" normalisation) and not the worst of the list keeps the order the same however many of
    the nearest are looked at. Equal scores stay in the order of the rankings."""
    scores: dict[UUID, float] = {}
    for ranking, share in ((by_words, 1 - semantic), (by_meaning, semantic)):
        best = max((score for _, score in ranking), default=0.0)
        for image_id, score in ranking:
            # Matches that score nothing are all the best; cosines below 0 are none.
            part = max(0.0, score / best) if best > 0 else float(score == best == 0)
            scores[image_id] = scores.get(image_id, 0.0) + share * part
    return _ordered(scores)


def _ordered(scores: dict[UUID, float]) -> list[Hit]:
    return list(starmap(Hit, sorted(scores.items(), key=itemgetter(1), reverse=True)))
