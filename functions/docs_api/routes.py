"""`/v1/health`, `/v1/openapi.json`, `/v1/docs` and `/v1/problems/{slug}`."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Header, Path, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from functions.docs_api.page import CONTENT_SECURITY_POLICY, docs_page, problem_page
from imagemarket import wiring
from imagemarket.platform.errors import InvalidRequest, MarketError, NotFound, walk
from imagemarket.platform.http import create_api, problem_responses

router = APIRouter()

_OPENAPI = FilePath(__file__).with_name("openapi.json")
_CACHE = "public, max-age=300"

IfNoneMatch = Annotated[
    str | None,
    Header(max_length=1000, description="The ETag of the copy at hand; answered with 304 while it is the newest."),
]


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
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


@cache
def _docs_html() -> tuple[str, str]:
    """The page and its ETag; made once, since neither document nor address changes in a process."""
    html = docs_page(json.loads(_document()[0]), base_url=wiring.public_base_url())
    return html, f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'


def _matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110, 13.1.2: weak comparison against a list, or `*`."""
    named = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in named or "*" in named


def _unchanged(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": _CACHE})


def _page(html: str, **headers: str) -> HTMLResponse:
    return HTMLResponse(
        html,
        headers={
            "Cache-Control": _CACHE,
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
            **headers,
        },
    )


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
    if _matches(if_none_match, etag):
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
    return _unchanged(etag) if _matches(if_none_match, etag) else _page(html, ETag=etag)


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
        page: Any = _page(problem_page(**kind.model_dump()), Vary="Accept")
        return page
    response.headers["Cache-Control"] = _CACHE
    response.headers["Vary"] = "Accept"
    return kind


@cache
def _problem_types() -> dict[str, type[MarketError]]:
    return {error.slug: error for error in walk()}


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api("imagemarket: documentation", router)
