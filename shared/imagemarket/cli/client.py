"""The public API as a client sees it: signing in, patience, and problems said in words."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

DEFAULT_URL = "http://127.0.0.1:8080"
URL_VARIABLE = "MARKET_URL"
RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 60.0
"""A server that asks for more patience than this is not waited for."""
_RENEW_BEFORE_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
"""A connection that is being made is the one wait that nobody can end."""
_TIMEOUT = httpx.Timeout(60.0, connect=_CONNECT_SECONDS, pool=None)
_SIGN_OUT_SECONDS = 2.0


class CliError(Exception):
    """Something a person has to know or do; said without a traceback."""


class Stopped(CliError):
    """The run was told to end while this was under way."""

    def __init__(self) -> None:
        super().__init__("stopped; run it again to go on")


class NobodyAnswers(CliError):
    """There is no API at the address or none any more, or it goes without a part that every request needs."""


@dataclass(eq=False)
class ApiProblem(CliError):
    """A request the API refused: its status, the kind of problem and the API's own sentence."""

    status: int
    slug: str
    detail: str
    extensions: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.detail} ({self.status} {self.slug})"


def is_utf8(text: str) -> bool:
    """Whether words of the command line or the environment, in which any bytes may stand, can be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _problem(response: httpx.Response) -> ApiProblem:
    try:
        document = response.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    detail = document.get("detail") or document.get("message") or response.reason_phrase or "no explanation given"
    fields = [f"{each.get('field')}: {each.get('detail')}" for each in document.get("errors") or []]
    if len(fields) > 1:
        detail = "; ".join(fields)
    slug = str(document.get("type", "")).rpartition("/")[2] or "problem"
    return ApiProblem(response.status_code, slug, str(detail), document)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds the server asks to wait (RFC 9110, 10.2.3: a number or a date), None when it does not say."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


class Patience:
    """Sends a request again when that can help: no answer, 429 or a 5xx.

    The waits double from half a second, with jitter so that parallel senders do not move in step; a
    `Retry-After` is honoured instead, up to `LONGEST_WAIT_SECONDS`.
    """

    def __init__(self, sleep: Callable[[float], object] | None = None) -> None:
        self._ended = threading.Event()
        self._sleep = sleep or self._ended.wait

    def end(self) -> None:
        """Wakes whoever waits; nothing is sent again, and nothing more."""
        self._ended.set()

    def send(self, request: Callable[[], httpx.Response]) -> httpx.Response:
        """The last answer, whatever its status. Raises `httpx.TransportError` when there was none, `Stopped` when it
        was told to end."""
        for attempt in range(1, ATTEMPTS + 1):
            if self._ended.is_set():
                raise Stopped
            wait = 0.5 * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
            try:
                response = request()
            except httpx.TransportError:
                if self._ended.is_set():
                    raise Stopped from None
                if attempt == ATTEMPTS:
                    raise
            else:
                asked = retry_after(response)
                if (
                    response.status_code not in RETRIED_STATUSES
                    or attempt == ATTEMPTS
                    or (asked is not None and asked > LONGEST_WAIT_SECONDS)
                ):
                    return response
                wait = wait if asked is None else asked
                response.close()
            self._sleep(wait)
        raise AssertionError("unreachable")


class Connections:
    """The connections that HTTP clients make, so that another thread can end them: closing a client leaves a thread
    that reads from it waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._ended = False

    @property
    def hooks(self) -> dict[str, list[Callable[..., Any]]]:
        """The `event_hooks` of a client whose connections these are."""
        return {"request": [self._follow]}

    def _follow(self, request: httpx.Request) -> None:
        request.extensions["trace"] = self._traced

    def _traced(self, event: str, told: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            with self._lock:
                self._sockets.add(told["return_value"].get_extra_info("socket"))
                if self._ended:
                    self._end()

    def end(self) -> None:
        """Ends every connection, and those that are made from now on: who waits for an answer gets a
        `httpx.TransportError`."""
        with self._lock:
            self._ended = True
            self._end()

    def _end(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)


def _is_address(url: str) -> bool:
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx.InvalidURL):  # as of `http://[::1` and `http://a:port`
        return False


class MarketClient:
    """One API at one base URL; safe to share between threads.

    `transport` and `sleep` are for tests. Close it, or use it as a context manager: it signs out.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if not _is_address(base_url):
            raise CliError(f"--url {base_url}: give the API's address, e.g. {DEFAULT_URL}")
        self.base_url = base_url.rstrip("/")
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        # An API's answers are small; the bytes of pictures go through `store`, which never sees a token.
        self._connections = Connections()
        self._http = httpx.Client(
            base_url=self.base_url,
            timeout=_TIMEOUT,
            transport=transport,
            limits=limits,
            trust_env=True,
            event_hooks=self._connections.hooks,
        )
        self.store = httpx.Client(
            timeout=httpx.Timeout(300.0, connect=_CONNECT_SECONDS, pool=None),
            transport=transport,
            event_hooks=self._connections.hooks,
        )
        self.patience = Patience(sleep)
        self._lock = threading.Lock()
        self._access: str | None = None
        self._refresh: str | None = None
        self._renew_at = 0.0
        self.account: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def stop(self, *, grace_seconds: float) -> None:
        """Ends what other threads wait for, with `Stopped`: pauses at once, requests under way after a while, in which
        their answers may still come. Nothing more can be asked but to sign out."""
        self.patience.end()
        ending = threading.Timer(grace_seconds, self._connections.end)
        ending.daemon = True
        ending.start()

    def close(self) -> None:
        """Signs out, which ends the refresh token, and closes the connections."""
        if self._refresh is not None:
            self._http.event_hooks = {}  # also after `stop`, which ends what is connected from then on
            with contextlib.suppress(httpx.HTTPError):  # else it expires by itself
                self._http.post("/v1/auth/logout", json={"refresh_token": self._refresh}, timeout=_SIGN_OUT_SECONDS)
            self._refresh = self._access = None
        self._http.close()
        self.store.close()

    # --- who ---------------------------------------------------------------------------------------

    def sign_in(self, email: str, password: str) -> dict[str, Any]:
        """Signs in and returns the account. Raises `ApiProblem`."""
        self._keep(self._call("POST", "/v1/auth/login", json={"email": email, "password": password}))
        return self.account

    def _keep(self, tokens: Mapping[str, Any]) -> None:
        self._access, self._refresh = tokens["access_token"], tokens["refresh_token"]
        self._renew_at = time.monotonic() + float(tokens["expires_in"]) - _RENEW_BEFORE_SECONDS
        self.account = tokens["account"]

    def _token(self, *, stale: str | None = None) -> str | None:
        """The access token, renewed when it is about to end or is the one the API just called `stale`."""
        with self._lock:
            # Another thread may have renewed it while this one waited for the lock.
            over = time.monotonic() >= self._renew_at or (stale is not None and stale == self._access)
            if self._refresh is not None and over:
                self._keep(self._call("POST", "/v1/auth/refresh", json={"refresh_token": self._refresh}))
            return self._access

    # --- requests ----------------------------------------------------------------------------------

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The JSON answer (None for an empty one) of a request by the signed-in account, if there is one.

        Raises `ApiProblem` for a refusal, `CliError` when nothing answers and `Stopped` after `stop`.
        """
        token = self._token()
        try:
            return self._call(method, path, token=token, **options)
        except ApiProblem as problem:
            if problem.status != 401 or token is None:
                raise
        return self._call(method, path, token=self._token(stale=token), **options)

    def _call(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Any:
        headers = dict(options.pop("headers", None) or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = self.patience.send(lambda: self._http.request(method, path, headers=headers, **options))
        except httpx.TransportError as error:
            raise NobodyAnswers(
                f"nothing answers at {self.base_url} ({type(error).__name__}); is it up? --url or {URL_VARIABLE} choose"
                " another address"
            ) from error
        if response.status_code >= 400:
            raise _problem(response)
        if response.status_code >= 300:
            raise CliError(f"{self.base_url}{path} answered {response.status_code}; is this the API's address?")
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            raise CliError(f"{self.base_url}{path} did not answer JSON; is this the API's address?") from None

    def picture(self, path: str) -> bytes:
        """The bytes of a public rendition: the API says where they lie, and gets no token for it.

        Raises `ApiProblem` for a refusal and `CliError` when nothing answers.
        """
        try:
            where = self.patience.send(lambda: self._http.get(path, headers={"Accept": "image/jpeg"}))
            if where.status_code >= 400:
                raise _problem(where)
            address = urljoin(f"{self.base_url}/", where.headers.get("location", ""))
            picture = self.patience.send(lambda: self.store.get(address))
        except httpx.TransportError as error:
            raise CliError(f"nothing answers at {self.base_url} ({type(error).__name__}); is it up?") from error
        if picture.status_code != 200:
            raise CliError(f"{self.base_url}{path} leads to no picture ({picture.status_code})")
        return picture.content

    def path_of(self, url: str) -> str:
        """The path of one of the API's own absolute URLs, so that a token only ever goes to `base_url`."""
        return urlsplit(url).path
