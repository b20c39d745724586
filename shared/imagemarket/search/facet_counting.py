"""Counts facets side by side with the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from imagemarket.platform.resilience import PendingCall
from imagemarket.search.engines.ports import Hit, KeywordEngine
from imagemarket.search.facets import FacetCounts
from imagemarket.search.paging import above_min_score
from imagemarket.search.ranking.retrieval import Candidates, Ranking
from imagemarket.search.request import MAX_RESULTS, VECTOR_CANDIDATES, Filters, Paging
from imagemarket.search.run import SearchRun

PendingCounts = Mapping[str, PendingCall[FacetCounts]]
"""What is being counted: by facet where its own filter is in use, and by "" whatever else there is."""


class FacetCounter:
    """Counts what a query finds, with the keyword engine."""

    def __init__(self, keyword: KeywordEngine) -> None:
        self._keyword = keyword

    def start_matches(self, run: SearchRun) -> PendingCounts:
        """Starts counting every match of the words."""
        parsed = run.parsed
        return {"": run.ask("facets", lambda: self._keyword.count_facets(parsed.terms, parsed.filters))}

    def start_ranking(self, run: SearchRun, ranking: Ranking, query: Paging) -> PendingCounts:
        """Starts counting the hits of a ranking."""
        hits = above_min_score(ranking.hits, query)
        return {"": run.ask("facets", partial(self._count, hits, has_more=ranking.has_more))}

    def start_without_own_filter(
        self, run: SearchRun, query: Paging, filters: Filters, find: Callable[[Filters], Candidates]
    ) -> PendingCounts:
        """Starts counting what each facet whose own filter is in use would find without it."""

        def count(facet: str, wider: Filters) -> FacetCounts:
            near = find(wider)
            return self._count(above_min_score(near.hits, query), facet, has_more=near.has_more)

        return {
            facet: run.ask("facets", partial(count, facet, wider))
            for facet, wider in filters.without_own_filter().items()
        }

    def _count(self, hits: Sequence[Hit], *facets: str, has_more: bool) -> FacetCounts:
        """Facets over a ranking; where there is more than was looked at they are estimates, over its beginning."""
        counted = hits[: VECTOR_CANDIDATES if has_more else MAX_RESULTS]
        counts = self._keyword.facets_of([hit.image_id for hit in counted], *facets)
        return replace(counts, estimated=counts.estimated or has_more or len(hits) >= MAX_RESULTS)


def collect(run: SearchRun, pending: PendingCounts) -> FacetCounts | None:
    """All that was counted, in one; None where any of it did not come."""
    answered: dict[str, FacetCounts | None] = {name: run.result(each) for name, each in pending.items()}
    total = answered.pop("")
    own = {name: counts for name, counts in answered.items() if counts is not None}
    if total is None or len(own) < len(answered):
        return None
    facets = total.facets.model_copy(update={name: getattr(each.facets, name) for name, each in own.items()})
    return FacetCounts(total.total, facets, estimated=any(each.estimated for each in (total, *own.values())))
