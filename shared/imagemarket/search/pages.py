"""Pages of results in Valkey: fresh for a minute, computed by one, gone with a picture that is taken down.

What strangers search once is kept for two minutes, and what is asked again for a day, so that nobody fills the cache
with pages that nobody else asks for.

An entry is valid while the catalogue's generation is the one that was read before it was computed, and a
take-down begins a new generation: a page that was being computed meanwhile is born invalid. The same entry
stays on as the last good page, for when no engine answers; then each of its pictures is looked up among
those taken down.

The generation and the marks of what was taken down are with the counters, which evict nothing: pages may be lost and
marks may not. Where they were lost all the same, a new epoch begins, and no page of an older one serves.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import Clock
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ids import new_id
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.cursor import Position
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.result import Degradation, SearchPage

FRESH_SECONDS = 60
STALE_SECONDS = 120
"""How old a page may be that is served while another request computes the new one."""
LAST_GOOD_SECONDS = 24 * 60 * 60
"""How long a page that was asked for more than once is kept for when no engine answers."""

BRIEF_SECONDS = 5
"""How long an answer that lacks an engine serves others: an engine that has too much to do is not asked for it
again by each of them."""

_MARK_SECONDS = LAST_GOOD_SECONDS + 60 * 60
"""Longer than any page that was being computed when its picture was taken down."""

_CLAIM_MS = 5000
_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.01

# One hash slot, so that what belongs together comes in one round trip from a cluster as well.
_GENERATION = "{search}:generation"
_EPOCH = "{search}:epoch"


def _page_key(key: str) -> str:
    return f"{{search}}:page:{key}"


def _brief_key(key: str) -> str:
    """Apart from the page's own, so that a degraded answer never takes the place of the last good one."""
    return f"{{search}}:brief:{key}"


def _asked_key(key: str) -> str:
    """That a page was asked for: a few bytes for what may never be asked again."""
    return f"{{search}}:asked:{key}"


def _claim_key(key: str) -> str:
    return f"{{search}}:claim:{key}"


def _gone_key(image_id: UUID) -> str:
    return f"{{search}}:gone:{image_id}"


def key_of(*parts: str) -> str:
    """A key that says nothing of what was asked."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


class Answer(BaseModel):
    """A page as it is kept: without what belongs to one request, its `search_id` and its cursor."""

    page: SearchPage
    passed: int | None = None
    last: UUID | None = None
    """Where the next page begins (`Position`); None on the last one."""
    all_words: bool = False
    """Whether one of its pictures has all the words of the query."""
    boosts: dict[UUID, dict[str, float]] = Field(default={}, exclude=True)
    """What moved its pictures up, for whoever asks why; not kept."""

    @property
    def following(self) -> Position | None:
        return None if self.passed is None or self.last is None else Position(self.passed, self.last)

    def degraded_by(self, told: Sequence[Degradation]) -> Answer:
        """The same answer, which says what else did not answer."""
        page = self.page.model_copy(update={"degraded": [*self.page.degraded, *told]})
        return self.model_copy(update={"page": page})


_CACHE_AWAY = Degradation(part="cache", reason="failed", effect="None, but that it took longer.")


class _Moment(NamedTuple):
    """What pages are compared with: since when no mark was lost, and how many take-downs there were since."""

    epoch: str
    generation: int


class _Entry(BaseModel):
    epoch: str = ""
    generation: int
    made_at: float
    answer: Answer
    again: bool = False
    """Whether it was asked for more than once, and is kept as the last good one."""


def _entry_of(raw: bytes) -> _Entry | None:
    """What was kept; None where another release kept it in another form."""
    try:
        return _Entry.model_validate_json(raw)
    except ValidationError:
        return None


@dataclass(frozen=True)
class Kept:
    """An answer from the cache and its age in seconds."""

    answer: Answer
    age: float


class PageCache:
    """Answers by key."""

    def __init__(self, cache: Cache, counters: Cache, clock: Clock, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        """`cache` keeps pages and may evict them; `counters` know what was taken down and evict nothing."""
        self._cache = cache
        self._counters = counters
        self._clock = clock
        self._fresh = fresh_seconds
        self._brief = min(BRIEF_SECONDS, fresh_seconds)

    def answer(self, key: str, compute: Callable[[], Answer]) -> Answer:
        """The fresh answer of a key, or what `compute` gives.

        Of those who ask at once for what is not there one computes; the others take a page that is no
        older than two minutes, or wait for the new one. A degraded answer is kept for seconds. Where the
        cache does not answer, everything is computed and says so.
        """
        try:
            moment, entry, again = self._read(key)
            if entry is not None and self._is_fresh(entry):
                count("PagesFromCache")
                self._keep_longer(key, entry)
                return entry.answer
            holder = str(new_id())
            mine = self._cache.claim(_claim_key(key), holder, milliseconds=_CLAIM_MS)
            if not mine:
                if entry is not None and self._age(entry) < STALE_SECONDS:
                    count("PagesFromCacheStale")
                    return entry.answer
                waited = self._wait(key)
                if waited is not None:
                    count("PagesFromCache")
                    return waited
        except DependencyUnavailable:
            _say_unavailable()
            return compute().degraded_by([_CACHE_AWAY])
        try:
            answer = compute()
            if self._keep(key, moment, answer, again=again):
                return answer
            return answer.degraded_by([_CACHE_AWAY])
        finally:
            if mine:
                self._release(key, holder)

    def last_good(self, key: str) -> Kept | None:
        """The last answer kept under a key, less what was taken down since; None without one, or where it is not known
        what was."""
        try:
            (raw,) = self._cache.get(_page_key(key))
            if raw is None:
                return None
            entry = _entry_of(raw)
            if entry is None:
                return None
            page = entry.answer.page
            epoch, *gone = self._counters.get(_EPOCH, *(_gone_key(hit.id) for hit in page.results))
        except DependencyUnavailable:
            _say_unavailable()
            return None
        if epoch is None or epoch.decode() != entry.epoch:
            return None
        results = [hit for hit, mark in zip(page.results, gone, strict=True) if mark is None]
        answer = entry.answer.model_copy(update={"page": page.model_copy(update={"results": results})})
        return Kept(answer, self._age(entry))

    def _moment(self) -> _Moment:
        epoch, generation = self._counters.get(_EPOCH, _GENERATION)
        if epoch is None:
            self._counters.add(_EPOCH, str(new_id()))
            epoch, generation = self._counters.get(_EPOCH, _GENERATION)
        return _Moment((epoch or b"").decode(), int(generation or 0))

    def _read(self, key: str) -> tuple[_Moment, _Entry | None, bool]:
        """The catalogue's generation, the entry where it belongs to it (the page, or while there is no fresh one what
        is kept briefly), and whether the page was asked for within the last day."""
        current = self._moment()
        *kept, asked = self._cache.get(_page_key(key), _brief_key(key), _asked_key(key))
        entries = [None if raw is None else _entry_of(raw) for raw in kept]
        page, brief = (entry if entry and (entry.epoch, entry.generation) == current else None for entry in entries)
        if brief is not None and self._age(brief) < self._brief and not self._is_fresh(page):
            return current, brief, asked is not None
        return current, page, asked is not None

    def _is_fresh(self, entry: _Entry | None) -> bool:
        return entry is not None and self._age(entry) < self._fresh

    def _wait(self, key: str) -> Answer | None:
        """What the one who computes leaves, in good time; else None."""
        until = time.monotonic() + _WAIT_SECONDS
        computing = True
        while computing and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            # Asked before the page is read, which is kept before the claim ends: no claim and no page then means
            # that the other ended without one.
            (claim,) = self._cache.get(_claim_key(key))
            computing = claim is not None
            _, entry, _ = self._read(key)
            if entry is not None and self._is_fresh(entry):
                return entry.answer
        return None

    def _keep_longer(self, key: str, entry: _Entry) -> None:
        """A page that is asked for a second time becomes a last good one."""
        if entry.again or entry.answer.page.degraded:
            return
        try:
            kept = entry.model_copy(update={"again": True}).model_dump_json()
            self._cache.put(_page_key(key), kept, seconds=LAST_GOOD_SECONDS)
        except DependencyUnavailable:
            _say_unavailable()

    def _keep(self, key: str, moment: _Moment, answer: Answer, *, again: bool) -> bool:
        made_at = self._clock.now().timestamp()
        entry = _Entry(epoch=moment.epoch, generation=moment.generation, made_at=made_at, answer=answer, again=again)
        try:
            if answer.page.degraded:
                self._cache.put(_brief_key(key), entry.model_dump_json(), seconds=BRIEF_SECONDS)
            else:
                seconds = LAST_GOOD_SECONDS if again else STALE_SECONDS
                self._cache.put(_page_key(key), entry.model_dump_json(), seconds=seconds)
                if not again:
                    self._cache.put(_asked_key(key), b"1", seconds=LAST_GOOD_SECONDS)
        except DependencyUnavailable:
            _say_unavailable()
            return False
        return True

    def _release(self, key: str, holder: str) -> None:
        try:
            self._cache.release(_claim_key(key), holder)
        except DependencyUnavailable:
            _say_unavailable()

    def _age(self, entry: _Entry) -> float:
        return self._clock.now().timestamp() - entry.made_at


class TakeDowns:
    """Written to like a search engine, after them: what leaves the catalogue leaves the pages kept."""

    def __init__(self, counters: Cache) -> None:
        """The same counters as the pages'."""
        self._counters = counters

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """See `SearchIndex.write`. New pictures wait for the minute to pass; removals count at once, so one
        that the counters cannot be told raises `DependencyUnavailable` and comes again."""
        _ = documents
        if removals:
            gone = {_gone_key(each.image_id): b"1" for each in removals}
            self._counters.put_all(gone, seconds=_MARK_SECONDS, bumped=_GENERATION)
        return 0


def _say_unavailable() -> None:
    logger.warning("pages are not being cached: the cache is not answering")
    count("PageCacheUnavailable")
