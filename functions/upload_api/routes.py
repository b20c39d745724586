"""`/v1/images/upload`, its parts and its next try; `/v1/categories`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Response
from pydantic import BaseModel, Field

from imagemarket.app import app
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.ingestion.errors import TooManyOpenUploads, UploadAllowanceUsed, UploadIncomplete
from imagemarket.ingestion.models import (
    CompleteUpload,
    RetryRequest,
    RetryTicket,
    UploadRequest,
    UploadTicket,
)
from imagemarket.platform.errors import (
    Conflict,
    Forbidden,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    InvalidRequest,
    TokenExpired,
)
from imagemarket.platform.http import Caller, IdempotencyKey, StrictRoute, create_api, problem_responses, require_role

router = APIRouter(route_class=StrictRoute)

Contributor = Annotated[Caller, Depends(require_role("contributor"))]


class CategoryView(BaseModel):
    """A category a picture can be filed under."""

    slug: str
    name: str


class CategoryPage(BaseModel):
    """All categories, by slug."""

    items: list[CategoryView]
    next_cursor: None = Field(default=None, description="There is one page of them.")


@router.post(
    "/v1/images/upload",
    operation_id="createUpload",
    summary="Announce an upload and get a presigned URL for its bytes",
    tags=["Upload"],
    status_code=201,
    responses=problem_responses(
        TokenExpired,
        Forbidden,
        Conflict,
        InvalidRequest,
        IdempotencyKeyReused,
        IdempotencyInFlight,
        TooManyOpenUploads,
        UploadAllowanceUsed,
    ),
)
def create_upload(
    body: UploadRequest,
    caller: Contributor,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> UploadTicket:
    """The bytes go straight to the object store: by a form of exactly the announced size, type and
    checksum, above 100 MiB in parts. Processing starts by itself when they have arrived."""
    response.headers["Cache-Control"] = "no-store"
    return app().ingestion.uploads.announce(caller.account_id, body, idempotency_key=idempotency_key)


@router.post(
    "/v1/images/{image_id}/upload/complete",
    operation_id="completeUpload",
    summary="Join the parts of a multipart upload",
    tags=["Upload"],
    status_code=204,
    responses=problem_responses(TokenExpired, Forbidden, ImageNotFound, Conflict, UploadIncomplete, InvalidRequest),
)
def complete_upload(image_id: UUID, body: CompleteUpload, caller: Contributor) -> None:
    """Refused until every part has arrived with its announced size; safe to send again."""
    app().ingestion.uploads.complete(caller.account_id, image_id, body.parts)


@router.delete(
    "/v1/images/{image_id}/upload",
    operation_id="abortUpload",
    summary="Give up an upload",
    tags=["Upload"],
    status_code=204,
    responses=problem_responses(TokenExpired, Forbidden, ImageNotFound, Conflict, InvalidRequest),
)
def abort_upload(image_id: UUID, caller: Contributor) -> None:
    """Throws away what has arrived; refused once processing has begun."""
    app().ingestion.uploads.abort(caller.account_id, image_id)


@router.post(
    "/v1/images/{image_id}/retry",
    operation_id="retryImage",
    summary="Try again with an image that did not make it",
    tags=["Upload"],
    status_code=202,
    responses=problem_responses(
        TokenExpired,
        Forbidden,
        ImageNotFound,
        Conflict,
        InvalidRequest,
        IdempotencyKeyReused,
        IdempotencyInFlight,
        TooManyOpenUploads,
        UploadAllowanceUsed,
    ),
)
def retry_image(
    image_id: UUID,
    body: RetryRequest,
    caller: Contributor,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RetryTicket:
    """An image that is `processing_failed` starts again from the file that was kept. Where the bytes were at fault
    (`original-mismatch`, `unreadable-image`), or are no longer kept after 30 days, `upload` takes others. A refusal
    with `Retry-After` means that the last run is still being cleaned up after."""
    response.headers["Cache-Control"] = "no-store"
    return app().ingestion.retries.retry(caller.account_id, image_id, body, idempotency_key=idempotency_key)


@router.get(
    "/v1/categories",
    operation_id="listCategories",
    summary="The categories a picture can have",
    tags=["Catalogue"],
)
def list_categories(response: Response) -> CategoryPage:
    """All of them; the list changes only with a release."""
    response.headers["Cache-Control"] = "public, max-age=3600"
    items = [CategoryView(slug=category.slug, name=category.name) for category in CATEGORIES]
    return CategoryPage(items=items)


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api(
        "imagemarket: upload",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
