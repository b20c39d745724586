"""`/images/{image_id}` and `/terms`: for people and for search engines, so in no document of the API."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response

from functions.image_pages.page import PAGES, image_page, missing_page, terms_page
from imagemarket.app import app
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.platform.errors import NotFound
from imagemarket.platform.http import IfNoneMatch, create_api, etag_of, matches

router = APIRouter(include_in_schema=False)

_IMAGE_CACHE = "public, max-age=60"  # as long as a picture that was taken down may still be shown
_TERMS_CACHE = "public, max-age=3600"


@router.get("/images/{image_id}")
def get_image_page(image_id: str, if_none_match: IfNoneMatch = None) -> Response:
    """An approved picture: its marked preview, who made it, and under which licences it is offered."""
    try:
        detail = app().search.image_details.detail(_id_of(image_id))
    except NotFound as error:
        html = missing_page(error.title, error.detail)
        return _page(html, "no-store", status=error.status)
    html = image_page(detail, base_url=app().resources.public_base_url)
    pictures = [detail.preview_url, *(each.url for each in detail.renditions)]
    return _page(html, _IMAGE_CACHE, if_none_match, pictures=pictures)


@router.get("/terms")
def get_terms(if_none_match: IfNoneMatch = None) -> Response:
    """What the licences on offer mean."""
    return _page(terms_page(base_url=app().resources.public_base_url), _TERMS_CACHE, if_none_match)


def _id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ImageNotFound("There is no such image, or it is not available to you.") from None


def _page(
    html: str,
    cache_control: str,
    if_none_match: str | None = None,
    *,
    status: int = 200,
    pictures: list[str] | None = None,
) -> Response:
    headers = {
        "Cache-Control": cache_control,
        "Content-Security-Policy": PAGES.content_security_policy(pictures or ()),
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }
    if status != 200:
        return HTMLResponse(html, status, headers={**headers, "X-Robots-Tag": "noindex"})
    headers["ETag"] = etag_of(html.encode())
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(html, headers=headers)


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api("imagemarket: pages", router, limiter=lambda: app().resources.rate_limiter)
