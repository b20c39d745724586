"""`/v1/search`, `/v1/images/{image_id}` and `/v1/images/{image_id}/similar`."""

from __future__ import annotations

import hashlib
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from pydantic import BaseModel

from imagemarket import wiring
from imagemarket.platform.errors import ImageGone, ImageNotFound, InvalidCursor, InvalidRequest, SearchUnavailable
from imagemarket.platform.http import create_api, problem_responses
from imagemarket.search.models import ImageDetail, SearchPage, SearchQuery, SimilarQuery

router = APIRouter()

_PAGE_CACHE = "public, max-age=60"  # specification 6.2
_DETAIL_CACHE = "public, max-age=60"  # as long as a picture that was taken down may still be shown
_NOT_MODIFIED = {304: {"description": "The copy at hand is still right."}}

IfNoneMatch = Annotated[
    str | None,
    Header(max_length=1000, description="The ETag of the copy at hand; answered with 304 while it is still right."),
]


@router.get(
    "/v1/search",
    operation_id="searchImages",
    summary="Find pictures by words, by meaning and by what they must be",
    tags=["Search"],
    response_model=SearchPage,
    responses=_NOT_MODIFIED | problem_responses(InvalidRequest, InvalidCursor, SearchUnavailable),
)
def search_images(
    query: Annotated[SearchQuery, Query()], request: Request, if_none_match: IfNoneMatch = None
) -> Response:
    """Without `q` the newest pictures come first. `next_cursor` leads to the next page, up to 1,000 results;
    `Link` carries its URL. Facets count what each further filter would leave."""
    return _page(wiring.search().search(query), request, if_none_match)


@router.get(
    "/v1/images/{image_id}",
    operation_id="getImage",
    summary="Everything the public may know of a picture",
    tags=["Search"],
    response_model=ImageDetail,
    responses=_NOT_MODIFIED | problem_responses(ImageNotFound, ImageGone, InvalidRequest),
)
def get_image(image_id: UUID, if_none_match: IfNoneMatch = None) -> Response:
    """Of approved pictures alone."""
    return _answer(wiring.image_details().detail(image_id), _DETAIL_CACHE, if_none_match)


@router.get(
    "/v1/images/{image_id}/similar",
    operation_id="findSimilarImages",
    summary="Pictures that look like a picture",
    tags=["Search"],
    response_model=SearchPage,
    responses=_NOT_MODIFIED
    | problem_responses(ImageNotFound, ImageGone, InvalidRequest, InvalidCursor, SearchUnavailable),
)
def find_similar_images(
    image_id: UUID,
    query: Annotated[SimilarQuery, Query()],
    request: Request,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Nearest first, with the filters of a search; the picture itself is left out."""
    try:
        page = wiring.search().similar(image_id, query)
    except ImageNotFound:
        raise wiring.image_details().absence(image_id) from None
    return _page(page, request, if_none_match)


def _page(page: SearchPage, request: Request, if_none_match: str | None) -> Response:
    # An answer that an engine is missing from must not outlive the trouble.
    answer = _answer(page, "no-store" if page.degraded else _PAGE_CACHE, if_none_match, aside={"search_id"})
    if page.next_cursor:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in {"cursor", "page"}]
        address = f"{request.url.path}?{urlencode([*kept, ('cursor', page.next_cursor)])}"
        answer.headers["Link"] = f'<{address}>; rel="next"'
    return answer


def _answer(
    content: BaseModel, cache_control: str, if_none_match: str | None, aside: set[str] | None = None
) -> Response:
    """The JSON with a weak ETag over all of it but `aside`, or 304 where the client has it already."""
    digest = hashlib.sha256(content.model_dump_json(exclude=aside).encode()).hexdigest()[:32]
    etag = f'W/"{digest}"'
    headers = {"ETag": etag, "Cache-Control": cache_control}
    if if_none_match and f'"{digest}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(content.model_dump_json(), media_type="application/json", headers=headers)


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api("imagemarket: search", router)
