"""Serves a page from the cache, or has it computed; the last good one where no engine answers."""

from __future__ import annotations

from collections.abc import Callable

from imagemarket.platform.resilience import TimeBudget, retried
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.cursor import normalised
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.pages import Answer, PageCache, key_of
from imagemarket.search.paging import PageSpan
from imagemarket.search.run import Dependencies, SearchRun, Timeouts


class PageServer:
    """Answers requests, each with a `SearchRun` of its own."""

    def __init__(self, pages: PageCache | None, dependencies: Dependencies, timeouts: Timeouts) -> None:
        """Without `pages` each page is computed."""
        self._pages = pages
        self._dependencies = dependencies
        self._timeouts = timeouts

    def serve(
        self,
        kind: str,
        span: PageSpan,
        compute: Callable[[SearchRun], Answer],
        computing: Callable[[], None] | None = None,
    ) -> Answer:
        """The page of a request; `kind` tells apart what the query itself does not say. `computing` is called once
        before the page is computed, where it is not kept, and may refuse that.

        Raises what `computing` and `compute` raise; `SearchUnavailable` only where no page of before is left."""
        position = "" if span.position is None else f"{span.position.passed} {span.position.last}"
        key = key_of(kind, normalised(span.query, without={"cursor", "fields"}), position)
        run = self._dependencies.run()
        announced = computing is None

        def computed() -> Answer:
            nonlocal announced
            if not announced and computing is not None:
                announced = True
                computing()
            return compute(run)

        def attempt() -> Answer:
            run.restart()
            try:
                if self._pages is None:
                    return computed()
                return self._pages.answer(key, computed)
            except SearchUnavailable:
                kept = self._last_good(key, run)
                if kept is not None:
                    return kept
                if run.retryable:
                    raise _Retryable from None
                raise

        try:
            answer = retried(
                attempt,
                budget=TimeBudget(self._timeouts.retry_seconds),
                errors=(_Retryable,),
                delays=self._timeouts.retry_delays,
            )
        except _Retryable:
            raise run.unavailable() from None
        count("Searches")
        if answer.page.degraded:
            count("SearchesDegraded")
        return answer

    def _last_good(self, key: str, run: SearchRun) -> Answer | None:
        kept = self._pages.last_good(key) if self._pages is not None else None
        if kept is None:
            return None
        count("LastGoodPages")
        logger.warning("the last good page serves", seconds=round(kept.age))
        effect = f"The results are those of {round(kept.age)} seconds ago."
        return kept.answer.degraded_by([each.model_copy(update={"effect": effect}) for each in run.degraded()])


class _Retryable(Exception):
    """Nothing answered, and a second try may find otherwise."""
