"""`/v1/search` with its suggestions and explanations, `/v1/images/{image_id}` and its `/similar`."""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from starlette.routing import Route

from imagemarket.app import app
from imagemarket.catalog.errors import ImageGone, ImageNotFound
from imagemarket.platform.errors import Forbidden, InvalidRequest, TokenExpired
from imagemarket.platform.http import (
    Caller,
    IfNoneMatch,
    StrictRoute,
    client_address,
    create_api,
    etag_of,
    matches,
    method_not_allowed,
    problem_responses,
    require_role,
    spend,
)
from imagemarket.platform.telemetry import duration
from imagemarket.search.details import ImageDetail
from imagemarket.search.errors import InvalidCursor, SearchUnavailable
from imagemarket.search.request import COMPUTED_COST, LookQuery, Paging, SearchQuery, SimilarQuery
from imagemarket.search.result import ExplainedPage, SearchHit, SearchPage
from imagemarket.search.suggestions import SuggestPage, SuggestQuery

router = APIRouter(route_class=StrictRoute)

_PAGE_CACHE = "public, max-age=60"  # specification 6.2
_DETAIL_CACHE = "public, max-age=60"  # as long as a picture that was taken down may still be shown
_NOT_MODIFIED = {304: {"description": "The copy at hand is still right."}}

_SUGGEST_CACHE = _DETAIL_CACHE  # titles of pictures that were taken down may be among them
Admin = Annotated[Caller, Depends(require_role("admin"))]


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
    started = time.perf_counter()
    page = app().search.service.search(
        query, address=client_address(request), computing=lambda: spend(request, COMPUTED_COST)
    )
    duration(f"SearchDuration.{page.mode}", (time.perf_counter() - started) * 1000)
    return _page(page, query, request, if_none_match)


@router.get(
    "/v1/search/suggest",
    operation_id="suggestQueries",
    summary="Complete what is being typed",
    tags=["Search"],
    response_model=SuggestPage,
    responses=_NOT_MODIFIED | problem_responses(InvalidRequest, SearchUnavailable),
)
def suggest_queries(query: Annotated[SuggestQuery, Query()], if_none_match: IfNoneMatch = None) -> Response:
    """Titles, tags and what is often searched, the most frequent first; a slip of the finger is forgiven."""
    return _answer(app().search.suggestions.suggest(query).model_dump_json(), _SUGGEST_CACHE, if_none_match)


@router.get(
    "/v1/search/explain",
    operation_id="explainSearch",
    summary="Why a page of results looks as it does",
    tags=["Search"],
    responses=problem_responses(TokenExpired, Forbidden, InvalidRequest, InvalidCursor, SearchUnavailable),
)
def explain_search(
    query: Annotated[SearchQuery, Query()], _caller: Admin, request: Request, response: Response
) -> ExplainedPage:
    """The same search, computed anew, with each result's places, scores and boosts."""
    spend(request, COMPUTED_COST)
    response.headers["Cache-Control"] = "no-store"
    return app().search.service.explain(query)


def _refuse_to_read_uploads(request: Request) -> Response:
    """The gateway's line for images takes `GET /v1/images/upload` too, which is no image's address."""
    raise method_not_allowed(request.method, ["POST"])


@router.get(
    "/v1/images/{image_id}",
    operation_id="getImage",
    summary="Everything the public may know of a picture",
    tags=["Search"],
    response_model=ImageDetail,
    responses=_NOT_MODIFIED | problem_responses(ImageNotFound, ImageGone, InvalidRequest),
)
def get_image(
    image_id: UUID,
    query: Annotated[LookQuery, Query()],
    request: Request,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Of approved pictures alone. Each network's first look of a day makes the picture more popular."""
    detail = app().search.image_details.detail(image_id).model_dump_json()
    app().search.service.viewed(image_id, query.search_id, address=client_address(request))
    return _answer(detail, _DETAIL_CACHE, if_none_match)


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
        page = app().search.service.similar(image_id, query, computing=lambda: spend(request, COMPUTED_COST))
    except ImageNotFound:
        raise app().search.image_details.absence(image_id) from None
    return _page(page, query, request, if_none_match)


def _page(page: SearchPage, query: Paging, request: Request, if_none_match: str | None) -> Response:
    # An answer that an engine is missing from must not outlive the trouble; that the cache is away changes nothing.
    whole = all(each.part == "cache" for each in page.degraded)
    shown = {"id", *query.fields} if query.fields else None
    left_out: dict[str, Any] = {}
    if shown is not None:
        left_out["results"] = {"__all__": set(SearchHit.model_fields) - shown}
    # What differs from answer to answer with the same results is not part of their state.
    state = page.model_dump_json(exclude={**left_out, **dict.fromkeys(("search_id", "next_cursor", "degraded"), True)})
    body = page.model_dump_json(exclude=left_out)
    answer = _answer(body, _PAGE_CACHE if whole else "no-store", if_none_match, state=state)
    first = [(name, value) for name, value in request.query_params.multi_items() if name not in {"cursor", "page"}]
    links = [_link(request, first, "first")]
    if page.next_cursor:
        links.append(_link(request, [*first, ("cursor", page.next_cursor)], "next"))
    answer.headers["Link"] = ", ".join(links)
    return answer


def _link(request: Request, parameters: list[tuple[str, str]], relation: str) -> str:
    address = request.url.path + (f"?{urlencode(parameters)}" if parameters else "")
    return f'<{address}>; rel="{relation}"'


def _answer(body: str, cache_control: str, if_none_match: str | None, *, state: str | None = None) -> Response:
    """The JSON with a weak ETag over its `state`, or 304 where the client has that already."""
    etag = etag_of((body if state is None else state).encode())
    headers = {"ETag": etag, "Cache-Control": cache_control}
    if matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def build_api() -> FastAPI:
    """The app of this function."""
    api = create_api(
        "imagemarket: search",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
    api.router.routes.insert(0, Route("/v1/images/upload", _refuse_to_read_uploads, methods=["GET"]))
    return api
