"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from imagemarket.search.models import Hit

RRF_K = 60
"""The constant of the paper and of the specification: it keeps first places from deciding alone."""


def fuse(rankings: Sequence[Sequence[Hit]], *, k: int = RRF_K) -> list[Hit]:
    """One ranking of several: each hit scores the sum of 1 / (k + rank), ranks from 1.

    Equal scores are ordered by id, newest first, so that the same input gives the same order.
    """
    scores: dict[UUID, float] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            scores[hit.image_id] = scores.get(hit.image_id, 0.0) + 1 / (k + rank)
    ordered = sorted(scores.items(), key=lambda entry: (entry[1], entry[0].int), reverse=True)
    return [Hit(image_id, score) for image_id, score in ordered]
