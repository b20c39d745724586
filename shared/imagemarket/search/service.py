"""The use cases of finding images.

Engines are asked side by side, each in a pool of its own, behind a breaker and within its time. What did not answer is
said in `degraded`; when nothing answers, the last good page does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from uuid import UUID

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.platform.clock import Clock, SystemClock
from imagemarket.platform.ids import new_id
from imagemarket.search.cursor import CursorSigner, Position
from imagemarket.search.engines.ports import DocumentReader, KeywordEngine, QueryEncoder, VectorEngine
from imagemarket.search.events import EventStream, SearchActivity, Visitors
from imagemarket.search.facet_counting import FacetCounter
from imagemarket.search.page_builder import PageBuilder
from imagemarket.search.pages import Answer, PageCache
from imagemarket.search.paging import PageSpan
from imagemarket.search.query.parser import QueryParser
from imagemarket.search.ranking.fusion import Fusion
from imagemarket.search.ranking.retrieval import Candidates, Ranking, Retrieval
from imagemarket.search.request import VECTOR_CANDIDATES, Filters, Mode, Paging, SearchQuery, SimilarQuery, Sort
from imagemarket.search.result import ExplainedPage, Explanation, Ranked, SearchPage
from imagemarket.search.run import Dependencies, SearchRun, Timeouts
from imagemarket.search.serving import PageServer


class Search:
    """Only approved images are ever in the engines."""

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
        queries: QueryParser | None = None,
        fusion: Fusion | None = None,
        events: EventStream | None = None,
        visitors: Visitors | None = None,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """`encoder` gives the text encoder when it is first needed: loading it takes a while, and
        words alone find pictures too when it cannot be loaded. Searching by pictures needs neither it nor
        `cursors`. Without `pages` each page is computed, and without `queries` none is corrected. `second_reader`
        gives documents back while `reader` does not answer."""
        clock = clock or SystemClock()
        timeouts = timeouts or Timeouts()
        self._keyword = keyword
        self._vector = vector
        self._cursors = cursors
        self._parser = queries or QueryParser()
        self._dependencies = Dependencies(keyword, vector, timeouts)
        self._retrieval = Retrieval(keyword, vector, encoder, fusion or Fusion())
        self._facets = FacetCounter(keyword)
        self._builder = PageBuilder(reader, second_reader, media_base_url, public_base_url, clock)
        self._server = PageServer(pages, self._dependencies, timeouts)
        self._activity = SearchActivity(events, visitors, clock)

    def search(
        self, query: SearchQuery, *, address: str = "", computing: Callable[[], None] | None = None
    ) -> SearchPage:
        """A page of results; `address` is whose search it is, to count it once. `computing` is called once before the
        page is computed, where it is not kept, and may refuse that.

        Raises `InvalidCursor`, what `computing` raises, `InvalidRequest` when the engines refuse the words, or
        `SearchUnavailable` when no engine answers and no page of before is left."""
        span = self._span(query)
        answer = self._server.serve("search", span, lambda run: self._find(query, span, run)[0], computing)
        page = self._page(answer, query)
        self._activity.searched(page, query, span.passed, all_words=answer.all_words, address=address)
        return page

    def explain(self, query: SearchQuery) -> ExplainedPage:
        """A page of results and how each came to its place. Raises as `search` does."""
        answer, ranking = self._find(query, self._span(query), self._dependencies.run())
        page = self._page(answer, query)
        places = {
            name: {hit.image_id: Ranked(rank=rank, score=hit.score) for rank, hit in enumerate(hits, 1)}
            for name, hits in ranking.by_engine.items()
        }
        fused = {hit.image_id: hit.score for hit in ranking.hits}
        return ExplainedPage(
            page=page,
            fusion=str(self._retrieval.fusion),
            explanations=[
                Explanation(
                    id=hit.id,
                    keyword=places.get("keyword", {}).get(hit.id),
                    vector=places.get("vector", {}).get(hit.id),
                    fused=fused[hit.id],
                    boosts=answer.boosts.get(hit.id, {}),
                    score=hit.score,
                )
                for hit in page.results
            ],
        )

    def similar(
        self, image_id: UUID, query: SimilarQuery, *, computing: Callable[[], None] | None = None
    ) -> SearchPage:
        """Images like an approved one, itself left out; `computing` as in `search`.

        Raises `ImageNotFound`, `InvalidCursor`, or `SearchUnavailable`.
        """
        scope = str(image_id)
        span = self._span(query, scope)
        filters = query.filters()

        def vector_of() -> tuple[str, Sequence[float]]:
            found = self._vector.vector_of(image_id)
            if found is None:
                raise ImageNotFound("There is no such image, or it is not available to you.")
            return found

        def compute(run: SearchRun) -> Answer:
            version, vector = run.require("vector", vector_of)
            floor = self._retrieval.alike_from(run, version) if query.min_score is None else None

            def nearest(filters: Filters) -> Candidates:
                return self._retrieval.nearest(
                    vector, version, filters, span.depth(), close_from=floor, exclude=image_id
                )

            ranking = _similar(run.require("vector", partial(nearest, filters)))
            counting = {
                **self._facets.start_without_own_filter(run, query, filters, nearest),
                **self._facets.start_ranking(run, ranking, query),
            }
            return self._builder.build(span, ranking, run, counting)

        page = self._page(self._server.serve(scope, span, compute, computing), query, scope)
        self._activity.searched(page, query, span.passed)
        return page

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
        """The one page of images nearest to a vector, of which none has a lower cosine than `min_score`, else than
        `alike_from`. Raises `SearchUnavailable`."""
        run = self._dependencies.run()
        floor = alike_from if min_score is None else None
        nearest = partial(self._retrieval.nearest, vector, model_version, filters, VECTOR_CANDIDATES, close_from=floor)
        ranking = _similar(run.require("vector", nearest))
        query = Paging(limit=limit, min_score=min_score, **filters.model_dump())
        answer = self._builder.build(PageSpan(query), ranking, run, self._facets.start_ranking(run, ranking, query))
        page = self._page(answer.model_copy(update={"passed": None}), query)
        self._activity.searched(page, query, 0)
        return page

    def viewed(self, image_id: UUID, search_id: UUID | None, *, address: str = "") -> None:
        """Somebody at `address` looks at an approved image, which an answer may have shown them."""
        self._activity.viewed(image_id, search_id, address=address)

    def _find(self, query: SearchQuery, span: PageSpan, run: SearchRun) -> tuple[Answer, Ranking]:
        """The page of a search, computed, and the ranking it is of."""
        run.has_words = bool(query.q)
        parsed = run.parsed = self._parser.parse(query, partial(self._present, run))
        # Browsing and an image's id too. What scores must reach is known once there is a ranking.
        by_words = not parsed.words.groups or query.mode is Mode.KEYWORD or query.sort is not Sort.RELEVANCE
        counting = self._facets.start_matches(run) if by_words and not query.min_score else None
        depth = span.depth(exact=bool(parsed.words.exact.groups))
        ranking = self._retrieval.rank(query, run, depth)
        if counting is None:
            find = partial(self._retrieval.candidates, query, run, depth)
            counting = {
                **self._facets.start_without_own_filter(run, query, parsed.filters, find),
                **self._facets.start_ranking(run, ranking, query),
            }
        boost_terms = parsed.boost_terms if parsed.text and query.sort is Sort.RELEVANCE else None
        answer = self._builder.build(span, ranking, run, counting, boost_terms=boost_terms, vouching=parsed.vouching)
        told = {
            "spelling": parsed.spelling,
            "interpreted": list(parsed.interpreted),
            "synonyms": list(parsed.synonyms),
            "keyword_only": list(run.unknown_words),
        }
        page = answer.page.model_copy(update=told)
        return answer.model_copy(update={"page": page, "all_words": answer.all_words and not parsed.unread}), ranking

    def _present(self, run: SearchRun, words: Collection[str]) -> Collection[str]:
        """The words that any image has. If the engine does not answer, assume all of them."""
        found = run.call("keyword", lambda: self._keyword.present(words))
        return words if found is None else found

    def _span(self, query: Paging, scope: str = "") -> PageSpan:
        return PageSpan(query, self._position(query, scope) if query.cursor else None)

    def _position(self, query: Paging, scope: str) -> Position:
        if self._cursors is None:
            raise RuntimeError("this search was given no cursors")
        return self._cursors.read(query.cursor or "", query, scope)

    def _page(self, answer: Answer, query: Paging, scope: str = "") -> SearchPage:
        """The page with what is this request's own."""
        following, cursors = answer.following, self._cursors
        return answer.page.model_copy(
            update={
                "search_id": new_id(),
                "next_cursor": None if following is None or cursors is None else cursors.write(following, query, scope),
            }
        )


def _similar(near: Candidates) -> Ranking:
    return Ranking(near.hits, "similar", has_more=near.has_more, can_deepen=near.can_deepen)
