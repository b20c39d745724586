"""Why an image is held for review: what is told to its contributor, and what the staff sees beside it."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from imagemarket.catalog import repository as catalog
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.ingestion.repository import duplicates as repository
from imagemarket.platform.database import Database

NSFW_REVIEW_FROM = 0.1
"""From this score on an image is held (specification 2.8)."""

_SENSITIVE = "It may not be safe for work."
_OWN_COPY = "It may be a copy of an image of yours."
_COPY = "It may be a copy of an image that is here already."


class ReviewReason(BaseModel):
    """Why an image is held for review: a machine `code` and a sentence."""

    code: Literal["sensitive-content", "probable-duplicate"]
    detail: str
    duplicate_of: UUID | None = Field(
        default=None, description="The earlier image, told only when it belongs to the same contributor."
    )


def reasons(database: Database, image_id: UUID) -> list[ReviewReason]:
    """Why the image is held, for its contributor: of others' images neither the id nor how alike they are."""
    found = []
    row = catalog.for_review(database, image_id)
    if row is not None and (row["nsfw_score"] or 0) >= NSFW_REVIEW_FROM:
        found.append(ReviewReason(code="sensitive-content", detail=_SENSITIVE))
    others = repository.probable_copies(database, image_id)
    found += [
        ReviewReason(code="probable-duplicate", detail=_OWN_COPY, duplicate_of=other["other_id"])
        for other in others
        if other["own"]
    ]
    if any(not other["own"] for other in others):  # once, however many
        found.append(ReviewReason(code="probable-duplicate", detail=_COPY))
    return found


def dossier(database: Database, image_id: UUID) -> dict[str, Any]:
    """All that speaks for or against the image, for the staff: its own columns, and in `evidence` each earlier image
    that it may be a copy of, with what was measured (see `ingestion.fingerprints.Evidence`).

    Raises `ImageNotFound`.
    """
    image = catalog.for_review(database, image_id)
    if image is None:
        raise ImageNotFound("There is no such image.")
    return {**image, "evidence": repository.evidence(database, image_id)}
