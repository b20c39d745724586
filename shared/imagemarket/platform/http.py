"""The frame of every HTTP function: problems, request ids and the caller.

Errors are RFC 9457 `application/problem+json`; `type` is a relative URL that the API itself serves.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar, cast
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

from imagemarket.platform.errors import (
    Forbidden,
    InvalidRequest,
    MarketError,
    MethodNotAllowed,
    NotFound,
    TokenExpired,
    TooManyRequests,
    Unauthenticated,
)
from imagemarket.platform.gateway import PROBLEM_MEDIA_TYPE, is_json
from imagemarket.platform.gateway import lambda_handler as lambda_handler  # noqa: PLC0414
from imagemarket.platform.telemetry import count, duration, logger
from imagemarket.platform.text import LOST
from imagemarket.platform.validation import (
    GIVEN_AGAIN,
    NOT_UTF8,
    field_errors,
    misspelt_numbers,
    shown,
    takes_several,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from imagemarket.platform.ratelimits import Decision, RateLimiter

_MAX_IF_NONE_MATCH = 4000
_COMPRESSED_FROM_BYTES = 1000
"""Below, a packet takes it either way."""

_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([^\s"';]*)""", re.IGNORECASE)

Role = Literal["contributor", "buyer", "admin"]
_Model = TypeVar("_Model", bound=BaseModel)


class FieldLimit(BaseModel):
    """What a value would have had to keep to: as much of it as was broken."""

    model_config = ConfigDict(extra="forbid")

    minimum: float | str | None = Field(default=None, description="The least value, a number or a date.")
    maximum: float | str | None = Field(default=None, description="The greatest value, a number or a date.")
    min_characters: int | None = Field(default=None, description="The least length of a text.")
    max_characters: int | None = Field(default=None, description="The greatest length of a text.")
    min_items: int | None = Field(default=None, description="The least length of a list.")
    max_items: int | None = Field(default=None, description="The greatest length of a list.")
    pattern: str | None = Field(default=None, description="A regular expression that a text matches.")
    allowed: list[str] | None = Field(default=None, description="All values that are taken.")


class FieldError(BaseModel):
    """A part of a request that is not valid."""

    model_config = ConfigDict(extra="forbid")

    place: Literal["body", "query", "path", "header"] = Field(alias="in", description="Where it is.")
    field: str = Field(
        description="Its name: `parts[2].etag` is the etag of the third of the parts, `body` the whole body."
    )
    detail: str = Field(description="What is wrong with it and what would be right.")
    value: str | float | None = Field(
        default=None, description="What was sent, where that is a parameter of the address; its first 100 characters."
    )
    limit: FieldLimit | None = Field(default=None, description="The limit that it breaks, where it breaks one.")


class Problem(BaseModel):
    """An error as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Relative URL of a page that explains this kind of problem.")
    title: str = Field(description="What kind of problem this is, the same for each occurrence.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What went wrong this time and what to do about it.")
    instance: str = Field(description="The request's id, to quote when asking for help.")
    errors: list[FieldError] | None = Field(
        default=None,
        description="For an invalid request: each offending field with its limit, the first 20 or 8 KiB of them; "
        "`detail` says how many more there are.",
    )


@dataclass(frozen=True)
class Caller:
    """Who sends the request, as the authorizer established it."""

    account_id: UUID
    role: Role


class Accounts(Protocol):
    """Which accounts there are."""

    def exists(self, account_id: UUID, *, now_for_sure: bool = False) -> bool:
        """Whether the account has not been deleted; `now_for_sure` where something is to be written for it."""
        ...


_READING = frozenset({"GET", "HEAD"})


def _authorizer_context(request: Request) -> dict[str, Any]:
    event = request.scope.get("aws.event") or {}
    return ((event.get("requestContext") or {}).get("authorizer") or {}).get("lambda") or {}


def current_caller(request: Request) -> Caller:
    """FastAPI dependency: the authenticated caller. Raises `Unauthenticated` or `TokenExpired`.

    Identity comes from the authorizer's context alone, never from a header.
    """
    context = _authorizer_context(request)
    if context.get("denied") == "expired":
        raise TokenExpired(
            "The access token has expired; get a new one at POST /v1/auth/refresh.",
            challenge='Bearer error="invalid_token", error_description="expired"',
        )
    if not context.get("account_id"):
        raise Unauthenticated("Send an access token as `Authorization: Bearer …`.")
    caller = Caller(account_id=UUID(context["account_id"]), role=cast("Role", context["role"]))
    accounts: Callable[[], Accounts] | None = getattr(request.app.state, "accounts", None)
    if accounts is not None and not accounts().exists(caller.account_id, now_for_sure=request.method not in _READING):
        raise Unauthenticated("The account of this access token does not exist any more.")
    logger.append_keys(account_id=str(caller.account_id))
    return caller


def require_role(*roles: Role) -> Callable[[Request], Caller]:
    """FastAPI dependency factory: the caller, who must have one of `roles`. Raises `Forbidden`."""

    def dependency(request: Request) -> Caller:
        caller = current_caller(request)
        if caller.role not in roles:
            raise Forbidden(f"This needs the role {' or '.join(roles)}; the account is a {caller.role}.")
        return caller

    vars(dependency)["roles"] = roles  # for the OpenAPI document
    return dependency


def client_address(request: Request) -> str:
    """The address the gateway saw the request come from, or "unknown" outside a gateway."""
    event = request.scope.get("aws.event") or {}
    return ((event.get("requestContext") or {}).get("http") or {}).get("sourceIp") or "unknown"


def seconds_since(request: Request) -> float:
    """How long ago the gateway took the request, which may have waited for a process to start; 0 outside a gateway."""
    event = request.scope.get("aws.event") or {}
    taken = (event.get("requestContext") or {}).get("timeEpoch")
    return max(0.0, time.time() - taken / 1000) if taken else 0.0


def request_id(scope: Scope) -> str:
    """The gateway's id of this request."""
    event = scope.get("aws.event") or {}
    return (event.get("requestContext") or {}).get("requestId") or "no-gateway"


def problem_of(error: MarketError, *, instance: str) -> dict[str, Any]:
    """The problem document of an error."""
    return {
        "type": f"/v1/problems/{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        **error.extensions,
    }


def _problem_response(request: Request, error: MarketError) -> Response:

    return JSONResponse(
        problem_of(error, instance=request_id(request.scope)),
        status_code=error.status,
        headers=error.headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _invalid_request(request: Request, errors: Sequence[Any]) -> InvalidRequest:
    """Names each field and its limit."""
    if request.method in {"POST", "PUT"} and any(tuple(error["loc"]) == ("body",) for error in errors):
        content_type = request.headers.get("content-type", "")
        if not is_json(content_type):
            return wrong_content_type(content_type, "application/json")
    return _told(errors, lambda place: _model_of(request, place))


def _told(errors: Sequence[Any], known: Callable[[str], Any]) -> InvalidRequest:
    fields = field_errors(errors, known)
    first = fields[0]
    others = [f"{len(fields) - 1} more in `errors`"] if len(fields) > 1 else []
    others += [f"{len(errors) - len(fields)} more that are not told"] if len(errors) > len(fields) else []
    more = f" ({', '.join(others)})" if others else ""
    stop = "" if first["detail"].endswith("?") and not more else "."
    return InvalidRequest(f"{first['field'] or 'a name of no letters'}: {first['detail']}{more}{stop}", errors=fields)


def wrong_content_type(content_type: str, *taken: str) -> InvalidRequest:
    """The refusal of a body of a kind that a route does not take, naming those it takes."""
    said = f"is {shown(content_type.strip())}" if content_type.strip() else "is missing"
    *others, last = taken
    detail = f"{said}; send {', '.join(others) + ' or ' if others else ''}{last}"
    told = {"in": "header", "field": "Content-Type", "detail": detail, "limit": {"allowed": list(taken)}}
    return InvalidRequest(f"Content-Type: {detail}.", errors=[told])


def path_not_utf8() -> InvalidRequest:
    """The refusal of a path that no route takes and that is not readable."""
    return _told([{"type": NOT_UTF8, "loc": ("path", "path"), "msg": ""}], lambda _: None)


def read_json(model: type[_Model], body: bytes) -> _Model:
    """The body of a route that takes JSON among other kinds. Raises `InvalidRequest` in the words of every route, which
    FastAPI's own reader has: pydantic's takes half of a surrogate pair for broken JSON, and names no field."""
    if not body:
        raise _told([{"type": "missing", "loc": ("body",), "msg": ""}], lambda _: model)
    try:
        read = _parsed(body)
    except json.JSONDecodeError as error:
        found = {"type": "json_invalid", "loc": ("body", error.pos), "msg": "", "ctx": {"error": error.msg}}
        raise _told([found], lambda _: model) from error
    except (ValueError, RecursionError) as error:
        raise _not_read(error) from error
    try:
        return model.model_validate(read)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise _told(found, lambda _: model) from error


def _parsed(body: bytes) -> Any:
    """A body's JSON. Raises `InvalidRequest` where an object says a name twice, of which another reader may see the
    first and this one the last (RFC 8259, 4), and what `json.loads` raises."""
    again: list[tuple[dict[str, Any], str]] = []

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read = dict(pairs)
        if len(read) < len(pairs):
            again.append((read, Counter(name for name, _ in pairs).most_common(1)[0][0]))
        return read

    # Of bytes `json.loads` guesses the encoding, and reads UTF-16 and UTF-32 too.
    read = json.loads(body.decode("utf-8-sig"), object_pairs_hook=read_object)
    if not again:
        return read
    holder, name = again[-1]  # those before may be values that this one passes over
    way = ("body", *(_way_to(holder, read) or ()), name)
    raise _told([{"type": GIVEN_AGAIN, "loc": way, "msg": ""}], lambda _: None)


def _way_to(holder: dict[str, Any], read: Any) -> tuple[str | int, ...] | None:
    """The names and places that lead to one of the objects that were read; None where none does."""
    if read is holder:
        return ()
    steps = read.items() if isinstance(read, dict) else enumerate(read) if isinstance(read, list) else ()
    ways = ((step, _way_to(holder, value)) for step, value in cast("Iterable[tuple[str | int, Any]]", steps))
    return next(((step, *way) for step, way in ways if way is not None), None)


class _Body(Request):
    """A request whose JSON is read by this module's reader."""

    async def json(self) -> Any:
        check_charset(self.headers.get("content-type", ""))
        return _parsed(await self.body())


def _not_read(error: BaseException | None) -> InvalidRequest:
    """The refusal of a body that a parser breaks off at."""
    detail = _why_not_read(error)
    return InvalidRequest(f"body: {detail}.", errors=[{"in": "body", "field": "body", "detail": detail}])


def _why_not_read(error: BaseException | None) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeError):
        return "must be JSON in UTF-8"
    return "holds a number of too many digits" if isinstance(error, ValueError) else "must be JSON"


def check_charset(content_type: str) -> None:
    """Raises `InvalidRequest` for JSON that is said to be in anything but UTF-8, in which alone it is exchanged
    (RFC 8259, 8.1): what was written otherwise may be read as other letters."""
    said = _CHARSET.search(content_type)
    if said is not None and said[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise wrong_content_type(content_type, content_type.partition(";")[0].strip())


def _model_of(request: Request, place: str) -> Any:
    """The model that a route reads its query or body into; None where there is none."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    fields = getattr(dependant, {"query": "query_params", "body": "body_params"}.get(place, ""), [])
    annotations = (each.field_info.annotation for each in fields)
    return next((each for each in annotations if hasattr(each, "model_fields")), None)


class _NoParameters(BaseModel):
    """The query of a route that takes none."""

    model_config = ConfigDict(extra="forbid")


def _take_no_parameters(_: Annotated[_NoParameters, Query()]) -> None:
    """FastAPI dependency of a route that takes none, which FastAPI would let pass whatever comes."""


def _take_what_is_whole(request: Request) -> None:
    """FastAPI dependency of every route: an address whose letters are no UTF-8 is refused rather than read as another
    one. Decoders have replaced them by now, some of which stand before the function."""
    parts = [("path", *each) for each in request.path_params.items()]
    parts += [("query", *each) for each in request.query_params.multi_items()]
    findings = [
        {"type": NOT_UTF8, "loc": (place, name), "msg": ""}
        for place, name, value in parts
        if LOST in name or (isinstance(value, str) and LOST in value)
    ]
    if findings:
        raise RequestValidationError(findings)


def _take_as_written(request: Request) -> None:
    """FastAPI dependency of every route: without it, all but the last of what is given again would be passed over, and
    what only Python reads as a number taken for one."""
    items = request.query_params.multi_items()
    given = Counter(name for name, _ in items)
    model = _model_of(request, "query")
    known = getattr(model, "model_fields", {})
    findings = [
        {"type": GIVEN_AGAIN, "loc": ("query", name), "msg": ""}
        for name, times in given.items()
        if times > 1 and name in known and not takes_several(known[name].annotation)
    ]
    again = {finding["loc"][1] for finding in findings}
    findings += misspelt_numbers(model, ((name, value) for name, value in items if name not in again))
    if findings:
        raise RequestValidationError(findings)


class StrictRoute(APIRoute):
    """A route that refuses a query parameter it does not know, naming the nearest that it does, and one that is given
    again where it takes one value.

    Its query is read into one model, which forbids what is beyond it; else a TypeError is raised where the route is
    made. A page for people takes anything: links to it gather what others count clicks by.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.response_class is HTMLResponse:
            return
        models = [each.field_info.annotation for each in self.dependant.query_params]
        if any(getattr(model, "model_config", {}).get("extra") != "forbid" for model in models):
            raise TypeError(f"{path}: its query is to be one model that forbids what it does not know")
        check = _take_as_written if models else _take_no_parameters
        options["dependencies"] = [*(options.get("dependencies") or ()), Depends(_take_what_is_whole), Depends(check)]
        options["responses"] = problem_responses(InvalidRequest) | (options.get("responses") or {})
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_Body(request.scope, request.receive))

        return handle


class _Head:
    """ASGI middleware: HEAD as GET without the body, on every route that takes GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        scope["method"] = "GET"
        await self._app(scope, receive, without_body)


class _Compressed:
    """ASGI middleware: larger answers as gzip for those who ask for it."""

    def __init__(self, app: ASGIApp) -> None:
        from starlette.middleware.gzip import GZipMiddleware

        self._plain = app
        self._gzip = GZipMiddleware(app, minimum_size=_COMPRESSED_FROM_BYTES, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._plain(scope, receive, send)
        elif not _takes_gzip(scope["headers"]):
            await self._plain(scope, receive, _varying(send))
        else:  # in the one spelling that the middleware reads; the scope stays the one that the frame logs the route of
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
            scope["headers"] = [*others, (b"accept-encoding", b"gzip")]
            await self._gzip(scope, receive, send)


def _varying(send: Send) -> Send:
    """Says that the answer depends on `Accept-Encoding`, so that a cache between keeps both forms."""

    async def varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.add_vary_header("Accept-Encoding")
            message = {**message, "headers": headers.raw}
        await send(message)

    return varying


def _takes_gzip(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """RFC 9110, 12.5.3: gzip named, and not with a weight of 0."""
    asked = b",".join(value for name, value in headers if name.lower() == b"accept-encoding").decode("latin-1").lower()
    weights: dict[str, str] = {}
    for each in asked.split(","):
        coding, _, weight = each.replace(" ", "").partition(";q=")
        weights[coding] = weight or "1"
    return weights.get("gzip", "0").strip("0.") != ""


class _Frame:
    """ASGI middleware: limits the rate, stamps the request id, logs and measures each request."""

    def __init__(self, app: ASGIApp, limiter: Callable[[], RateLimiter] | None = None) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier, method = request_id(scope), scope["method"]
        started = time.perf_counter()
        status = 500
        allowance: _Allowance | None = None

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", identifier.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    *_encoded(allowance.headers if allowance is not None else {}),
                ]
            await send(message)

        try:
            if self._limiter is not None and "aws.event" in scope:
                allowance = scope[_ALLOWANCE] = _Allowance(self._limiter(), Request(scope))
                await run_in_threadpool(allowance.acquire, 1)
            await self._app(scope, receive, stamped)
        except TooManyRequests as refusal:
            await _problem_response(Request(scope), refusal)(scope, receive, stamped)
        except Exception:  # noqa: BLE001
            # Past every handler, so a bug: the log gets it all, the client a request id to quote.
            logger.exception("unhandled")
            bug = MarketError(f"Quote the request id {identifier} when you ask for help.")
            await _problem_response(Request(scope), bug)(scope, receive, stamped)
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            route = getattr(scope.get("route"), "path", "unmatched")
            logger.info(
                "request",
                method=method,
                route=route,
                status=status,
                milliseconds=round(milliseconds, 1),
            )
            count("Requests")
            if status >= 500:
                count("ServerErrors")
            duration("RequestDuration", milliseconds)


_ALLOWANCE = "imagemarket.allowance"


class _Allowance:
    """What the sender of one request may still ask."""

    def __init__(self, limiter: RateLimiter, request: Request) -> None:
        self._limiter = limiter
        self._address = client_address(request)
        self._account = _authorizer_context(request).get("account_id")
        self.headers: Mapping[str, str] = {}
        """What the last decision found."""

    def acquire(self, cost: int) -> None:
        """Raises `TooManyRequests`."""
        decision = self._limiter.acquire(address=self._address, account=self._account, cost=cost)
        self.headers = decision.headers
        if not decision.allowed:
            raise _limited(decision, cost)


def spend(request: Request, cost: int) -> None:
    """Counts a request as so many: its sender's allowance pays the rest, on top of the one that each request costs.

    Raises `TooManyRequests` where that is not left. Costs nothing outside a gateway.
    """
    allowance: _Allowance | None = request.scope.get(_ALLOWANCE)
    if allowance is not None and cost > 1:
        allowance.acquire(cost - 1)


def _limited(decision: Decision, cost: int) -> TooManyRequests:
    told = " and ".join(
        f"{each.policy.quota} requests per {each.policy.name} in {each.policy.seconds} seconds"
        for each in decision.limits
    )
    counts = f", and this one counts as {cost} more" if cost > 1 else ""
    wait = decision.retry_after
    return TooManyRequests(f"At most {told}{counts}; try again in {wait} seconds.", retry_after=wait)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def create_api(
    title: str,
    *routers: APIRouter,
    limiter: Callable[[], RateLimiter] | None = None,
    accounts: Callable[[], Accounts] | None = None,
) -> FastAPI:
    """A FastAPI app with the house's errors, request ids, HEAD, compression and logging around `routers`;
    what `limiter` gives counts each request before anything else looks at it, and what `accounts` gives knows which
    accounts are still there."""

    api = FastAPI(title=title, version="1.0.0", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    api.state.accounts = accounts

    @api.exception_handler(MarketError)
    def on_market_error(request: Request, error: MarketError) -> Response:
        if error.status >= 500:
            logger.exception("failed", error=type(error).__name__)
        return _problem_response(request, error)

    @api.exception_handler(RequestValidationError)
    def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return _problem_response(request, _invalid_request(request, error.errors()))

    @api.exception_handler(HTTPException)
    def on_http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return _problem_response(request, NotFound("No route of this API has that path."))
        if error.status_code == 400:  # FastAPI's word for a body that its parser breaks off at
            cause = error.__cause__
            return _problem_response(request, cause if isinstance(cause, InvalidRequest) else _not_read(cause))
        if error.status_code == 405:
            return _problem_response(request, method_not_allowed(request.method, _methods_at(api, request.url.path)))
        refused = MarketError(str(error.detail), headers=error.headers)
        document = problem_of(refused, instance=request_id(request.scope)) | {
            "type": "about:blank",
            "title": str(error.detail),
            "status": error.status_code,
        }

        return JSONResponse(document, error.status_code, refused.headers, media_type=PROBLEM_MEDIA_TYPE)

    for router in routers:
        api.include_router(router)
    api.add_middleware(_Compressed)
    api.add_middleware(_Head)
    api.add_middleware(_Frame, limiter=limiter)
    return api


IfNoneMatch = Annotated[
    str | None,
    Header(description="ETags of the copies at hand; answered with 304 while one of them is still right."),
]


IdempotencyKey = Annotated[
    str | None,
    Header(
        description="1 to 255 visible ASCII characters but no comma; the same key and body get the same answer.",
        json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[!-+.-~-]+$"},
    ),
]


def etag_of(state: bytes) -> str:
    """A weak ETag of an answer's state: weak, since the answer may be compressed on its way."""
    return f'W/"{hashlib.sha256(state).hexdigest()[:32]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110, 13.1.2: weak comparison with a list, or `*`. A list that is too long to be a browser's is ignored."""
    if not if_none_match or len(if_none_match) > _MAX_IF_NONE_MATCH:
        return False
    named = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in named or etag.removeprefix("W/") in named


def method_not_allowed(method: str, allowed: Iterable[str]) -> MethodNotAllowed:
    """The refusal of a method that a path does not take, naming those it takes."""
    named = with_head(allowed)
    are = "is" if len(named) == 1 else "are"
    return MethodNotAllowed(f"{shown(method)} is not taken here; {' and '.join(named)} {are}.", allowed=named)


def with_head(methods: Iterable[str]) -> list[str]:
    """The methods in order; whoever takes GET takes HEAD."""
    taken = set(methods)
    return sorted(taken | ({"HEAD"} if "GET" in taken else set()))


def _methods_at(api: FastAPI, path: str) -> set[str]:
    """What the routes of this path take."""
    routes = (context.original_route for context in iter_route_contexts(api.routes))
    here = (route for route in routes if isinstance(route, APIRoute) and route.path_regex.match(path))
    return {method for route in here for method in route.methods or ()}


def problem_responses(*errors: type[MarketError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: each documented problem under its status, slugs named."""
    by_status: dict[int, list[type[MarketError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": "; ".join(f"{error.title} (`{error.slug}`)" for error in listed),
            "model": Problem,
            "content": {
                PROBLEM_MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {error.slug: _example_of(error) for error in listed},
                }
            },
        }
        for status, listed in sorted(by_status.items())
    }


def _example_of(error: type[MarketError]) -> dict[str, Any]:
    """An OpenAPI example: the problem document, its detail in the words of the class."""
    return {
        "summary": error.title,
        "value": {
            "type": f"/v1/problems/{error.slug}",
            "title": error.title,
            "status": error.status,
            "detail": " ".join((error.__doc__ or "").split("\n\n")[0].split()),
            "instance": "Kb1xqhJ5FiAEPjg=",
        },
    }
