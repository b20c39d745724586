"""Which part of a ranking a request asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imagemarket.search.cursor import Position
from imagemarket.search.engines.ports import Hit
from imagemarket.search.request import MAX_RESULTS, VECTOR_CANDIDATES, Paging


@dataclass(frozen=True)
class PageSpan:
    """The page that a query asks for, at the position of its cursor where it has one."""

    query: Paging
    position: Position | None = None

    @property
    def passed(self) -> int:
        """Results before the page."""
        return self.position.passed if self.position is not None else ((self.query.page or 1) - 1) * self.query.limit

    @property
    def number(self) -> int:
        """Of the page, from 1."""
        return self.passed // self.query.limit + 1

    def begin(self, hits: Sequence[Hit]) -> int:
        """Where the page begins: after the last image given out, wherever that stands by now."""
        if self.position is not None:
            for place, hit in enumerate(hits):
                if hit.image_id == self.position.last:
                    return place + 1
        return self.passed

    def depth(self, *, exact: bool = False) -> int:
        """How many of the nearest by meaning the page needs. `exact`: what quotes and minus say may leave few of
        them."""
        near = self.passed + self.query.limit <= VECTOR_CANDIDATES and not exact
        return VECTOR_CANDIDATES if near else MAX_RESULTS


def above_min_score(hits: Sequence[Hit], query: Paging) -> list[Hit]:
    """The hits that score as much as the query asks for."""
    return [hit for hit in hits if not query.min_score or hit.score >= query.min_score]
