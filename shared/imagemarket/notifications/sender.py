"""One POST to a webhook: pinned to a checked address, no redirects, bounded in time and in what is read."""

from __future__ import annotations

import http.client
import io
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from imagemarket.notifications.targets import TargetRefused, TargetRules
from imagemarket.platform.errors import InvalidRequest
from imagemarket.platform.telemetry import logger

TIMEOUT_SECONDS = 15.0
"""For all of it, from the name to the last byte; Standard Webhooks 1.0 recommends 15 to 30."""
MAX_ANSWER_BYTES = 32 * 1024
"""What is read of an answer, header fields and framing included."""
LONGEST_RETRY_AFTER = 86400
"""Seconds for which a receiver may ask to be left alone."""
_READ_BYTES = 2000
"""What is kept of an answer's body."""


@dataclass(frozen=True)
class Answer:
    """How a call went."""

    milliseconds: int
    status: int | None = None
    error: str | None = None
    """Why there is no status, in words for the webhook's owner."""
    response: str | None = None
    """How the body begins: 500 characters."""
    body: str = ""
    """How the body begins: 2000 bytes."""
    retry_after: int | None = None
    """Seconds that the receiver asks to be left alone."""

    @property
    def delivered(self) -> bool:
        """Only 2xx counts (Standard Webhooks 1.0)."""
        return self.status is not None and 200 <= self.status < 300


class _AnswerTooLong(Exception):
    """The receiver sent more than `MAX_ANSWER_BYTES`."""


class _Deadline:
    """A moment by which everything has to be over."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then. Raises `TimeoutError` when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _BoundedReader(io.RawIOBase):
    """What comes in by a socket: each read waits no longer than the deadline, all reads have one budget."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._socket = sock
        self._deadline = deadline
        self._budget = MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._budget <= 0:
            raise _AnswerTooLong
        self._socket.settimeout(self._deadline.left())
        count = self._socket.recv_into(buffer, min(len(buffer), self._budget))
        self._budget -= count
        return count


class _BoundedSocket:
    """As much of a socket as `http.client` uses, with one deadline over all of it.

    A socket's own timeout begins anew with each byte, so a receiver that drips would be waited for without end. The
    bound lies here and not in the connection, since `http.client` gives its socket away to the response as soon as
    the receiver says `Connection: close`.
    """

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._socket = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._deadline.left())
            view = view[self._socket.send(view) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._socket, self._deadline))

    def close(self) -> None:
        """Nothing: the one that opened the socket closes it."""


class _FinalResponse(http.client.HTTPResponse):
    """The answer behind those that only announce it (RFC 9110, 15.2); `http.client` passes over 100 alone."""

    def _read_status(self) -> tuple[str, int, str]:
        read_status: Callable[[], tuple[str, int, str]] = super()._read_status  # pyright: ignore[reportAttributeAccessIssue] - not in its stubs
        version, status, reason = read_status()
        while http.HTTPStatus.SWITCHING_PROTOCOLS < status < http.HTTPStatus.OK:
            http.client.parse_headers(self.fp)
            version, status, reason = read_status()
        return version, status, reason


class WebhookSender:
    """Calls webhooks."""

    def __init__(
        self, rules: TargetRules, *, timeout_seconds: float = TIMEOUT_SECONDS, context: ssl.SSLContext | None = None
    ) -> None:
        """`context` verifies certificates; the system's authorities by default."""
        self._rules = rules
        self._timeout = timeout_seconds
        self._context = context

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Never raises for what the receiver does or is, and is over within the timeout."""
        started = time.monotonic()
        deadline = _Deadline(self._timeout)

        def failed(why: str) -> Answer:
            return Answer(int((time.monotonic() - started) * 1000), error=why)

        try:
            target = self._rules.parse(url)
            address = _within(deadline, lambda: self._rules.pin(target))
        except InvalidRequest as error:
            return failed(error.detail)
        except TargetRefused as error:
            return failed(str(error))
        except TimeoutError:
            return failed(f"the host's name did not resolve within {self._timeout:g} seconds")
        except OSError:
            return failed("the host's name leads nowhere")
        opened: socket.socket | None = None
        try:
            opened = socket.create_connection((address, target.port), deadline.left())
            if target.scheme == "https":
                context = self._context or ssl.create_default_context()
                opened = context.wrap_socket(opened, server_hostname=target.host, do_handshake_on_connect=False)
                opened.settimeout(deadline.left())
                opened.do_handshake()
            connection = http.client.HTTPConnection(target.host, target.port)
            connection.response_class = _FinalResponse
            connection.sock = cast("socket.socket", _BoundedSocket(opened, deadline))
            connection.request("POST", target.path, body=body, headers={"Host": target.authority, **headers})
            response = connection.getresponse()
            text = response.read(_READ_BYTES).decode("utf-8", "replace").replace("\0", "")
            return Answer(
                int((time.monotonic() - started) * 1000),
                status=response.status,
                response=text[:500] or None,
                body=text,
                retry_after=_seconds(response.getheader("retry-after")),
            )
        except TimeoutError:
            return failed(f"no answer within {self._timeout:g} seconds")
        except ssl.SSLError as error:
            return failed(f"TLS failed: {error.reason or 'the connection broke off'}")
        except _AnswerTooLong:
            return failed(f"the answer's header fields are longer than {MAX_ANSWER_BYTES} bytes")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return failed(_why(error))
        except Exception as error:  # noqa: BLE001 - whoever calls holds a place that others wait for
            logger.error("a receiver's answer raised", raised=type(error).__name__)
            return failed("the answer cannot be read")
        finally:
            if opened is not None:
                opened.close()


_T = TypeVar("_T")


def _within(deadline: _Deadline, work: Callable[[], _T]) -> _T:
    """What the work returns or raises. Raises `TimeoutError` when it has not ended by the deadline: the system's
    resolver takes no timeout, and the name's own server decides how long it lasts."""
    ended: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            ended.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            ended.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = ended.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return cast("_T", result)


def _why(error: OSError | http.client.HTTPException | ValueError) -> str:
    """In words for the webhook's owner."""
    match error:
        case ConnectionRefusedError():
            return "the connection was refused: nothing listens there"
        case ConnectionError() | http.client.IncompleteRead():  # http.client.RemoteDisconnected is both
            return "the connection was closed before the answer was whole"
        case OSError():
            return "the address cannot be reached"
        case _ if type(error) is http.client.HTTPException:  # it has no class of its own for that
            return "the answer has more than 100 header fields"
        case _:
            return "the answer is not HTTP"


def _seconds(value: str | None) -> int | None:
    """Of a `Retry-After` in either form (RFC 9110, 10.2.3), `LONGEST_RETRY_AFTER` at most; None where it is neither."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        return LONGEST_RETRY_AFTER if len(digits) > 6 else min(int(digits), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(value)
        left = (until if until.tzinfo else until.replace(tzinfo=UTC)) - datetime.now(UTC)
    except (ValueError, OverflowError):  # a year or an offset of twenty digits is no number of a date
        return None
    return min(max(0, math.ceil(left.total_seconds())), LONGEST_RETRY_AFTER)
