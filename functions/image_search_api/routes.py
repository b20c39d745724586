"""`/v1/search/by-image` and the upload of its query image."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from imagemarket.app import app
from imagemarket.imaging.errors import DECODE_REFUSALS
from imagemarket.platform.errors import InvalidRequest, TooManyRequests
from imagemarket.platform.gateway import is_json
from imagemarket.platform.http import (
    StrictRoute,
    check_charset,
    client_address,
    create_api,
    problem_responses,
    read_json,
    spend,
    wrong_content_type,
)
from imagemarket.search.by_image import (
    MAX_DIRECT_BYTES,
    ByUpload,
    ImageQuery,
    QueryImageType,
    QueryImageUpload,
    QueryImageUploadRequest,
)
from imagemarket.search.errors import QueryImageNotFound, SearchUnavailable
from imagemarket.search.request import BY_IMAGE_COST
from imagemarket.search.result import SearchHit, SearchPage
from imagemarket.vision.errors import ModelNotReady

router = APIRouter(route_class=StrictRoute)

_TYPES: tuple[str, ...] = get_args(QueryImageType)
_PICTURE = {"schema": {"type": "string", "format": "binary", "maxLength": MAX_DIRECT_BYTES}}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": ByUpload.model_json_schema()},
        **dict.fromkeys(_TYPES, _PICTURE),
    },
}


@router.post(
    "/v1/search/by-image/upload",
    operation_id="createQueryImageUpload",
    summary="Create an upload for a query image",
    tags=["Search"],
    status_code=201,
    responses=problem_responses(InvalidRequest, TooManyRequests),
)
def create_upload(body: QueryImageUploadRequest, request: Request, response: Response) -> QueryImageUpload:
    """Up to 10000000 bytes, straight to the object store, for ten minutes. The picture is deleted once it was searched
    by, and within a day in any case. Forms for 100 MB in ten minutes are given to one network, and for 3000 MB to all
    together."""
    response.headers["Cache-Control"] = "no-store"
    return app().search.by_image.create_upload(body, address=client_address(request))


@router.post(
    "/v1/search/by-image",
    operation_id="searchByImage",
    summary="Search images by image",
    tags=["Search"],
    response_model=SearchPage,
    openapi_extra={"requestBody": _BODY},
    responses=problem_responses(InvalidRequest, QueryImageNotFound, *DECODE_REFUSALS, ModelNotReady, SearchUnavailable),
)
async def search_by_image(request: Request, query: Annotated[ImageQuery, Query()]) -> Response:
    """The picture itself as the body (JPEG, PNG or TIFF, up to 4194304 bytes: what the gateway hands on), or the
    `upload` of a form as JSON. With all the filters of a search; one page, since the picture is not kept."""
    await run_in_threadpool(spend, request, BY_IMAGE_COST)
    body = await request.body()
    page = await run_in_threadpool(_search, request.headers.get("content-type", ""), body, query)
    shown = {"id", *query.fields} if query.fields else None
    left_out: Any = None if shown is None else {"results": {"__all__": set(SearchHit.model_fields) - shown}}
    return Response(
        page.model_dump_json(exclude=left_out), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _search(content_type: str, body: bytes, query: ImageQuery) -> SearchPage:
    if is_json(content_type):
        check_charset(content_type)
        upload = read_json(ByUpload, body).upload
        return app().search.by_image.by_upload(upload, query)
    if content_type.partition(";")[0].strip().lower() not in _TYPES:
        raise wrong_content_type(content_type, "application/json", *_TYPES)
    if not body:
        detail = "is missing: send a picture"
        raise InvalidRequest(f"body: {detail}.", errors=[{"in": "body", "field": "body", "detail": detail}])
    return app().search.by_image.by_bytes(body, query)


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api("imagemarket: search by picture", router, limiter=lambda: app().resources.rate_limiter)
