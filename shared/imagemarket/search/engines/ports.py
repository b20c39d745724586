"""What the search needs of its engines. Every engine passes the same contract tests.

Whatever reads raises `DependencyUnavailable` where the engine does not answer, and `QueryRefused` where it answers that
it cannot take the question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.facets import FacetCounts
from imagemarket.search.query.syntax import Words
from imagemarket.search.request import Filters, Sort


class Hit(NamedTuple):
    """One image an engine found; scores compare within one answer of one engine alone."""

    image_id: UUID
    score: float


class QueryRefused(Exception):
    """An engine is well and does not take this one question: asking again changes nothing."""


class DocumentSink(Protocol):
    """Whoever is told of search documents: engines, the words they are completed with, the pages that are kept."""

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """Puts documents in and takes images out; returns how many changed anything.

        What carries an older version than the index has seen of that image changes nothing, also
        when what it saw last was a removal, so messages may come twice and in any order.
        Raises `IndexingIncomplete` when it took some of them only.
        """
        ...


class SearchIndex(DocumentSink, Protocol):
    """Where search documents are kept."""

    def versions(self, image_ids: Sequence[UUID]) -> dict[UUID, int]:
        """The versions of those of the images that are listed."""
        ...

    def differing(self, documents: Sequence[SearchDocument]) -> set[UUID]:
        """Those of the documents that are listed in the same version and hold something else: in what is given back
        as in what is searched by, vectors to half precision."""
        ...

    def listed(self) -> Iterator[UUID]:
        """Every listed image, in any order; what changes meanwhile may be in it or not."""
        ...

    def rebuild(self) -> Rebuild:
        """A new, empty index beside this one."""
        ...


class Rebuild(Protocol):
    """An index that is being filled while another serves."""

    @property
    def index(self) -> SearchIndex:
        """Where its documents are written."""
        ...

    def switch(self) -> None:
        """Puts it in the other's place at once, and removes the other."""
        ...

    def abandon(self) -> None:
        """Removes it; the other goes on."""
        ...


class KeywordEngine(SearchIndex, Protocol):
    """Finds documents by their words and filters."""

    def search_text(self, text: str | Words, filters: Filters, *, sort: Sort, limit: int, seed: int = 0) -> list[Hit]:
        """At most `limit` documents, in the same order every time while nothing is written.

        All words must be there, each in any of its forms (`syntax.Clause.forms`); when no document has them all, any
        word is enough. The very word counts more than its stem. An image's id matches that image. No text matches
        every document, words without a group none. `seed` chooses among the orders of `Sort.RANDOM`, see `shuffle`.
        """
        ...

    def count_facets(self, text: str | Words, filters: Filters) -> FacetCounts:
        """Facets and total of what `search_text` finds, true up to 10,000 of them; a facet whose own filter is
        in use counts what `search_text` would find with `filters.without_own_filter()` of it, by the same words."""
        ...

    def facets_of(self, image_ids: Sequence[UUID], *facets: str) -> FacetCounts:
        """Facets and total of these documents; only the facets named, where any are."""
        ...

    def filter_by_terms(self, text: str | Words, image_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the listed documents that have all of the words, phrases kept together, and none that a minus
        excludes."""
        ...

    def present(self, words: Collection[str]) -> set[str]:
        """Those of the words that a document has in any form, of those that a search without filters looks at."""
        ...


class VectorEngine(SearchIndex, Protocol):
    """Finds documents by their embedding."""

    def nearest(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        *,
        limit: int,
        exclude: UUID | None = None,
    ) -> list[Hit]:
        """The `limit` nearest documents of the same model that pass the filters, by cosine, nearest
        first; the list is full whenever so many pass. `vector` has 768 dimensions, unit length."""
        ...

    def vector_of(self, image_id: UUID) -> tuple[str, Sequence[float]] | None:
        """`(model_version, vector)` of a listed image; None when there is none."""
        ...


class DocumentReader(Protocol):
    """Reads documents back for a page."""

    def documents(self, image_ids: Sequence[UUID]) -> list[SearchDocument]:
        """Those of the documents that are listed, in the order asked for, without embeddings."""
        ...


class EncodedQuery(NamedTuple):
    """Words in the space of the images' embeddings."""

    vector: Sequence[float]
    """Of unit length and 768 dimensions; empty where the model knows none of the words."""
    close_from: float | None = None
    """Cosine from which a picture is close to them; None: every picture counts as close."""
    unknown: tuple[str, ...] = ()
    """The words that the model knows nothing of, which are not in the vector."""
    alike_from: float | None = None
    """Cosine from which two pictures are alike in this space; None: every two count as alike."""


class QueryEncoder(Protocol):
    """Turns words into the space of the images' embeddings."""

    @property
    def model_version(self) -> str:
        """The model whose images these vectors compare with."""
        ...

    def encode(self, text: str) -> EncodedQuery:
        """What the words mean."""
        ...
