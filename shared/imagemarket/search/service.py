"""Searching: engines side by side, fused, one page of documents, facets, a cursor.

Each engine is asked in a pool of its own, behind a breaker and within its time. What did not answer is
said in `degraded`; when nothing answers, the last good page does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple, cast
from uuid import UUID

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.platform.clock import Clock, SystemClock
from imagemarket.platform.errors import InvalidRequest, MarketError
from imagemarket.platform.ids import new_id
from imagemarket.platform.resilience import (
    BREAKER_OPEN_SECONDS,
    RETRY_DELAYS,
    Asked,
    Breaker,
    Dependency,
    TimeBudget,
    Unanswered,
    retried,
)
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.cursor import CursorSigner, Position, normalised
from imagemarket.search.engines.ports import (
    DocumentReader,
    EncodedQuery,
    KeywordEngine,
    QueryEncoder,
    QueryRefused,
    VectorEngine,
)
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.events import EventStream, SearchEvent, Visitors, impersonal
from imagemarket.search.models import (
    NEAR,
    REACH,
    ContributorView,
    Degradation,
    ExplainedPage,
    Explanation,
    Facets,
    Filters,
    Hit,
    Mode,
    Paging,
    Part,
    Ranked,
    RenditionView,
    SearchDocument,
    SearchHit,
    SearchPage,
    SearchQuery,
    SimilarQuery,
    Sort,
    Tally,
)
from imagemarket.search.pages import Answer, PageCache, key_of
from imagemarket.search.query.interpretation import QueryReader, Understood, Wanted
from imagemarket.search.query.words import STOP_WORDS, Clause, Words, one_spelling, other_numbers, searchable
from imagemarket.search.ranking.boosts import WINDOW, gains, lifted
from imagemarket.search.ranking.fusion import Fusion

AnsweredBy = Literal["keyword", "semantic", "hybrid", "browse", "similar"]

_EFFECTS: dict[str, str] = {
    "keyword": "The words themselves were not matched.",
    "vector": "Pictures were not compared by meaning.",
    "encoder": "Pictures were not compared by meaning.",
    "documents": "Results could not be read.",
    "facets": "Facets are missing.",
}
_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Patience:
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


@dataclass
class _Course:
    """What happened to one request: the time it has left and the parts that did not answer."""

    budget: TimeBudget
    by_words: bool = False
    """Whether words were asked for, which an engine may refuse."""
    meaning: tuple[EncodedQuery, str] | None = None
    """What the words mean and to which model, once they were encoded."""
    unknown: tuple[str, ...] = ()
    """The words that the model knows nothing of."""
    refusals: dict[Part, Unanswered] = field(default_factory=dict)
    effects: dict[Part, str] = field(default_factory=dict)
    """What the answer lacks without a part, where that is not what it always is."""

    def answer(self, asked: Asked[Any]) -> Any | None:
        """What a part says; None, and a note of it, when it says nothing."""
        try:
            return asked.answer(self.budget)
        except Unanswered as refused:
            self.refusals[refused.dependency] = refused  # pyright: ignore[reportArgumentType] - named by its part
            return None

    def degraded(self) -> list[Degradation]:
        return [
            Degradation(part=part, reason=refused.reason, effect=self.effects.get(part, _EFFECTS[part]))
            for part, refused in self.refusals.items()
        ]

    def may_pass(self) -> bool:
        """Whether asking again soon can help: not where a part is left alone, or has too much to do."""
        return any(refused.reason == "failed" for refused in self.refusals.values())

    def unavailable(self) -> MarketError:
        """503, with the time at which the first of the parts is asked again; 422 where all there is are refusals of the
        words, which asking again does not change."""
        if self.by_words and all(refused.reason == "refused" for refused in self.refusals.values()):
            detail = "cannot be searched as it stands; use fewer or simpler words"
            return InvalidRequest(f"q: {detail}.", errors=[{"in": "query", "field": "q", "detail": detail}])
        waits = [refused.retry_after for refused in self.refusals.values()]
        seconds = max(_RETRY_AFTER_SECONDS, int(min(waits, default=0.0)) + 1 if any(waits) else 0)
        return SearchUnavailable(
            f"Search is not answering; try again in {seconds} seconds.", headers={"Retry-After": str(seconds)}
        )


class _Near(NamedTuple):
    """What was found, best first."""

    hits: list[Hit]
    goes_on: bool
    """Whether more are near than were looked at."""
    widens: bool
    """Whether a page further down looks at those as well."""
    others: Sequence[Hit] = ()
    """What comes behind and is not close enough to be a result by itself; it may still have the words."""


@dataclass(frozen=True)
class _Ranking:
    """What the engines found, best first, and who answered."""

    hits: list[Hit]
    mode: AnsweredBy
    by: Mapping[str, Sequence[Hit]] = field(default_factory=dict)
    """What each engine said by itself."""
    goes_on: bool = False
    widens: bool = False
    """See `_Near`."""


class Search:
    """The use cases of finding pictures. Only approved images are ever in the engines."""

    def __init__(
        self,
        *,
        keyword: KeywordEngine,
        vector: VectorEngine,
        reader: DocumentReader,
        second_reader: DocumentReader | None = None,
        encoder: Callable[[], QueryEncoder] | None = None,
        cursors: CursorSigner | None = None,
        media_base_url: str,
        public_base_url: str,
        pages: PageCache | None = None,
        queries: QueryReader | None = None,
        fusion: Fusion | None = None,
        events: EventStream | None = None,
        visitors: Visitors | None = None,
        clock: Clock | None = None,
        patience: Patience = Patience(),
    ) -> None:
        """`encoder` gives the text encoder when it is first needed: loading it takes a while, and
        words alone find pictures too when it cannot be loaded. Searching by pictures needs neither it nor
        `cursors`. Without `pages` each page is computed, and without `queries` none is corrected. `second_reader`
        gives documents back while `reader` does not answer."""
        self._keyword = keyword
        self._vector = vector
        self._reader = reader
        self._second_reader = second_reader
        self._encoder = encoder
        self._cursors = cursors
        self._pages = pages
        self._queries = queries or QueryReader()
        self._fusion = fusion or Fusion()
        self._events = events
        self._visitors = visitors
        self._clock = clock or SystemClock()
        self._media_base_url = media_base_url
        self._public_base_url = public_base_url
        self._patience = patience
        self._alike: dict[str, float | None] = {}
        """By version of the model."""
        # What any engine answers at once, however much it holds.
        probes: dict[Part, Callable[[], object]] = {
            "keyword": lambda: keyword.tally_of([_NO_SEARCH], "type"),
            "facets": lambda: keyword.tally_of([_NO_SEARCH], "type"),
            "vector": lambda: vector.vector_of(_NO_SEARCH),
        }
        self._parts: dict[Part, Dependency] = {
            part: Dependency(
                part,
                seconds=patience.engine_seconds,
                first_seconds=patience.first_seconds,
                breaker=Breaker(open_seconds=patience.open_seconds),
                blameless=(ImageNotFound,),
                refusals=(QueryRefused,),
                probe=probes.get(part),
            )
            for part in ("keyword", "vector", "encoder", "documents", "facets")
        }

    def search(
        self, query: SearchQuery, *, address: str = "", computing: Callable[[], None] | None = None
    ) -> SearchPage:
        """A page of results; `address` is whose search it is, to count it once. `computing` is called once before the
        page is computed, where it is not kept, and may refuse that.

        Raises `InvalidCursor`, what `computing` raises, `InvalidRequest` when the engines refuse the words, or
        `SearchUnavailable` when no engine answers and no page of before is left."""
        position = self._position(query)
        return self._served(
            "search",
            query,
            position,
            lambda course: self._found(query, position, course)[0],
            address=address,
            computing=computing,
        )

    def explain(self, query: SearchQuery) -> ExplainedPage:
        """A page of results and how each came to its place. Raises as `search` does."""
        position = self._position(query)
        answer, ranking = self._found(query, position, _Course(TimeBudget(self._patience.request_seconds)))
        page = self._given(answer, query)
        places = {
            name: {hit.image_id: Ranked(rank=rank, score=hit.score) for rank, hit in enumerate(hits, 1)}
            for name, hits in ranking.by.items()
        }
        fused = {hit.image_id: hit.score for hit in ranking.hits}
        return ExplainedPage(
            page=page,
            fusion=str(self._fusion),
            explanations=[
                Explanation(
                    id=hit.id,
                    keyword=places.get("keyword", {}).get(hit.id),
                    vector=places.get("vector", {}).get(hit.id),
                    fused=fused[hit.id],
                    gains=answer.gains.get(hit.id, {}),
                    score=hit.score,
                )
                for hit in page.results
            ],
        )

    def similar(
        self, image_id: UUID, query: SimilarQuery, *, computing: Callable[[], None] | None = None
    ) -> SearchPage:
        """Pictures like an approved one, itself left out; `computing` as in `search`.

        Raises `ImageNotFound`, `InvalidCursor`, or `SearchUnavailable`.
        """
        scope = str(image_id)
        position = self._position(query, scope)

        def vector_of() -> tuple[str, Sequence[float]]:
            found = self._vector.vector_of(image_id)
            if found is None:
                raise ImageNotFound("There is no such image, or it is not available to you.")
            return found

        def compute(course: _Course) -> Answer:
            version, vector = self._required(course, "vector", vector_of)
            depth = _depth(query, position)
            floor = self._alike_from(course, version) if query.min_score is None else None

            def nearest(filters: Filters) -> _Near:
                return self._nearest(vector, version, filters, depth, close_from=floor, exclude=image_id)

            near = self._required(course, "vector", partial(nearest, query.filters()))
            ranking = _Ranking(near.hits, "similar", goes_on=near.goes_on, widens=near.widens)
            return self._page(query, ranking, position, course, self._count_widened(query, query.filters(), nearest))

        return self._served(scope, query, position, compute, scope=scope, computing=computing)

    def _alike_from(self, course: _Course, version: str) -> float | None:
        """From which cosine on two pictures are alike, which the model's text side knows; asked for once a process."""
        if version not in self._alike and self._encoder is not None:
            encoder = self._encoder

            def told() -> tuple[str, float | None]:
                asked = encoder()
                return asked.model_version, asked.encode("").alike_from

            answer: tuple[str, float | None] | None = course.answer(self._ask("encoder", told))
            if answer is None:
                course.effects["encoder"] = "Pictures that are merely nearer than others are among the results."
            else:
                self._alike[answer[0]] = answer[1]
        return self._alike.get(version)

    def like_vector(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        *,
        limit: int,
        alike_from: float | None = None,
        min_score: float | None = None,
    ) -> SearchPage:
        """The one page of pictures nearest to a vector, of which none has a lower cosine than `min_score`, else than
        `alike_from`. Raises `SearchUnavailable`."""
        course = _Course(TimeBudget(self._patience.request_seconds))
        floor = alike_from if min_score is None else None
        near = self._required(
            course, "vector", lambda: self._nearest(vector, model_version, filters, NEAR, close_from=floor)
        )
        ranking = _Ranking(near.hits, "similar", goes_on=near.goes_on, widens=near.widens)
        query = Paging(limit=limit, min_score=min_score, **filters.model_dump())
        answer = self._page(query, ranking, None, course, {})
        page = self._given(answer.model_copy(update={"passed": None}), query)
        if self._events is not None:
            self._events.publish(self._event(page, query, None))
        return page

    def _position(self, query: Paging, scope: str = "") -> Position | None:
        if not query.cursor:
            return None
        if self._cursors is None:
            raise RuntimeError("this search was given no cursors")
        return self._cursors.read(query.cursor, query, scope)

    # --- from the cache, or computed ---------------------------------------------------------------

    def _served(
        self,
        kind: str,
        query: Paging,
        position: Position | None,
        compute: Callable[[_Course], Answer],
        *,
        scope: str = "",
        address: str = "",
        computing: Callable[[], None] | None = None,
    ) -> SearchPage:
        key = key_of(
            kind,
            normalised(query, without={"cursor", "fields"}),
            "" if position is None else f"{position.passed} {position.last}",
        )
        budget = TimeBudget(self._patience.request_seconds)
        course = _Course(budget)
        told = computing is None

        def computed() -> Answer:
            nonlocal told
            if not told and computing is not None:
                told = True
                computing()
            return compute(course)

        def attempt() -> Answer:
            nonlocal course
            course = _Course(budget)
            try:
                if self._pages is None:
                    return computed()
                return self._pages.answer(key, computed)
            except SearchUnavailable:
                kept = self._last_good(key, course)
                if kept is None and course.may_pass():
                    raise _MayPass from None
                if kept is None:
                    raise
                return kept

        try:
            answer = retried(
                attempt,
                budget=TimeBudget(self._patience.retry_seconds),
                errors=(_MayPass,),
                delays=self._patience.retry_delays,
            )
        except _MayPass:
            raise course.unavailable() from None
        count("Searches")
        if answer.page.degraded:
            count("SearchesDegraded")
        page = self._given(answer, query, scope)
        if self._events is not None:
            self._events.publish(self._event(page, query, position, all_words=answer.all_words, address=address))
        return page

    def viewed(self, image_id: UUID, search_id: UUID | None, *, address: str = "") -> None:
        """Somebody at `address` looks at an approved picture, which an answer may have shown them."""
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

    def _event(
        self,
        page: SearchPage,
        query: Paging,
        position: Position | None,
        *,
        all_words: bool = False,
        address: str = "",
    ) -> SearchEvent:
        filters = query.filters().model_dump(mode="json", exclude_defaults=True)
        return SearchEvent(
            kind="searched",
            search_id=page.search_id,
            at=self._clock.now(),
            words=impersonal(getattr(query, "q", "")),
            mode=page.mode,
            filters={name: [str(v) for v in (f if isinstance(f, list) else [f])] for name, f in filters.items()},
            first=position.passed if position is not None else ((query.page or 1) - 1) * query.limit,
            total=page.estimated_total,
            images=tuple(hit.id for hit in page.results),
            degraded=tuple(each.part for each in page.degraded),
            all_words=all_words,
            visitor=self._visitor(address),
        )

    def _given(self, answer: Answer, query: Paging, scope: str = "") -> SearchPage:
        """The page with what is this request's own."""
        following, cursors = answer.following, self._cursors
        return answer.page.model_copy(
            update={
                "search_id": new_id(),
                "next_cursor": None if following is None or cursors is None else cursors.write(following, query, scope),
            }
        )

    def _last_good(self, key: str, course: _Course) -> Answer | None:
        kept = self._pages.last_good(key) if self._pages is not None else None
        if kept is None:
            return None
        count("LastGoodPages")
        logger.warning("the last good page serves", seconds=round(kept.age))
        effect = f"The results are those of {round(kept.age)} seconds ago."
        told = [each.model_copy(update={"effect": effect}) for each in course.degraded()]
        return kept.answer.degraded_by(told)

    # --- ranking ---------------------------------------------------------------------------------

    def _found(self, query: SearchQuery, position: Position | None, course: _Course) -> tuple[Answer, _Ranking]:
        course.by_words = bool(query.q)
        asked = self._queries.read(query, partial(self._present, course))
        by_words = (
            not asked.words.groups or query.mode is Mode.KEYWORD or query.sort is not Sort.RELEVANCE
        )  # browsing and an image's id too
        counting: dict[str, Asked[Tally]] = {}
        if by_words and not query.min_score:
            counting[""] = self._ask("facets", lambda: self._tally(asked))
        depth = _depth(query, position, exact=bool(asked.words.exact.groups))
        ranking = self._rank(query, asked, course, depth)
        if not counting:
            counting = self._count_widened(query, asked.filters, partial(self._candidates, query, asked, course, depth))
        wanted = asked.wanted if asked.text and query.sort is Sort.RELEVANCE else None
        # Of what is left out pictures need not have the word, so that nobody's hits vouch for it.
        vouched = "" if asked.words.leaves_out or not asked.words.plain else asked.words.meant
        answer = self._page(query, ranking, position, course, counting, wanted=wanted, vouched=vouched)
        told = {
            "spelling": asked.spelling,
            "interpreted": list(asked.interpreted),
            "synonyms": list(asked.synonyms),
            "keyword_only": list(course.unknown),
        }
        unread = any(each.effect == "unread" for each in asked.interpreted)
        update = {"page": answer.page.model_copy(update=told), "all_words": answer.all_words and not unread}
        return answer.model_copy(update=update), ranking

    def _present(self, course: _Course, words: Collection[str]) -> Collection[str]:
        """Those of the words that pictures have; where nobody answers, all count as if."""
        found = course.answer(self._ask("keyword", lambda: self._keyword.present(words)))
        return words if found is None else found

    def _match(self, query: SearchQuery, asked: Understood, filters: Filters) -> list[Hit]:
        """What has the words, synonyms in their place; where no picture has all of them, any of them."""
        return self._keyword.match(_text(asked), filters, sort=query.sort, limit=REACH, seed=query.seed)

    def _candidates(
        self, query: SearchQuery, asked: Understood, course: _Course, depth: int, filters: Filters
    ) -> _Near:
        """What the words and the meaning of a query find with other filters, one engine after the other."""
        by_words = by_meaning = None
        if query.mode is not Mode.SEMANTIC or course.meaning is None:
            by_words = self._match(query, asked, filters)
        if query.mode is not Mode.KEYWORD and query.sort is Sort.RELEVANCE and course.meaning is not None:
            meant, version = course.meaning
            near = self._nearest(meant.vector, version, filters, depth, close_from=_close_from(query, meant))
            by_meaning = self._having(_exact(asked, meant), near)
        if by_meaning is None:
            return _Near(by_words or [], goes_on=False, widens=False)
        return by_meaning if by_words is None else by_meaning._replace(hits=self._fused(by_words, by_meaning))

    def _fused(self, by_words: Sequence[Hit], near: _Near) -> list[Hit]:
        """What has the words or is close in meaning, in one ranking, to which both contribute. What lies beyond the
        `NEAR` nearest follows behind, so that pages further down, which look at more, find the first ones as they
        were."""
        by_meaning = [*near.hits, *near.others]
        results = {hit.image_id for hit in (*by_words, *near.hits)}
        fused = [hit for hit in self._fusion.of(by_words, by_meaning[:NEAR]) if hit.image_id in results]
        if beyond := near.hits[NEAR:]:
            known = {hit.image_id for hit in fused}
            fused += [Hit(hit.image_id, 0.0) for hit in beyond if hit.image_id not in known]
        return fused

    def _count_widened(
        self, query: Paging, filters: Filters, find: Callable[[Filters], _Near]
    ) -> dict[str, Asked[Tally]]:
        """Starts counting what each facet whose own filter is in use would find without it."""

        def count_found(facet: str, wider: Filters) -> Tally:
            near = find(wider)
            return self._tally_of(_good_enough(near.hits, query), facet, goes_on=near.goes_on)

        return {
            facet: self._ask("facets", partial(count_found, facet, wider)) for facet, wider in filters.widened().items()
        }

    def _tally_of(self, hits: Sequence[Hit], *facets: str, goes_on: bool) -> Tally:
        """Facets over a ranking; where it goes on beyond what was looked at they are estimates, over its beginning."""
        counted = hits[: NEAR if goes_on else REACH]
        tally = self._keyword.tally_of([hit.image_id for hit in counted], *facets)
        return replace(tally, estimated=tally.estimated or goes_on or len(hits) >= REACH)

    def _counted(self, counting: Mapping[str, Asked[Tally]], course: _Course) -> Tally | None:
        """One tally of all that was counted; None when any of it did not come."""
        answered: dict[str, Tally | None] = {name: course.answer(each) for name, each in counting.items()}
        total = answered.pop("")
        widened = {name: tally for name, tally in answered.items() if tally is not None}
        if total is None or len(widened) < len(answered):
            return None
        facets = total.facets.model_copy(update={name: getattr(each.facets, name) for name, each in widened.items()})
        return Tally(total.total, facets, estimated=any(each.estimated for each in (total, *widened.values())))

    def _tally(self, asked: Understood) -> Tally:
        """Of what `_match` finds."""
        return self._keyword.tally(_text(asked), asked.filters)

    def _rank(self, query: SearchQuery, asked: Understood, course: _Course, depth: int) -> _Ranking:
        def words() -> list[Hit]:
            return self._match(query, asked, asked.filters)

        if not asked.text:
            return _Ranking(self._required(course, "keyword", words), "browse")
        if asked.words.image_id is not None:
            return _Ranking(self._required(course, "keyword", words), "keyword")
        if query.sort is not Sort.RELEVANCE:
            return _Ranking(self._required(course, "keyword", words), "keyword")
        by_words = by_meaning = None
        if query.mode is Mode.HYBRID:
            asking = self._ask("keyword", words)
            by_meaning = self._meaning(query, asked, course, depth)
            by_words = course.answer(asking)
            if by_words is not None and by_meaning is not None:
                by = {"keyword": by_words, "vector": [*by_meaning.hits, *by_meaning.others]}
                return _Ranking(self._fused(by_words, by_meaning), "hybrid", by, by_meaning.goes_on, by_meaning.widens)
        elif query.mode is Mode.KEYWORD:
            by_words = course.answer(self._ask("keyword", words))
            if by_words is None:
                by_meaning = self._meaning(query, asked, course, depth)
        else:
            by_meaning = self._meaning(query, asked, course, depth)
            if by_meaning is None:
                by_words = course.answer(self._ask("keyword", words))
        if by_words is not None:
            return _Ranking(by_words, "keyword", {"keyword": by_words})
        if by_meaning is not None:
            return _Ranking(
                by_meaning.hits, "semantic", {"vector": by_meaning.hits}, by_meaning.goes_on, by_meaning.widens
            )
        raise course.unavailable()

    def _meaning(self, query: SearchQuery, asked: Understood, course: _Course, depth: int) -> _Near | None:
        text = asked.words.meant if asked.words.groups else asked.text
        if not text:  # what is only not wanted shows nothing
            return None

        def encoded() -> tuple[EncodedQuery, str]:
            if self._encoder is None:
                raise RuntimeError("this search was given no encoder")
            encoder = self._encoder()
            return encoder.encode(text), encoder.model_version

        made = course.answer(self._ask("encoder", encoded))
        if made is None:
            return None
        meant, version = made
        course.unknown = meant.unknown
        if not meant.vector:
            return None
        course.meaning = made
        floor = _close_from(query, meant)
        found = course.answer(
            self._ask("vector", lambda: self._nearest(meant.vector, version, asked.filters, depth, close_from=floor))
        )
        exact = _exact(asked, meant)
        if found is None or not exact.groups:
            return found
        # Where the keyword engine is away, the answer says that the words were not matched.
        kept = course.answer(self._ask("keyword", lambda: self._having(exact, found)))
        return found if kept is None else kept

    def _nearest(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        depth: int,
        *,
        close_from: float | None = None,
        exclude: UUID | None = None,
    ) -> _Near:
        """The `depth` nearest that are close enough; one more is asked for, which says whether they go on."""
        found = self._vector.nearest(vector, model_version, filters, limit=depth + 1, exclude=exclude)
        close = len(found) if close_from is None else sum(hit.score >= close_from for hit in found)
        goes_on = close > depth
        return _Near(
            found[: min(close, depth)],
            goes_on,
            widens=goes_on and depth < REACH,
            others=found[close:depth],
        )

    def _having(self, exact: Words, near: _Near) -> _Near:
        """Those of the hits that have all the exact words; all of them where none are asked for."""
        hits = [*near.hits, *near.others]
        if not exact.groups or not hits:
            return near
        having = self._keyword.having(exact, [hit.image_id for hit in hits])
        return near._replace(
            hits=[hit for hit in near.hits if hit.image_id in having],
            others=[hit for hit in near.others if hit.image_id in having],
        )

    def _ask(self, part: Part, work: Callable[[], Any]) -> Asked[Any]:
        return self._parts[part].ask(work)

    def _required(self, course: _Course, part: Part, work: Callable[[], Any]) -> Any:
        """What a part says, where nothing else can stand in for it."""
        found = course.answer(self._ask(part, work))
        if found is None:
            raise course.unavailable()
        return found

    # --- pages -----------------------------------------------------------------------------------

    def _page(
        self,
        query: Paging,
        ranking: _Ranking,
        position: Position | None,
        course: _Course,
        counting: dict[str, Asked[Tally]],
        *,
        wanted: Wanted | None = None,
        vouched: str = "",
    ) -> Answer:
        """The page of a ranking, and whether a picture of it has all words of `vouched`. Facets are counted side by
        side with it: all of them where `counting` has an entry without a name, else over the ranking, but for those
        that it names. Documents are read in one round trip: where gains may change the order, those of the window
        together with the page's; in two where the page then begins elsewhere."""
        hits = _good_enough(ranking.hits, query)
        if "" not in counting:
            counting[""] = self._ask("facets", partial(self._tally_of, hits, goes_on=ranking.goes_on))
        hits = hits[:REACH]
        documents: dict[UUID, SearchDocument] = {}
        gained: dict[UUID, dict[str, float]] = {}
        read_to = 0
        if wanted is not None and _passed(query, position) < WINDOW:
            read_to = max(WINDOW, _passed(query, position) + query.limit)
            documents = self._documents(hits[:read_to], course)
            now = self._clock.now()
            moved = [hit.image_id for hit in hits[:WINDOW] if hit.image_id in documents]
            gained = {image_id: gains(documents[image_id], wanted, now) for image_id in moved}
            hits = lifted(hits, gained)
        begin = _begin(hits, position, query)
        chosen = hits[begin : begin + query.limit]
        if begin + len(chosen) > read_to:
            documents = self._documents(chosen, course)
        tally = self._counted(counting, course)
        end = begin + len(chosen)
        more = bool(chosen) and (end < len(hits) or (ranking.widens and len(hits) >= NEAR))
        page = SearchPage(
            # An image that left the catalogue a moment ago has no document any more.
            results=[self._hit(documents[hit.image_id], hit.score) for hit in chosen if hit.image_id in documents],
            page=_passed(query, position) // query.limit + 1,
            facets=tally.facets if tally else Facets(),
            facets_estimated=bool(tally and tally.estimated),
            estimated_total=max(tally.total if tally else 0, len(hits)),
            next_cursor=None,
            mode=ranking.mode,
            search_id=_NO_SEARCH,
            degraded=course.degraded(),
        )
        return Answer(
            page=page,
            passed=end if more else None,
            last=chosen[-1].image_id if more else None,
            gains={hit.image_id: gained[hit.image_id] for hit in chosen if hit.image_id in gained},
            all_words=wanted is not None and any(_has_all(each, vouched) for each in documents.values()),
        )

    def _documents(self, hits: Sequence[Hit], course: _Course) -> dict[UUID, SearchDocument]:
        if not hits:
            return {}
        ids = [hit.image_id for hit in hits]
        found = course.answer(self._ask("documents", lambda: self._reader.documents(ids)))
        if found is None and (second := self._second_reader) is not None:
            found = course.answer(self._ask("vector", lambda: second.documents(ids)))
            if found is not None:
                del course.refusals["documents"]  # nothing is missing from the page
        if found is None:
            raise course.unavailable()
        return {document.image_id: document for document in found}

    def _hit(self, document: SearchDocument, score: float) -> SearchHit:
        return SearchHit(
            id=document.image_id,
            title=document.title,
            score=round(score, 6),
            contributor=ContributorView(id=document.contributor_id, name=document.contributor_name),
            tags=list(document.tags),
            categories=list(document.categories),
            image_type=document.image_type,
            orientation=document.orientation,
            license_types=list(document.license_types),
            width=document.width,
            height=document.height,
            thumbhash=document.thumbhash,
            renditions=[
                RenditionView(
                    width=rendition.width,
                    height=rendition.height,
                    format=cast("Any", rendition.format),  # one of the three, or it is refused here
                    url=f"{self._media_base_url}/{rendition.key}",
                )
                for rendition in document.renditions
            ],
            preview_url=f"{self._public_base_url}/v1/images/{document.image_id}/preview",
        )


def _text(asked: Understood) -> str | Words:
    """What the keyword engine is asked: nothing where there are no words."""
    return asked.words if asked.text else ""


def _close_from(query: SearchQuery, meant: EncodedQuery) -> float | None:
    """The least cosine of a result by meaning. In semantic mode a score is the cosine, so the request may say it."""
    asked = query.min_score if query.mode is Mode.SEMANTIC else None
    return meant.close_from if asked is None else asked


def _exact(asked: Understood, meant: EncodedQuery) -> Words:
    """What every result must have in its text: what quotes and minus say, and what the model knows nothing of."""
    unknown = tuple((Clause(word),) for word in meant.unknown)
    return Words((*asked.words.exact.groups, *unknown))


def _has_all(document: SearchDocument, phrase: str) -> bool:
    """Whether a document has all the phrase's words or their singulars, in its title, tags, categories or description;
    none has those of an empty one."""
    said = " ".join((document.title, document.description, *document.tags, *document.categories)).replace("-", " ")
    held = {form for word in searchable(said).lower().split() for form in _forms(word)}
    # Word by word, as pictures need not have what two of them make in one.
    asked = {part for word in phrase.replace("-", " ").split() for part in searchable(word).lower().split()}
    asked -= STOP_WORDS
    return bool(asked) and all(not held.isdisjoint(_forms(word)) for word in asked)


def _forms(word: str) -> set[str]:
    return {one_spelling(each) for each in (word, *other_numbers(word))}


def _good_enough(hits: Sequence[Hit], query: Paging) -> list[Hit]:
    return [hit for hit in hits if not query.min_score or hit.score >= query.min_score]


def _depth(query: Paging, position: Position | None, *, exact: bool = False) -> int:
    """How many of the nearest a page needs. What quotes and minus say may leave few of them."""
    return NEAR if _passed(query, position) + query.limit <= NEAR and not exact else REACH


def _passed(query: Paging, position: Position | None) -> int:
    return position.passed if position is not None else ((query.page or 1) - 1) * query.limit


def _begin(hits: Sequence[Hit], position: Position | None, query: Paging) -> int:
    """Where the page begins: after the last image given out, wherever that stands by now."""
    if position is not None:
        for place, hit in enumerate(hits):
            if hit.image_id == position.last:
                return place + 1
    return _passed(query, position)


class _MayPass(Exception):
    """Nothing answered, and a second try may find otherwise."""


_NO_SEARCH = UUID(int=0)
"""Stands in a page that is kept: each answer gets an id of its own."""
