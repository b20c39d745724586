"""`/v1/health`, `/v1/openapi.json`, `/v1/docs` and `/v1/problems/{slug}`."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Header, Path, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from starlette.routing import Route

from imagemarket.app import app
from imagemarket.platform.errors import InvalidRequest, MarketError, NotFound, error_classes
from imagemarket.platform.http import (
    IfNoneMatch,
    StrictRoute,
    create_api,
    etag_of,
    matches,
    method_not_allowed,
    path_not_utf8,
    problem_responses,
    with_head,
)
from imagemarket.platform.text import LOST

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

router = APIRouter(route_class=StrictRoute)

_OPENAPI = FilePath(__file__).with_name("openapi.json")
_ROUTES = FilePath(__file__).with_name("routes.json")
"""What the gateway has lines for, pages for people included, which are in no document of the API."""
_CACHE = "public, max-age=300"


class Index(BaseModel):
    """The API and where it explains itself."""

    name: str = "imagemarket"
    version: Annotated[str, Field(description="The version of the API.")]
    documentation: Annotated[str, Field(description="A page for people.")] = "/v1/docs"
    openapi: Annotated[str, Field(description="The same for machines.")] = "/v1/openapi.json"
    search: Annotated[str, Field(description="Where pictures are found.")] = "/v1/search"
    health: str = "/v1/health"


class Health(BaseModel):
    """The API answers."""

    status: Literal["ok"] = "ok"
    version: Annotated[str, Field(description="The version of the API.")]


class ProblemType(BaseModel):
    """A kind of problem: what the `type` of a problem document refers to."""

    type: Annotated[str, Field(description="What `type` says in a problem document of this kind.")]
    title: str
    status: Annotated[int, Field(description="The HTTP status that comes with it.")]
    retryable: Annotated[bool, Field(description="Whether the same request can succeed later.")]
    explanation: str


@cache
def _document() -> tuple[bytes, str]:
    """The committed OpenAPI document and its ETag."""
    content = _OPENAPI.read_bytes()
    return content, etag_of(content)


@cache
def _docs_html() -> tuple[str, str]:
    """The page and its ETag; made once, since neither document nor address changes in a process."""
    # Here, since most of what this function answers is no page: preflights, and paths that are not there.
    from functions.docs_api.page import docs_page

    html = docs_page(json.loads(_document()[0]), base_url=app().resources.public_base_url)
    return html, etag_of(html.encode())


def _unchanged(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": _CACHE})


def _page(html: str, **headers: str) -> HTMLResponse:
    from functions.docs_api.page import PAGES

    return HTMLResponse(
        html,
        headers={
            "Cache-Control": _CACHE,
            "Content-Security-Policy": PAGES.content_security_policy(),
            "Referrer-Policy": "no-referrer",
            **headers,
        },
    )


@router.get("/v1", operation_id="getIndex", summary="Where to begin", tags=["Documentation"])
def get_index(request: Request, response: Response) -> Index:
    """The addresses of what explains the rest."""
    response.headers["Cache-Control"] = _CACHE
    return Index(version=request.app.version)


@router.get("/v1/health", operation_id="getHealth", summary="Whether the API answers", tags=["Documentation"])
def get_health(request: Request, response: Response) -> Health:
    """Liveness alone: touches no database, store or engine, and says nothing of them."""
    response.headers["Cache-Control"] = "no-store"
    return Health(version=request.app.version)


@router.get(
    "/v1/openapi.json",
    operation_id="getOpenApi",
    summary="This API as an OpenAPI 3.1 document",
    tags=["Documentation"],
    response_model=dict[str, Any],
    responses={304: {"description": "The copy at hand is the newest."}},
)
def get_openapi(if_none_match: IfNoneMatch = None) -> Response:
    """The document that this page and generated clients are made from."""
    content, etag = _document()
    if matches(if_none_match, etag):
        return _unchanged(etag)
    return Response(content, media_type="application/json", headers={"ETag": etag, "Cache-Control": _CACHE})


@router.get(
    "/v1/docs",
    operation_id="getDocs",
    summary="This API as a page for people",
    tags=["Documentation"],
    response_class=HTMLResponse,
    responses={304: {"description": "The copy at hand is the newest."}},
)
def get_docs(if_none_match: IfNoneMatch = None) -> Response:
    """One page without scripts and without anything loaded from elsewhere."""
    html, etag = _docs_html()
    return _unchanged(etag) if matches(if_none_match, etag) else _page(html, ETag=etag)


@router.get(
    "/v1/problems/{slug}",
    operation_id="getProblemType",
    summary="What a kind of problem means",
    tags=["Documentation"],
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **problem_responses(NotFound, InvalidRequest),
    },
)
def get_problem_type(
    slug: Annotated[str, Path(max_length=100, description="The last part of a problem's `type`.")],
    response: Response,
    accept: Annotated[str, Header(max_length=1000, description="`text/html` for a page, else JSON.")] = "*/*",
) -> ProblemType:
    """Where the `type` of every problem document leads: a page in a browser, else JSON."""
    error = _problem_types().get(slug)
    if error is None:
        raise NotFound("No kind of problem has that name.")
    kind = ProblemType(
        type=f"/v1/problems/{error.slug}",
        title=error.title,
        status=error.status,
        retryable=error.retryable,
        explanation=" ".join((error.__doc__ or "").split()),
    )
    if "text/html" in accept.lower():
        from functions.docs_api.page import problem_page

        page: Any = _page(problem_page(kind.model_dump()), Vary="Accept")
        return page
    response.headers["Cache-Control"] = _CACHE
    response.headers["Vary"] = "Accept"
    return kind


@cache
def _problem_types() -> dict[str, type[MarketError]]:
    return {error.slug: error for error in error_classes()}


@cache
def _paths() -> list[tuple[re.Pattern[str], frozenset[str]]]:
    """Each path that the gateway has a line for as a pattern, with the methods it takes."""
    taken: dict[str, set[str]] = {}
    for route in json.loads(_ROUTES.read_text(encoding="utf-8")):
        taken.setdefault(route["path"], set()).add(route["method"])
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), frozenset(methods))
        for path, methods in sorted(taken.items(), key=lambda entry: entry[0].count("{"))
    ]


def _methods(path: str) -> frozenset[str]:
    """Of the path that names the most of it: `/v1/images/upload` is no image's."""
    return next((methods for pattern, methods in _paths() if pattern.fullmatch(path)), frozenset())


def _answer_for_the_rest(request: Request) -> Response:
    """Whatever the gateway has no line for: a browser that asks before it calls may go on, a path with a slash too
    many leads to the one that is meant, another method is told those that are taken, and anything else is not there.
    """
    # The event has it decoded once; the adapter decodes it a second time, and `request.url` encodes some of it anew.
    path: str = (request.scope.get("aws.event") or {}).get("rawPath", request.scope["path"])
    allowed = _methods(path)
    if request.method == "OPTIONS":
        # A preflight counts at 2xx alone, also for what is not there: the page could not read that it is not. What it
        # asks for the gateway says, which adds its headers to this answer.
        return Response(status_code=204, headers={"Allow": ", ".join([*with_head(allowed), "OPTIONS"])})
    meant = "/" + "/".join(part for part in path.split("/") if part)
    if LOST in path:  # of bytes that are no UTF-8 the event holds no more than that there were some
        raise path_not_utf8()
    if meant != path and _methods(meant):
        query = f"?{request.url.query}" if request.url.query else ""
        return Response(status_code=308, headers={"Location": f"{quote(meant)}{query}"})
    if allowed:
        raise method_not_allowed(request.method, allowed)
    raise NotFound("No route of this API has that path; /v1 names where to begin.")


class _TheRest:
    """As ASGI, since a route that is a function has to name its methods."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _answer_for_the_rest(Request(scope))(scope, receive, send)


def build_api() -> FastAPI:
    """The app of this function."""
    api = create_api("imagemarket: documentation", router)
    api.router.routes.append(Route("/{path:path}", _TheRest()))
    return api
