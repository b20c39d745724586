"""`/v1/images/{image_id}/preview` and `/clean`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Response

from imagemarket.app import app
from imagemarket.catalog.errors import ImageGone, ImageNotFound
from imagemarket.platform.errors import Forbidden, InvalidRequest, TokenExpired
from imagemarket.platform.http import Caller, StrictRoute, create_api, problem_responses, require_role

router = APIRouter(route_class=StrictRoute)

Accept = Annotated[str, Header(max_length=1000, description="AVIF, WebP or JPEG, whichever is the smallest named.")]


def _redirect(response: Response, url: str, cache_control: str) -> None:
    response.headers["Location"] = url
    response.headers["Cache-Control"] = cache_control
    response.headers["Vary"] = "Accept"


@router.get(
    "/v1/images/{image_id}/preview",
    operation_id="getImagePreview",
    summary="The watermarked 1000 px preview",
    tags=["Delivery"],
    status_code=302,
    response_class=Response,
    responses=problem_responses(ImageNotFound, ImageGone, InvalidRequest),
)
def get_image_preview(image_id: UUID, response: Response, accept: Accept = "*/*") -> None:
    """Redirects to the rendition on the CDN in the format that `Accept` prefers."""
    _redirect(response, app().delivery.service.preview_url(image_id, accept), "public, max-age=60")


@router.get(
    "/v1/images/{image_id}/clean",
    operation_id="getCleanRendition",
    summary="The clean 1000 px rendition",
    tags=["Delivery"],
    status_code=302,
    response_class=Response,
    responses=problem_responses(TokenExpired, Forbidden, ImageNotFound, ImageGone, InvalidRequest),
)
def get_clean_rendition(
    image_id: UUID,
    caller: Annotated[Caller, Depends(require_role("contributor", "admin"))],
    response: Response,
    accept: Accept = "*/*",
) -> None:
    """For the image's contributor and for admins: redirects to a URL that reads for five minutes."""
    owner = None if caller.role == "admin" else caller.account_id
    _redirect(response, app().delivery.service.clean_url(image_id, accept, contributor_id=owner), "no-store")


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api(
        "imagemarket: delivery",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
