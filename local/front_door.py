"""One door to the local cloud: the API, the public renditions as a CDN serves them, and the way to the docs page.

python -m local.front_door --port 8080 --aws http://127.0.0.1:4566 --outputs outputs.json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

API_IN_FLIGHT = 12
"""API calls at once. Each holds a function process, and two cores serve no more than these in good time."""
_API_QUEUE_SECONDS = 20.0
_MAX_BODY_BYTES = 6 * 2**20
"""What a Lambda takes from its gateway (AWS quota: 6 MB)."""
_MEDIA_PREFIXES = ("thumbnails/", "watermarked/")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"})
_MEDIA_REQUEST_HEADERS = ("if-none-match", "if-modified-since", "range")
_MEDIA_HEADERS = (
    *("content-type", "content-length", "content-range", "accept-ranges"),
    *("cache-control", "etag", "last-modified"),
)


def _problem(status: int, title: str, detail: str, **headers: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def _no_answer(error: httpx.TransportError) -> JSONResponse:
    return _problem(503, "No answer", f"The local cloud does not answer ({type(error).__name__})", Retry_After="2")


class FrontDoor:
    """Passes requests on to the emulator: what API Gateway's domain and CloudFront are in the cloud."""

    def __init__(self, aws: str, outputs: Path) -> None:
        self._aws = aws
        self._outputs = outputs
        self._api_slots = asyncio.Semaphore(API_IN_FLIGHT)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(35, connect=2),
            limits=httpx.Limits(max_connections=64),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    def _output(self, name: str) -> str | None:
        try:
            return _read_outputs(self._outputs, self._outputs.stat().st_mtime_ns).get(name)
        except (OSError, ValueError):
            return None

    async def api(self, request: Request) -> Response:
        api_id = self._output("ApiId")
        if api_id is None:
            return _problem(503, "Not deployed", "Nothing is deployed yet: run ./market up", Retry_After="5")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                return _problem(413, "Content too large", f"A request body holds at most {_MAX_BODY_BYTES} bytes")
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
        if request.client:
            headers.append(("x-forwarded-for", request.client.host))
        path = request.scope.get("raw_path", request.url.path.encode()).decode("ascii")
        url = httpx.URL(f"{self._aws}/_aws/execute-api/{api_id}/$default{path}").copy_with(
            query=request.scope["query_string"] or None
        )
        try:
            async with asyncio.timeout(_API_QUEUE_SECONDS):
                await self._api_slots.acquire()
        except TimeoutError:
            return _problem(503, "Busy", "Too many requests are in flight", Retry_After="2")
        try:
            answer = await self._client.request(request.method, url, content=body, headers=headers)
        except httpx.TransportError as error:
            return _problem(
                503, "No answer", f"The local cloud does not answer ({type(error).__name__})", Retry_After="2"
            )
        finally:
            self._api_slots.release()
        response = Response(answer.content, status_code=answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in _HOP_BY_HOP | {"content-length", "content-encoding"}:
                response.headers.append(name, value)
        return response

    async def media(self, request: Request) -> Response:
        key = request.path_params["key"]
        bucket = self._output("RenditionsBucket")
        if bucket is None or not key.startswith(_MEDIA_PREFIXES) or ".." in key:
            return _problem(404, "Not found", "There is no such rendition")
        headers = {name: request.headers[name] for name in _MEDIA_REQUEST_HEADERS if name in request.headers}
        upstream = self._client.build_request(request.method, f"{self._aws}/{bucket}/{key}", headers=headers)
        try:
            answer = await self._client.send(upstream, stream=True)
        except httpx.TransportError as error:
            return _problem(
                503, "No answer", f"The local cloud does not answer ({type(error).__name__})", Retry_After="2"
            )
        if answer.status_code in {403, 404}:
            await answer.aclose()
            return _problem(404, "Not found", "There is no such rendition")
        return StreamingResponse(
            answer.aiter_raw(),
            status_code=answer.status_code,
            headers={
                **{name: answer.headers[name] for name in _MEDIA_HEADERS if name in answer.headers},
                "x-content-type-options": "nosniff",
                "access-control-allow-origin": "*",
            },
            background=BackgroundTask(answer.aclose),
        )


@lru_cache(maxsize=4)
def _read_outputs(path: Path, changed: int) -> dict[str, str]:
    """The deployed stacks' outputs; `changed` makes a new deploy a new entry."""
    _ = changed
    stacks: dict[str, dict[str, str]] = json.loads(path.read_text())
    return {name: value for stack in stacks.values() for name, value in stack.items()}


async def _home(request: Request) -> Response:
    _ = request
    return RedirectResponse("/v1/docs", status_code=307)


def make_app(aws: str, outputs: Path) -> Starlette:
    door = FrontDoor(aws, outputs)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        _ = app
        yield
        await door.close()

    every_method = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[
            Route("/", _home),
            Route("/media/{key:path}", door.media, methods=["GET", "HEAD"]),
            Route("/v1/{rest:path}", door.api, methods=every_method),
            Route("/.well-known/{rest:path}", door.api, methods=["GET", "HEAD", "OPTIONS"]),
        ],
        lifespan=lifespan,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aws", required=True)
    parser.add_argument("--outputs", type=Path, required=True)
    chosen = parser.parse_args()
    uvicorn.run(
        make_app(chosen.aws, chosen.outputs),
        host="127.0.0.1",
        port=chosen.port,
        log_level="warning",
        lifespan="on",
        timeout_keep_alive=75,  # longer than callers keep one unused, so that none is closed under a request
    )


if __name__ == "__main__":
    main()
