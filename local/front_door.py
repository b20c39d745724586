"""One door to the local cloud: the API, the public renditions as a CDN serves them, and the way to the docs page.

python -m local.front_door --port 8080 --aws http://127.0.0.1:4566 --outputs outputs.json

Behind it stands the whole emulator, secrets and objects included, at addresses that differ by their path alone. So a
path that could lead anywhere else than below its own prefix is refused, and the address that is called is compared
with its prefix once more.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote_to_bytes

import h11
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from imagemarket.catalog.keys import PUBLIC
from imagemarket.platform import cors

API_IN_FLIGHT = 12
"""API calls at once. Each holds a function process, and two cores serve no more than these in good time."""
STATUS_IN_FLIGHT = 6
"""Requests for an image's status at once, which may be held: they have a function of their own, which runs for no more
(`Load.LONG_POLL` in `cdk/stages/local.py`), and wait in none of the others' places."""
_STATUS = re.compile(rb"/v1/images/[^/]+/status/?")
_API_QUEUE_SECONDS = 20.0
BODY_SECONDS = 20.0
"""A body comes whole within this; who sends half of one holds nothing for longer."""
_MAX_BODY_BYTES = 6 * 2**20
"""What a Lambda takes from its gateway (6 MiB, which AWS calls 6 MB)."""
_MAX_TARGET_BYTES = 8192
_MAX_HEADER_BYTES = 10_240
"""Together API Gateway takes 10,240 bytes of request line and headers."""
_LINE_BYTES = len(": \r\n")
_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_MEDIA_PREFIXES = tuple(f"{folder}/" for folder in PUBLIC)
_MEDIA_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9/._-]*")
"""How keys of renditions are spelt; nothing of them needs an escape."""
_DECODINGS = 8
_NOT_PASSED_ON = frozenset(
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"host", b"content-length"}
)
_ANSWERED_ANEW = _NOT_PASSED_ON | {b"date", b"server"}
"""Of an answer: this door's own server says these."""
_RANGES = re.compile(rb"bytes=[ \t]*(\d+-\d*|-\d+)([ \t]*,[ \t]*(\d+-\d*|-\d+))*[ \t]*", re.IGNORECASE)
"""Any other `Range` counts as none (RFC 9110, 14.2), as a store in the cloud has it and the emulator does not."""
_MEDIA_REQUEST_HEADERS = frozenset({b"if-none-match", b"if-modified-since", b"range"})
_MEDIA_HEADERS = (
    *("content-type", "content-length", "content-range", "accept-ranges"),
    *("cache-control", "etag", "last-modified"),
)


_OF_OTHER_ORIGINS = {
    "access-control-allow-origin": ", ".join(cors.EVERY_ORIGIN),
    "access-control-expose-headers": ", ".join(cors.EXPOSED_HEADERS),
}
_PREFLIGHT = {
    "access-control-allow-origin": ", ".join(cors.EVERY_ORIGIN),
    "access-control-allow-methods": ", ".join(cors.ALLOWED_METHODS),
    "access-control-allow-headers": ", ".join(cors.ALLOWED_HEADERS),
    "access-control-max-age": str(cors.PREFLIGHT_SECONDS),
}


class _Refused(HTTPException):
    """A request that is not passed on."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(status, detail)
        self.title = title


def _problem(status: int, title: str, detail: str, **headers: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def _no_answer(error: httpx.TransportError) -> JSONResponse:
    return _problem(503, "No answer", f"The local cloud does not answer ({type(error).__name__})", Retry_After="2")


def _target(request: Request) -> tuple[bytes, bytes]:
    """Path and query as they were sent. Raises `_Refused` for what could be read as another path."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    if len(path) + len(query) > _MAX_TARGET_BYTES:
        raise _Refused(414, "URI too long", f"Path and query take at most {_MAX_TARGET_BYTES} bytes together")
    if sum(len(name) + len(value) + _LINE_BYTES for name, value in request.headers.raw) > _MAX_HEADER_BYTES:
        raise _Refused(431, "Headers too large", f"Headers take at most {_MAX_HEADER_BYTES} bytes together")
    if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for _, value in request.headers.raw for byte in value):
        raise _Refused(400, "Bad request", "A header holds a control character")
    if leads_elsewhere(path):
        raise _Refused(400, "Bad request", _NO_PATH)
    if not all(0x21 <= byte < 0x7F and byte != 0x23 for byte in query):
        raise _Refused(400, "Bad request", "The query holds a character that must be percent-encoded")
    return path, query


_NO_PATH = "The path holds a segment or a character that no path of this API has"


def leads_elsewhere(path: bytes) -> bool:
    """Whether somebody behind this door could read the path as another one: by dot segments, however often they are
    encoded and whichever slash divides them, by control characters or a fragment, or by an escape without an end."""
    if not path.isascii():
        return True
    for _ in range(_DECODINGS):
        if any(byte < 0x20 or byte == 0x7F for byte in path) or b"#" in path:
            return True
        # What follows a semicolon is a segment's parameters to some.
        segments = [segment.partition(b";")[0].strip() for segment in path.replace(b"\\", b"/").split(b"/")]
        if any(segment in (b".", b"..") for segment in segments):
            return True
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return False
        path = decoded
    return True


def _below(prefix: str, rest: bytes, query: bytes = b"") -> httpx.URL:
    """The address of a path below a prefix of the emulator. Raises `_Refused` where it came out elsewhere."""
    base = httpx.URL(prefix)
    try:
        url = base.copy_with(raw_path=base.raw_path + rest + (b"?" + query if query else b""))
    except httpx.InvalidURL as error:
        raise _Refused(400, "Bad request", "The path or the query cannot be passed on") from error
    if not url.raw_path.startswith(base.raw_path) or (url.host, url.port) != (base.host, base.port):
        raise _Refused(400, "Bad request", "The path leads elsewhere")
    return url


class FrontDoor:
    """Passes requests on to the emulator: what API Gateway's domain and CloudFront are in the cloud."""

    def __init__(self, aws: str, outputs: Path) -> None:
        self._aws = aws
        self._outputs = outputs
        self._api_slots = asyncio.Semaphore(API_IN_FLIGHT)
        self._status_slots = asyncio.Semaphore(STATUS_IN_FLIGHT)
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
        """Passes a call on, and adds what pages of other origins need, as API Gateway does: to its own refusals too.

        A preflight is answered here, as the emulator would; API Gateway asks the function of its `$default` route.
        """
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        response = await self._api(request)
        for name in [name for name in response.headers if name.startswith("access-control-")]:
            del response.headers[name]
        response.headers.update(_OF_OTHER_ORIGINS)
        return response

    async def _api(self, request: Request) -> Response:
        path, query = _target(request)
        api_id = self._output("ApiId")
        if api_id is None:
            return _problem(503, "Not deployed", "Nothing is deployed yet: run ./market up", Retry_After="5")
        body = await _body_of(request)
        # As bytes: a header may hold Latin-1, and what its sender did not ask for (a compressed answer) is not added.
        headers = [(name, value) for name, value in request.headers.raw if name.lower() not in _NOT_PASSED_ON]
        if request.client:
            headers.append((b"x-forwarded-for", request.client.host.encode()))
        url = _below(f"{self._aws}/_aws/execute-api/{api_id}/$default", path, query)
        upstream = httpx.Request(request.method, url, headers=headers, content=body)
        slots = self._status_slots if _STATUS.fullmatch(unquote_to_bytes(path)) else self._api_slots
        try:
            async with asyncio.timeout(_API_QUEUE_SECONDS):
                await slots.acquire()
        except TimeoutError:
            return _problem(503, "Busy", "Too many requests are in flight", Retry_After="2")
        try:
            answer = await self._client.send(upstream, stream=True)
            try:
                content = b"".join([chunk async for chunk in answer.aiter_raw()])
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            return _no_answer(error)
        finally:
            slots.release()
        response = Response(content, status_code=answer.status_code)
        # HEAD's length is that of GET's answer, or is left out (RFC 9110, 8.6); a redirect of the API has no body.
        if request.method == "HEAD" and not 300 <= answer.status_code < 400:
            length = answer.headers.get("content-length", "0")
            del response.headers["content-length"]
            if length != "0":
                response.headers["content-length"] = length
        for name, value in answer.headers.raw:
            if name.lower() not in _ANSWERED_ANEW:
                response.raw_headers.append((name.lower(), value))
        return response

    async def media(self, request: Request) -> Response:
        """A public rendition, which pages of every origin may read, as they may the refusal of one."""
        response = await self._media(request)
        response.headers["access-control-allow-origin"] = "*"
        return response

    async def _media(self, request: Request) -> Response:
        _target(request)
        key = request.path_params["key"]
        bucket = self._output("RenditionsBucket")
        if bucket is None or not key.startswith(_MEDIA_PREFIXES) or not _MEDIA_KEY.fullmatch(key):
            return _problem(404, "Not found", "There is no such rendition")
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if name.lower() in _MEDIA_REQUEST_HEADERS and (name.lower() != b"range" or _RANGES.fullmatch(value))
        ]
        url = _below(f"{self._aws}/{bucket}/", key.encode())
        upstream = httpx.Request(request.method, url, headers=headers)
        try:
            answer = await self._client.send(upstream, stream=True)
        except httpx.TransportError as error:
            return _no_answer(error)
        if answer.status_code >= 400:
            await answer.aclose()
            return _no_rendition(answer)
        return StreamingResponse(
            answer.aiter_raw(),
            status_code=answer.status_code,
            headers={
                **{name: answer.headers[name] for name in _MEDIA_HEADERS if name in answer.headers},
                "x-content-type-options": "nosniff",
            },
            background=BackgroundTask(answer.aclose),
        )


def _no_rendition(answer: httpx.Response) -> JSONResponse:
    """What the store refuses, in words of this door."""
    if answer.status_code in {403, 404}:
        return _problem(404, "Not found", "There is no such rendition")
    if answer.status_code == 416:
        size = answer.headers.get("content-range", "bytes */*")
        return _problem(416, "Range not satisfiable", "The rendition ends before this range", Content_Range=size)
    if answer.status_code < 500:
        return _problem(answer.status_code, HTTPStatus(answer.status_code).phrase, "The store refuses the request")
    return _problem(503, "No answer", "The store of the local cloud is not well", Retry_After="2")


@lru_cache(maxsize=4)
def _read_outputs(path: Path, changed: int) -> dict[str, str]:
    """The deployed stacks' outputs; `changed` makes a new deploy a new entry."""
    _ = changed
    stacks: dict[str, dict[str, str]] = json.loads(path.read_text())
    return {name: value for stack in stacks.values() for name, value in stack.items()}


async def _home(request: Request) -> Response:
    _ = request
    return RedirectResponse("/v1/docs", status_code=307)


async def _refuse(request: Request, error: Exception) -> Response:
    """What this door answers by itself, as a problem."""
    assert isinstance(error, HTTPException)
    if isinstance(error, _Refused):
        problem = _problem(error.status_code, error.title, error.detail)
        if error.status_code == 408:  # what comes late is no next request (RFC 9110, 15.5.9)
            problem.headers["connection"] = "close"
    elif error.status_code == 404 and leads_elsewhere(request.scope["raw_path"]):
        problem = _problem(400, "Bad request", _NO_PATH)  # no route's path takes a line break
    elif error.status_code == 404:
        problem = _problem(404, "Not found", "Nothing of the local cloud has this address; the API begins at /v1")
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        problem = _problem(405, "Method not allowed", f"Taken here: {allowed}", Allow=allowed)
    else:
        problem = _problem(error.status_code, error.detail, error.detail, **dict(error.headers or {}))
    problem.headers.update(_OF_OTHER_ORIGINS)
    return problem


def _ill_formed(scope: Scope) -> JSONResponse | None:
    """The refusal of a request that the server reads and that others read otherwise, or not at all."""
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        # Somebody before this door may see another request begin (RFC 9112, 6.1).
        return _problem(400, "Bad request", "A request has either Content-Length or Transfer-Encoding")
    if not scope["http_version"].startswith("1."):
        return _problem(505, "HTTP version not supported", "This door speaks HTTP/1.1")
    if any(name == b"host" and not _HOST.fullmatch(value) for name, value in scope["headers"]):
        return _problem(400, "Bad request", "Host names a host, and its port after a colon where it has another one")
    if scope["method"] != scope["method"].upper():  # `get` is another method than GET (RFC 9110, 9.1)
        return _problem(501, "Not implemented", "Methods are written in capitals")
    return None


class _WellFormed:
    """ASGI middleware: refuses what is ill-formed, and ends its connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _ill_formed(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        refusal.headers.update({**_OF_OTHER_ORIGINS, "connection": "close"})
        await refusal(scope, receive, send)


class _Protocol(H11Protocol):
    """Answers what is no HTTP at all as the door answers everything else that it refuses."""

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: whoever asks for another protocol is answered in this one, and fills no log."""

    def send_400_response(self, msg: str) -> None:
        _ = msg  # the error itself, which is being handled, knows more
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            refusal = _not_http(status)
            headers = [*self.server_state.default_headers, *refusal.raw_headers, (b"connection", b"close")]
            answer = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
            for event in (answer, h11.Data(data=bytes(refusal.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _not_http(status: int) -> JSONResponse:
    if status == 431:
        refusal = _problem(431, "Headers too large", f"Headers take at most {_MAX_HEADER_BYTES} bytes together")
    elif status == 501:
        refusal = _problem(501, "Not implemented", "Transfer-Encoding is understood as chunked alone")
    else:
        refusal = _problem(status, HTTPStatus(status).phrase, "This is no HTTP request: RFC 9112 says how one is made")
    refusal.headers.update(_OF_OTHER_ORIGINS)
    return refusal


def server_of(app: ASGIApp, port: int) -> uvicorn.Config:
    """How the door is served."""
    return uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        http=_Protocol,
        ws="none",  # who asks to go on by another protocol is answered by this one (RFC 9110, 7.8)
        log_level="warning",
        lifespan="on",
        timeout_keep_alive=75,  # longer than callers keep one unused, so that none is closed under a request
    )


async def _body_of(request: Request) -> bytes:
    """What the client sends. Raises `_Refused` where it sends too much, takes too long to send it, or goes away
    meanwhile, whom the answer does not reach."""
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    detail = f"A request body holds at most {_MAX_BODY_BYTES} bytes"
                    raise _Refused(413, "Content too large", detail)
    except ClientDisconnect:
        raise _Refused(400, "Cut short", "The request ended before its body did") from None
    except TimeoutError:
        detail = f"The body did not come within {BODY_SECONDS:g} seconds; send it whole"
        raise _Refused(408, "Request timeout", detail) from None
    return body


class _Api(Route):
    """A route of every method, also of those that nobody has heard of: which ones a path takes, the API knows."""

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(path, endpoint)
        self.methods = None


def make_app(aws: str, outputs: Path) -> Starlette:
    door = FrontDoor(aws, outputs)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        _ = app
        yield
        await door.close()

    app = Starlette(
        routes=[
            Route("/", _home),
            Route("/media/{key:path}", door.media, methods=["GET", "HEAD"]),
            _Api("/images/{rest:path}", door.api),
            _Api("/terms", door.api),
            _Api("/terms/{rest:path}", door.api),
            _Api("/v1", door.api),
            _Api("/v1/{rest:path}", door.api),
            _Api("/.well-known/{rest:path}", door.api),
        ],
        exception_handlers={HTTPException: _refuse},
        middleware=[Middleware(_WellFormed)],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a path with a slash too many is for the API to answer
    return app


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aws", required=True)
    parser.add_argument("--outputs", type=Path, required=True)
    chosen = parser.parse_args()
    uvicorn.Server(server_of(make_app(chosen.aws, chosen.outputs), chosen.port)).run()


if __name__ == "__main__":
    main()
