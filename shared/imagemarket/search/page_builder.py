"""Makes the page of a ranking: boosts, documents, facets, and where the next page begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from imagemarket.platform.clock import Clock
from imagemarket.search.document import SearchDocument
from imagemarket.search.engines.ports import DocumentReader, Hit
from imagemarket.search.facet_counting import PendingCounts, collect
from imagemarket.search.facets import Facets
from imagemarket.search.pages import Answer
from imagemarket.search.paging import PageSpan, above_min_score
from imagemarket.search.query.interpretation import BoostTerms
from imagemarket.search.query.words import STOP_WORDS, one_spelling, other_numbers, searchable
from imagemarket.search.ranking.boosts import WINDOW, apply_boosts, boosts
from imagemarket.search.ranking.retrieval import Ranking
from imagemarket.search.request import MAX_RESULTS, VECTOR_CANDIDATES
from imagemarket.search.result import ContributorView, RenditionView, SearchHit, SearchPage
from imagemarket.search.run import NO_IMAGE, SearchRun


@dataclass(frozen=True)
class PageBuilder:
    """Reads documents and makes pages of them."""

    reader: DocumentReader
    second_reader: DocumentReader | None
    """Gives documents back while `reader` does not answer."""
    media_base_url: str
    public_base_url: str
    clock: Clock

    def build(
        self,
        span: PageSpan,
        ranking: Ranking,
        run: SearchRun,
        counting: PendingCounts,
        *,
        boost_terms: BoostTerms | None = None,
        vouching: str = "",
    ) -> Answer:
        """The page of a ranking, and whether a picture of it has all the words of `vouching`; None as `boost_terms`
        leaves the order as it is.

        Documents are read in one round trip: where boosts may change the order, those of the window together with the
        page's; in two where the page then begins elsewhere. Raises `SearchRun.unavailable` where nobody gives
        documents."""
        query = span.query
        hits = above_min_score(ranking.hits, query)[:MAX_RESULTS]
        documents: dict[UUID, SearchDocument] = {}
        boosted: dict[UUID, dict[str, float]] = {}
        read_to = 0
        if boost_terms is not None and span.passed < WINDOW:
            read_to = max(WINDOW, span.passed + query.limit)
            documents = self._documents(hits[:read_to], run)
            now = self.clock.now()
            moved = [hit.image_id for hit in hits[:WINDOW] if hit.image_id in documents]
            boosted = {image_id: boosts(documents[image_id], boost_terms, now) for image_id in moved}
            hits = apply_boosts(hits, boosted)
        begin = span.begin(hits)
        chosen = hits[begin : begin + query.limit]
        if begin + len(chosen) > read_to:
            documents = self._documents(chosen, run)
        counts = collect(run, counting)
        end = begin + len(chosen)
        more = bool(chosen) and (end < len(hits) or (ranking.can_deepen and len(hits) >= VECTOR_CANDIDATES))
        page = SearchPage(
            # An image that left the catalogue a moment ago has no document any more.
            results=[self._hit(documents[hit.image_id], hit.score) for hit in chosen if hit.image_id in documents],
            page=span.number,
            facets=counts.facets if counts else Facets(),
            facets_estimated=bool(counts and counts.estimated),
            estimated_total=max(counts.total if counts else 0, len(hits)),
            next_cursor=None,
            mode=ranking.mode,
            search_id=NO_IMAGE,  # each answer gets one of its own
            degraded=run.degraded(),
        )
        return Answer(
            page=page,
            passed=end if more else None,
            last=chosen[-1].image_id if more else None,
            boosts={hit.image_id: boosted[hit.image_id] for hit in chosen if hit.image_id in boosted},
            all_words=boost_terms is not None and any(_has_all(each, vouching) for each in documents.values()),
        )

    def _documents(self, hits: Sequence[Hit], run: SearchRun) -> dict[UUID, SearchDocument]:
        if not hits:
            return {}
        ids = [hit.image_id for hit in hits]
        found = run.call("documents", lambda: self.reader.documents(ids))
        if found is None and (second := self.second_reader) is not None:
            found = run.call("vector", lambda: second.documents(ids))
            if found is not None:
                run.recovered("documents")
        if found is None:
            raise run.unavailable()
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
                    url=f"{self.media_base_url}/{rendition.key}",
                )
                for rendition in document.renditions
            ],
            preview_url=f"{self.public_base_url}/v1/images/{document.image_id}/preview",
        )


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
