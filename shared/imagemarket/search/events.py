"""What was searched, shown and looked at, for those who improve the search: without anybody's name.

An event knows neither account nor address, and a query that looks like somebody's contact is not in it. Events
wait in a capped stream in Valkey and are gathered into the table `search_events` each minute; one that the
stream cannot take is lost, and a metric says so: no buyer waits for it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ratelimits import network_of
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.popularity import EPOCH, count_looks
from imagemarket.search.query.confidential import confidential
from imagemarket.search.repository import events as repository
from imagemarket.search.request import Paging
from imagemarket.search.result import SearchPage
from imagemarket.search.suggestions import SuggestionTable, phrase_of

MOST_WAITING = 100_000
_STREAM = "{search}:events"
_BATCH = 500
_VOTES = {"bits": 24, "bits_of_six": 48}
"""Bits of the networks that are told apart: one customer of a provider may have so many addresses to himself. Rate
limits are finer, since there a neighbour would pay for a stranger's requests."""
_NOT_KEPT = {"kind", "search_id", "at", "visitor", "all_words"}


class SearchEvent(BaseModel):
    """One answer, or one look at a picture that an answer showed."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["searched", "viewed"]
    search_id: UUID | None
    """Ties a look to its search; None for a look that no search led to."""
    at: datetime
    words: str = ""
    """As `phrase_of` writes them; empty where they could be somebody's contact or secret."""
    mode: str = ""
    filters: dict[str, list[str]] = {}
    first: int = 0
    """How many results came before these."""
    total: int = 0
    images: tuple[UUID, ...] = ()
    """The pictures shown, in their order, or the one looked at."""
    degraded: tuple[str, ...] = ()
    all_words: bool = False
    """Whether a picture on the page has all the words."""
    visitor: str = ""
    """Tells the day's networks apart (`Visitors`) while the event waits; not kept with it."""


class Visitors:
    """Names for networks that last a day: whoever reads one learns neither the network nor what it did yesterday."""

    def __init__(self, key: Callable[[], str], clock: Clock) -> None:
        """`key` gives a secret, at first use."""
        self._secret = key
        self._clock = clock

    def name(self, address: str) -> str:
        """Of the network that an address belongs to: an IPv4 /24, an IPv6 /48."""
        network = network_of(address, **_VOTES) or "this machine"
        day = self._clock.now().date().isoformat()
        return hmac.digest(self._secret().encode(), f"visitor\0{day}\0{network}".encode(), "sha256").hex()[:16]


class EventStream(Protocol):
    """Where events go."""

    def publish(self, event: SearchEvent) -> None:
        """Never raises: an event is no reason for a buyer to wait or fail."""
        ...


def impersonal(words: str) -> str:
    """The words as an event may carry them; none of them where any could be somebody's contact or secret, in whichever
    letters."""
    return "" if confidential(words) else phrase_of(words)


class ValkeyStream:
    """The stream that events wait in."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def publish(self, event: SearchEvent) -> None:
        """See `EventStream.publish`. One round trip."""
        try:
            self._cache.append(_STREAM, event.model_dump_json(exclude_defaults=True), most=MOST_WAITING)
        except DependencyUnavailable:
            count("SearchEventsLost")


class SearchActivity:
    """Publishes what is searched and looked at."""

    def __init__(self, events: EventStream | None, visitors: Visitors | None, clock: Clock) -> None:
        """Without `events` nothing is published, and without `visitors` nothing says who it was."""
        self._events = events
        self._visitors = visitors
        self._clock = clock

    def searched(
        self, page: SearchPage, query: Paging, first: int, *, all_words: bool = False, address: str = ""
    ) -> None:
        """Somebody at `address` was given a page, of which `first` results came before; `all_words` as in
        `SearchEvent`."""
        if self._events is None:
            return
        filters = query.filters().model_dump(mode="json", exclude_defaults=True)
        event = SearchEvent(
            kind="searched",
            search_id=page.search_id,
            at=self._clock.now(),
            words=impersonal(getattr(query, "q", "")),
            mode=page.mode,
            filters={name: [str(v) for v in (f if isinstance(f, list) else [f])] for name, f in filters.items()},
            first=first,
            total=page.estimated_total,
            images=tuple(hit.id for hit in page.results),
            degraded=tuple(each.part for each in page.degraded),
            all_words=all_words,
            visitor=self._visitor(address),
        )
        self._events.publish(event)

    def viewed(self, image_id: UUID, search_id: UUID | None, *, address: str = "") -> None:
        """Somebody at `address` looks at an approved image, which an answer may have shown them."""
        if self._events is not None:
            event = SearchEvent(
                kind="viewed",
                search_id=search_id,
                at=self._clock.now(),
                images=(image_id,),
                visitor=self._visitor(address),
            )
            self._events.publish(event)

    def _visitor(self, address: str) -> str:
        return self._visitors.name(address) if self._visitors is not None and address else ""


class SearchEventCollector:
    """Takes what waits into the table, once each, counts looks, and tells the suggestions what many search."""

    def __init__(self, cache: Cache, database: Database, suggestions: SuggestionTable) -> None:
        self._cache = cache
        self._database = database
        self._suggestions = suggestions

    def drain(self) -> int:
        """How many events were new. Safe to repeat, and side by side: an event's place in the stream is its key."""
        total = 0
        while True:
            try:
                waiting = self._cache.waiting(_STREAM, most=_BATCH)
            except DependencyUnavailable:
                logger.warning("search events wait: the cache is not answering")
                return total
            if not waiting:
                return total
            events = [(place, SearchEvent.model_validate_json(raw)) for place, raw in waiting]
            new = self._insert(events)
            fresh = [event for place, event in events if place in new]
            self._suggestions.searched(
                {
                    (event.words, event.at.date(), event.visitor)
                    for event in fresh
                    if event.kind == "searched"
                    and event.words
                    and event.visitor
                    and event.all_words
                    and not event.first
                }
            )
            total += len(new)
            try:
                self._cache.remove(_STREAM, [place for place, _ in waiting])
            except DependencyUnavailable:
                return total  # they come again, and are known

    def _insert(self, events: Sequence[tuple[str, SearchEvent]]) -> set[str]:
        with self._database.transaction() as connection:
            looked = [event for _, event in events if event.kind == "viewed" and event.visitor]
            count_looks(
                connection,
                [(image_id, event.at.date(), event.visitor) for event in looked for image_id in event.images],
                max((event.at for event in looked), default=EPOCH),
            )
            return repository.add(
                connection,
                [
                    (
                        place,
                        event.kind,
                        event.search_id,
                        event.at,
                        event.model_dump(mode="json", exclude=_NOT_KEPT),
                    )
                    for place, event in events
                ],
            )
