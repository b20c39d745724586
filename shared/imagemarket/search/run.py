"""One request: the time it has left, the parts that did not answer, and its query once parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.platform.errors import InvalidRequest, MarketError
from imagemarket.platform.resilience import (
    BREAKER_OPEN_SECONDS,
    RETRY_DELAYS,
    Breaker,
    Dependency,
    DependencyError,
    PendingCall,
    TimeBudget,
)
from imagemarket.search.engines.ports import EncodedQuery, KeywordEngine, QueryRefused, VectorEngine
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.query.parser import ParsedQuery
from imagemarket.search.result import Degradation, Part

NO_IMAGE = UUID(int=0)
"""An id that no image has."""

_EFFECTS: Mapping[str, str] = {
    "keyword": "The words themselves were not matched.",
    "vector": "Pictures were not compared by meaning.",
    "encoder": "Pictures were not compared by meaning.",
    "documents": "Results could not be read.",
    "facets": "Facets are missing.",
}
_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Timeouts:
    """How long a search waits, and for what."""

    engine_seconds: float = 1.5
    """For one engine."""
    first_seconds: float = 10.0
    """For its first answer in a process, while it connects and loads its model."""
    request_seconds: float = 10.0
    """For everything that one request asks (specification 8.1)."""
    retry_seconds: float = 3.0
    """For trying again when nothing else can serve."""
    retry_delays: Sequence[float] = RETRY_DELAYS
    open_seconds: float = BREAKER_OPEN_SECONDS
    """How long an engine is left alone when it kept failing."""


class Dependencies:
    """What a process searches with: each part in a pool of its own, behind a breaker and within its time. Every request
    shares them."""

    def __init__(self, keyword: KeywordEngine, vector: VectorEngine, timeouts: Timeouts) -> None:
        self._request_seconds = timeouts.request_seconds
        # What any engine answers at once, however much it holds.
        probes: dict[Part, Callable[[], object]] = {
            "keyword": lambda: keyword.facets_of([NO_IMAGE], "type"),
            "facets": lambda: keyword.facets_of([NO_IMAGE], "type"),
            "vector": lambda: vector.vector_of(NO_IMAGE),
        }
        self._parts: dict[Part, Dependency] = {
            part: Dependency(
                part,
                seconds=timeouts.engine_seconds,
                first_seconds=timeouts.first_seconds,
                breaker=Breaker(open_seconds=timeouts.open_seconds),
                passthrough_errors=(ImageNotFound,),
                refusals=(QueryRefused,),
                probe=probes.get(part),
            )
            for part in ("keyword", "vector", "encoder", "documents", "facets")
        }

    def ask(self, part: Part, work: Callable[[], Any]) -> PendingCall[Any]:
        """Begins `work` in the part's pool; never waits and never raises."""
        return self._parts[part].ask(work)

    def run(self) -> SearchRun:
        """A new request."""
        return SearchRun(self, TimeBudget(self._request_seconds))


class SearchRun:
    """What happens to one request. Its tries share the time it has."""

    def __init__(self, dependencies: Dependencies, budget: TimeBudget) -> None:
        self._dependencies = dependencies
        self._budget = budget
        self.restart()

    def restart(self) -> None:
        """Forgets a try that failed. Its query is parsed anew, as spelling depends on what engines answered."""
        self._parsed: ParsedQuery | None = None
        self.has_words = False
        """Whether words were asked for, which an engine may refuse."""
        self.encoded: tuple[EncodedQuery, str] | None = None
        """What the words mean and to which model, once they were encoded."""
        self.unknown_words: tuple[str, ...] = ()
        """The words that the model knows nothing of."""
        self._failures: dict[Part, DependencyError] = {}
        self._effects: dict[Part, str] = {}

    @property
    def parsed(self) -> ParsedQuery:
        """The query of this request."""
        if self._parsed is None:
            raise RuntimeError("this request has no query yet, or is one without words")
        return self._parsed

    @parsed.setter
    def parsed(self, parsed: ParsedQuery) -> None:
        self._parsed = parsed

    def ask(self, part: Part, work: Callable[[], Any]) -> PendingCall[Any]:
        """Begins `work` in the part's pool; `result` waits for it."""
        return self._dependencies.ask(part, work)

    def result(self, pending: PendingCall[Any]) -> Any | None:
        """What a part answers; None, and a note of it, where it does not."""
        try:
            return pending.result(self._budget)
        except DependencyError as error:
            self._failures[error.dependency] = error  # pyright: ignore[reportArgumentType] - named by its part
            return None

    def call(self, part: Part, work: Callable[[], Any]) -> Any | None:
        """`ask` and `result` in one."""
        return self.result(self.ask(part, work))

    def require(self, part: Part, work: Callable[[], Any]) -> Any:
        """What a part answers, where nothing else can stand in for it. Raises `unavailable`."""
        found = self.call(part, work)
        if found is None:
            raise self.unavailable()
        return found

    def recovered(self, part: Part) -> None:
        """Another part answered in its place, so that nothing is missing."""
        self._failures.pop(part, None)

    def lacks(self, part: Part, effect: str) -> None:
        """What the answer lacks without a part, where that is not what it always is."""
        self._effects[part] = effect

    def degraded(self) -> list[Degradation]:
        """The parts that did not answer."""
        return [
            Degradation(part=part, reason=error.reason, effect=self._effects.get(part, _EFFECTS[part]))
            for part, error in self._failures.items()
        ]

    @property
    def retryable(self) -> bool:
        """Whether asking again soon can help: not where a part is left alone, or has too much to do."""
        return any(error.reason == "failed" for error in self._failures.values())

    def unavailable(self) -> MarketError:
        """503, with the time at which the first of the parts is asked again; 422 where all there is are refusals of the
        words, which asking again does not change."""
        failures = self._failures.values()
        if self.has_words and all(error.reason == "refused" for error in failures):
            detail = "cannot be searched as it stands; use fewer or simpler words"
            return InvalidRequest(f"q: {detail}.", errors=[{"in": "query", "field": "q", "detail": detail}])
        waits = [error.retry_after for error in failures]
        seconds = max(_RETRY_AFTER_SECONDS, int(min(waits, default=0.0)) + 1 if any(waits) else 0)
        return SearchUnavailable(
            f"Search is not answering; try again in {seconds} seconds.", headers={"Retry-After": str(seconds)}
        )
