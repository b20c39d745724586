"""The errors of search."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from imagemarket.platform.errors import Conflict, DependencyUnavailable, InvalidRequest, NotFound


class InvalidCursor(InvalidRequest):
    """A cursor was tampered with, is too old, or belongs to another query."""

    slug, title, status = "invalid-cursor", "The cursor cannot be used", 422


class QueryImageNotFound(NotFound):
    """No query image came by this form, or it was used already."""

    slug, title, status = "query-image-not-found", "There is no such query image", 404


class PicturesMissing(Conflict):
    """Pictures without a vector of a model keep it from being used."""

    slug, title, status = "pictures-missing", "Some pictures have no vector of this model yet", 409


class IndexingIncomplete(DependencyUnavailable):
    """A search engine did not take every document; `image_ids` names the images to try again."""

    slug, title, status, retryable = "indexing-incomplete", "Some documents were not indexed", 503, True

    def __init__(self, image_ids: Iterable[UUID]) -> None:
        self.image_ids = frozenset(image_ids)
        super().__init__(f"{len(self.image_ids)} documents were not indexed; try them again.")


class SearchUnavailable(DependencyUnavailable):
    """No search engine could answer."""

    slug, title, status, retryable = "search-unavailable", "Search is not answering", 503, True
