"""Finds candidates by words and by meaning, side by side, and makes one ranking of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from imagemarket.search.engines.ports import EncodedQuery, Hit, KeywordEngine, QueryEncoder, VectorEngine
from imagemarket.search.query.syntax import Words
from imagemarket.search.ranking.fusion import Fusion
from imagemarket.search.request import MAX_RESULTS, VECTOR_CANDIDATES, Filters, Mode, SearchQuery, Sort
from imagemarket.search.result import AnsweredBy
from imagemarket.search.run import SearchRun


class Candidates(NamedTuple):
    """What was found, best first."""

    hits: list[Hit]
    has_more: bool = False
    """Whether more are near than were looked at."""
    can_deepen: bool = False
    """Whether a page further down looks at those as well."""
    others: Sequence[Hit] = ()
    """What comes behind and is not close enough to be a result by itself; it may still have the words."""


@dataclass(frozen=True)
class Ranking:
    """What the engines found, best first, and who answered."""

    hits: list[Hit]
    mode: AnsweredBy
    by_engine: Mapping[str, Sequence[Hit]] = field(default_factory=dict)
    """What each engine said by itself."""
    has_more: bool = False
    can_deepen: bool = False
    """See `Candidates`."""


class Retrieval:
    """Asks the engines of a process."""

    def __init__(
        self,
        keyword: KeywordEngine,
        vector: VectorEngine,
        encoder: Callable[[], QueryEncoder] | None,
        fusion: Fusion,
    ) -> None:
        """`encoder` gives the text encoder when it is first needed."""
        self._keyword = keyword
        self._vector = vector
        self._encoder = encoder
        self._alike: dict[str, float | None] = {}
        """By version of the model."""
        self.fusion = fusion

    def rank(self, query: SearchQuery, run: SearchRun, depth: int) -> Ranking:
        """The ranking of a query, of which `depth` are looked at by meaning. Where one engine does not answer the other
        serves; raises `SearchRun.unavailable` where none does."""

        def by_words() -> list[Hit]:
            return self._by_words(query, run, run.parsed.filters)

        if not run.parsed.text:
            return Ranking(run.require("keyword", by_words), "browse")
        if run.parsed.words.image_id is not None or query.sort is not Sort.RELEVANCE:
            return Ranking(run.require("keyword", by_words), "keyword")
        words: list[Hit] | None = None
        meaning: Candidates | None = None
        if query.mode is Mode.HYBRID:
            asking = run.ask("keyword", by_words)
            meaning = self._by_meaning(query, run, depth)
            words = run.result(asking)
            if words is not None and meaning is not None:
                by_engine = {"keyword": words, "vector": [*meaning.hits, *meaning.others]}
                fused = self._fuse(words, meaning)
                return Ranking(fused, "hybrid", by_engine, meaning.has_more, meaning.can_deepen)
        elif query.mode is Mode.KEYWORD:
            words = run.call("keyword", by_words)
            if words is None:
                meaning = self._by_meaning(query, run, depth)
        else:
            meaning = self._by_meaning(query, run, depth)
            if meaning is None:
                words = run.call("keyword", by_words)
        if words is not None:
            return Ranking(words, "keyword", {"keyword": words})
        if meaning is not None:
            hits = meaning.hits
            return Ranking(hits, "semantic", {"vector": hits}, meaning.has_more, meaning.can_deepen)
        raise run.unavailable()

    def candidates(self, query: SearchQuery, run: SearchRun, depth: int, filters: Filters) -> Candidates:
        """What the words and the meaning of a query find with other filters, one engine after the other."""
        by_words = by_meaning = None
        if query.mode is not Mode.SEMANTIC or run.encoded is None:
            by_words = self._by_words(query, run, filters)
        if query.mode is not Mode.KEYWORD and query.sort is Sort.RELEVANCE and run.encoded is not None:
            encoded, version = run.encoded
            near = self.nearest(encoded.vector, version, filters, depth, close_from=_close_from(query, encoded))
            by_meaning = self._with_terms(run.parsed.required(encoded.unknown), near)
        if by_meaning is None:
            return Candidates(by_words or [])
        return by_meaning if by_words is None else by_meaning._replace(hits=self._fuse(by_words, by_meaning))

    def nearest(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        depth: int,
        *,
        close_from: float | None = None,
        exclude: UUID | None = None,
    ) -> Candidates:
        """The `depth` nearest that are close enough; one more is asked for, which says whether there are more."""
        found = self._vector.nearest(vector, model_version, filters, limit=depth + 1, exclude=exclude)
        close = len(found) if close_from is None else sum(hit.score >= close_from for hit in found)
        has_more = close > depth
        return Candidates(
            found[: min(close, depth)],
            has_more,
            can_deepen=has_more and depth < MAX_RESULTS,
            others=found[close:depth],
        )

    def alike_from(self, run: SearchRun, version: str) -> float | None:
        """The cosine from which two pictures are alike, which the model's text side knows; asked for once a process."""
        if version not in self._alike and self._encoder is not None:
            encoder = self._encoder

            def ask() -> tuple[str, float | None]:
                asked = encoder()
                return asked.model_version, asked.encode("").alike_from

            answer: tuple[str, float | None] | None = run.call("encoder", ask)
            if answer is None:
                run.lacks("encoder", "Pictures that are merely nearer than others are among the results.")
            else:
                self._alike[answer[0]] = answer[1]
        return self._alike.get(version)

    def _by_words(self, query: SearchQuery, run: SearchRun, filters: Filters) -> list[Hit]:
        """What has the words, synonyms in their place; where no picture has all of them, any of them."""
        return self._keyword.search_text(run.parsed.terms, filters, sort=query.sort, limit=MAX_RESULTS, seed=query.seed)

    def _by_meaning(self, query: SearchQuery, run: SearchRun, depth: int) -> Candidates | None:
        """What is close in meaning; None where nobody can say."""
        text = run.parsed.meaning
        if not text:  # what is only not wanted shows nothing
            return None

        def encode() -> tuple[EncodedQuery, str]:
            if self._encoder is None:
                raise RuntimeError("this search was given no encoder")
            encoder = self._encoder()
            return encoder.encode(text), encoder.model_version

        answer: tuple[EncodedQuery, str] | None = run.call("encoder", encode)
        if answer is None:
            return None
        encoded, version = answer
        run.unknown_words = encoded.unknown
        if not encoded.vector:
            return None
        run.encoded = answer
        floor = _close_from(query, encoded)
        found = run.call(
            "vector", lambda: self.nearest(encoded.vector, version, run.parsed.filters, depth, close_from=floor)
        )
        required = run.parsed.required(encoded.unknown)
        if found is None or not required.groups:
            return found
        # Where the keyword engine is away, the answer says that the words were not matched.
        kept = run.call("keyword", lambda: self._with_terms(required, found))
        return found if kept is None else kept

    def _with_terms(self, terms: Words, near: Candidates) -> Candidates:
        """Those of the candidates that have all the terms; all of them where none are asked for."""
        hits = [*near.hits, *near.others]
        if not terms.groups or not hits:
            return near
        kept = self._keyword.filter_by_terms(terms, [hit.image_id for hit in hits])
        return near._replace(
            hits=[hit for hit in near.hits if hit.image_id in kept],
            others=[hit for hit in near.others if hit.image_id in kept],
        )

    def _fuse(self, by_words: Sequence[Hit], near: Candidates) -> list[Hit]:
        """What has the words or is close in meaning, in one ranking, to which both contribute. What lies beyond the
        `VECTOR_CANDIDATES` nearest follows behind, so that pages further down, which look at more, find the first ones
        as they were."""
        by_meaning = [*near.hits, *near.others]
        results = {hit.image_id for hit in (*by_words, *near.hits)}
        fused = [hit for hit in self.fusion.of(by_words, by_meaning[:VECTOR_CANDIDATES]) if hit.image_id in results]
        if beyond := near.hits[VECTOR_CANDIDATES:]:
            known = {hit.image_id for hit in fused}
            fused += [Hit(hit.image_id, 0.0) for hit in beyond if hit.image_id not in known]
        return fused


def _close_from(query: SearchQuery, encoded: EncodedQuery) -> float | None:
    """The least cosine of a result by meaning. In semantic mode a score is the cosine, so the request may say it."""
    asked = query.min_score if query.mode is Mode.SEMANTIC else None
    return encoded.close_from if asked is None else asked
