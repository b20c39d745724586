"""Searching: engines side by side, fused, one page of documents, facets, a cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal
from uuid import UUID

from imagemarket.platform.errors import ImageNotFound, MarketError, SearchUnavailable
from imagemarket.platform.ids import new_id
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.cursor import CursorSigner, Position
from imagemarket.search.fusion import fuse
from imagemarket.search.models import (
    REACH,
    ContributorView,
    Facets,
    Filters,
    Hit,
    Mode,
    Paging,
    RenditionView,
    SearchDocument,
    SearchHit,
    SearchPage,
    SearchQuery,
    SimilarQuery,
    Sort,
    Tally,
)
from imagemarket.search.ports import DocumentReader, KeywordEngine, QueryEncoder, VectorEngine

ENGINE_SECONDS = 1.5
"""How long one engine is waited for."""

FIRST_SECONDS = 10.0
"""How long it is waited for the first time in a process, while it connects and loads its model."""

_RETRY_AFTER_SECONDS = 5

AnsweredBy = Literal["keyword", "semantic", "hybrid", "browse", "similar"]


@dataclass(frozen=True)
class _Ranking:
    """What the engines found, best first, and who answered."""

    hits: list[Hit]
    mode: AnsweredBy
    degraded: bool = False


class Search:
    """The use cases of finding pictures. Only approved images are ever in the engines."""

    def __init__(
        self,
        *,
        keyword: KeywordEngine,
        vector: VectorEngine,
        reader: DocumentReader,
        encoder: Callable[[], QueryEncoder],
        cursors: CursorSigner,
        media_base_url: str,
        public_base_url: str,
        engine_seconds: float = ENGINE_SECONDS,
        first_seconds: float = FIRST_SECONDS,
    ) -> None:
        """`encoder` gives the text encoder when it is first needed: loading it takes a while, and
        words alone find pictures too when it cannot be loaded."""
        self._keyword = keyword
        self._vector = vector
        self._reader = reader
        self._encoder = encoder
        self._cursors = cursors
        self._media_base_url = media_base_url
        self._public_base_url = public_base_url
        self._engine_seconds = engine_seconds
        self._first_seconds = first_seconds
        self._waited_for: set[str] = set()
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="search")

    def search(self, query: SearchQuery) -> SearchPage:
        """A page of results. Raises `InvalidCursor`, or `SearchUnavailable` when no engine answers."""
        position = self._cursors.read(query.cursor, query) if query.cursor else None
        by_words = not query.q or query.mode is Mode.KEYWORD or query.sort is not Sort.RELEVANCE
        counting: dict[str, Future[Tally]] = {}
        if by_words and not query.min_score:
            counting[""] = self._threads.submit(self._keyword.tally, query.q, query.filters())
        ranking = self._rank(query)
        if not counting:
            counting = self._count_widened(query, partial(self._candidates, query))
        return self._page(query, ranking, position, counting)

    def similar(self, image_id: UUID, query: SimilarQuery) -> SearchPage:
        """Pictures like an approved one, itself left out.

        Raises `ImageNotFound`, `InvalidCursor`, or `SearchUnavailable`.
        """
        scope = str(image_id)
        position = self._cursors.read(query.cursor, query, scope) if query.cursor else None
        try:
            found = self._vector.vector_of(image_id)
        except MarketError as error:
            raise _unavailable() from error
        if found is None:
            raise ImageNotFound("There is no such image, or it is not available to you.")
        model_version, vector = found

        def nearest(filters: Filters) -> list[Hit]:
            return self._vector.nearest(vector, model_version, filters, limit=REACH, exclude=image_id)

        try:
            hits = nearest(query.filters())
        except MarketError as error:
            raise _unavailable() from error
        counting = self._count_widened(query, nearest)
        return self._page(query, _Ranking(hits, "similar"), position, counting, scope=scope)

    # --- ranking ---------------------------------------------------------------------------------

    def _rank(self, query: SearchQuery) -> _Ranking:
        filters = query.filters()

        def words() -> list[Hit]:
            return self._keyword.match(query.q, filters, sort=query.sort, limit=REACH, seed=query.seed)

        def meaning() -> list[Hit]:
            encoder = self._encoder()
            return self._vector.nearest(encoder.encode(query.q), encoder.model_version, filters, limit=REACH)

        if not query.q:
            return _Ranking(self._required(words, "keyword"), "browse")
        if query.sort is not Sort.RELEVANCE:
            return _Ranking(self._required(words, "keyword"), "keyword")
        if query.mode is Mode.HYBRID:
            keyword, vector = self._threads.submit(words), self._threads.submit(meaning)
            by_words, by_meaning = self._answer(keyword, "keyword"), self._answer(vector, "vector")
            if by_words is not None and by_meaning is not None:
                return _Ranking(fuse([by_words, by_meaning]), "hybrid")
        elif query.mode is Mode.KEYWORD:
            by_words, by_meaning = self._ask(words, "keyword"), None
            if by_words is not None:
                return _Ranking(by_words, "keyword")
            by_meaning = self._ask(meaning, "vector")
        else:
            by_words, by_meaning = None, self._ask(meaning, "vector")
            if by_meaning is not None:
                return _Ranking(by_meaning, "semantic")
            by_words = self._ask(words, "keyword")
        if by_words is not None:
            return _Ranking(by_words, "keyword", degraded=True)
        if by_meaning is not None:
            return _Ranking(by_meaning, "semantic", degraded=True)
        raise _unavailable()

    def _candidates(self, query: SearchQuery, filters: Filters) -> list[Hit]:
        """What the words and meaning of a query find with other filters, one engine after the other."""
        rankings = []
        if query.mode is not Mode.SEMANTIC:
            rankings.append(self._keyword.match(query.q, filters, sort=query.sort, limit=REACH, seed=query.seed))
        if query.mode is not Mode.KEYWORD and query.sort is Sort.RELEVANCE:
            encoder = self._encoder()
            rankings.append(self._vector.nearest(encoder.encode(query.q), encoder.model_version, filters, limit=REACH))
        return fuse(rankings) if len(rankings) > 1 else rankings[0]

    def _count_widened(self, query: Paging, find: Callable[[Filters], list[Hit]]) -> dict[str, Future[Tally]]:
        """Starts counting what each facet whose own filter is in use would find without it."""

        def count_found(filters: Filters) -> Tally:
            return self._tally_of(_good_enough(find(filters), query))

        return {facet: self._threads.submit(count_found, wider) for facet, wider in query.widened().items()}

    def _tally_of(self, hits: Sequence[Hit]) -> Tally:
        """Facets over a ranking; estimates when the ranking may go on beyond what was asked for."""
        tally = self._keyword.tally_of([hit.image_id for hit in hits[:REACH]])
        return replace(tally, estimated=tally.estimated or len(hits) >= REACH)

    def _required(self, ask: Callable[[], list[Hit]], engine: str) -> list[Hit]:
        hits = self._ask(ask, engine)
        if hits is None:
            raise _unavailable()
        return hits

    def _ask(self, ask: Callable[[], Any], engine: str) -> Any | None:
        return self._answer(self._threads.submit(ask), engine)

    def _answer(self, asked: Future[Any], engine: str) -> Any | None:
        """What an engine answers in its time; None when it fails, whatever the failure: the others
        serve, the log and the metric tell."""
        patience = self._engine_seconds if engine in self._waited_for else self._first_seconds
        self._waited_for.add(engine)
        try:
            return asked.result(patience)
        except Late:
            asked.cancel()
            logger.warning("a search engine is late", engine=engine)
        except Exception:  # noqa: BLE001
            logger.exception("a search engine failed", engine=engine)
        count(f"SearchEngineFailed.{engine}")
        return None

    # --- pages -----------------------------------------------------------------------------------

    def _page(
        self,
        query: Paging,
        ranking: _Ranking,
        position: Position | None,
        counting: dict[str, Future[Tally]],
        *,
        scope: str = "",
    ) -> SearchPage:
        """The page of a ranking. Facets are counted side by side with it: all of them where `counting`
        has an entry without a name, else over the ranking, but for those that it names."""
        hits = _good_enough(ranking.hits, query)
        if "" not in counting:
            counting[""] = self._threads.submit(self._tally_of, hits)
        hits = hits[:REACH]
        begin = _begin(hits, position, query)
        chosen = hits[begin : begin + query.limit]
        try:
            found = self._reader.documents([hit.image_id for hit in chosen])
        except MarketError as error:
            raise _unavailable() from error
        documents = {document.image_id: document for document in found}
        tally = self._counted(counting)
        end = begin + len(chosen)
        following = None
        if chosen and end < len(hits):
            following = self._cursors.write(Position(end, chosen[-1].image_id), query, scope)
        degraded = ranking.degraded or tally is None
        count("Searches")
        if degraded:
            count("SearchesDegraded")
        return SearchPage(
            # An image that left the catalogue a moment ago has no document any more.
            results=[self._hit(documents[hit.image_id], hit.score) for hit in chosen if hit.image_id in documents],
            facets=tally.facets if tally else Facets(),
            facets_estimated=bool(tally and tally.estimated),
            estimated_total=max(tally.total if tally else 0, len(hits)),
            next_cursor=following,
            mode=ranking.mode,
            search_id=new_id(),
            degraded=degraded,
        )

    def _counted(self, counting: dict[str, Future[Tally]]) -> Tally | None:
        """One tally of all that was counted; None when any of it did not come."""
        tallies: dict[str, Tally | None] = {name: self._answer(each, "facets") for name, each in counting.items()}
        total = tallies.pop("")
        widened = {name: tally for name, tally in tallies.items() if tally is not None}
        if total is None or len(widened) < len(tallies):
            return None
        facets = total.facets.model_copy(update={name: getattr(each.facets, name) for name, each in widened.items()})
        return Tally(total.total, facets, estimated=any(each.estimated for each in (total, *widened.values())))

    def _hit(self, document: SearchDocument, score: float) -> SearchHit:
        return SearchHit(
            id=document.image_id,
            title=document.title,
            score=round(score, 6),
            contributor=ContributorView(id=document.contributor_id, name=document.contributor_name),
            categories=list(document.categories),
            image_type=document.image_type,
            orientation=document.orientation,
            license_types=list(document.license_types),
            width=document.width,
            height=document.height,
            thumbhash=document.thumbhash,
            renditions=[
                RenditionView.model_validate(
                    {**rendition.model_dump(exclude={"key"}), "url": f"{self._media_base_url}/{rendition.key}"}
                )
                for rendition in document.renditions
            ],
            preview_url=f"{self._public_base_url}/v1/images/{document.image_id}/preview",
        )


def _good_enough(hits: Sequence[Hit], query: Paging) -> list[Hit]:
    return [hit for hit in hits if not query.min_score or hit.score >= query.min_score]


def _begin(hits: Sequence[Hit], position: Position | None, query: Paging) -> int:
    """Where the page begins: after the last image given out, wherever that stands by now."""
    if position is None:
        return ((query.page or 1) - 1) * query.limit
    for place, hit in enumerate(hits):
        if hit.image_id == position.last:
            return place + 1
    return position.passed


def _unavailable() -> SearchUnavailable:
    return SearchUnavailable(
        "Search is not answering; try again in a moment.", headers={"Retry-After": str(_RETRY_AFTER_SECONDS)}
    )
