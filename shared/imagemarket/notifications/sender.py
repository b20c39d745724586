"""One POST to a webhook: pinned to a checked address, no redirects, bounded in time and in what is read."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from imagemarket.notifications.targets import TargetRefused, TargetRules
from imagemarket.platform.errors import InvalidRequest

TIMEOUT_SECONDS = 15.0
"""For all of it; Standard Webhooks 1.0 recommends 15 to 30."""
_READ_BYTES = 2000


@dataclass(frozen=True)
class Answer:
    """How a call went."""

    milliseconds: int
    status: int | None = None
    error: str | None = None
    """Why there is no status, in words for the webhook's owner."""
    response: str | None = None
    retry_after: int | None = None
    """Seconds that the receiver asks to be left alone."""

    @property
    def delivered(self) -> bool:
        """Only 2xx counts (Standard Webhooks 1.0)."""
        return self.status is not None and 200 <= self.status < 300


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to an address found before, and speaks TLS for the host's name."""

    def __init__(self, host: str, port: int, *, address: str, context: ssl.SSLContext | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address
        self._context = context

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()


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
        """Never raises for what the receiver does or is."""
        started = time.monotonic()

        def gone() -> int:
            return int((time.monotonic() - started) * 1000)

        try:
            target = self._rules.parse(url)
            address = self._rules.pin(target)
        except InvalidRequest as error:
            return Answer(gone(), error=error.detail)
        except TargetRefused as error:
            return Answer(gone(), error=str(error))
        except OSError:
            return Answer(gone(), error="the host's name leads nowhere")
        context = (self._context or ssl.create_default_context()) if target.scheme == "https" else None
        connection = _PinnedConnection(
            target.host, target.port, address=address, context=context, timeout=self._timeout
        )
        # A timeout of sockets bounds each read; a receiver that drips bytes is ended by this.
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            if connection.sock is not None:
                try:
                    connection.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return

        watchdog = threading.Timer(self._timeout, end)
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.request("POST", target.path, body=body, headers={"Host": target.authority, **headers})
            response = connection.getresponse()
            text = response.read(_READ_BYTES).decode("utf-8", "replace")
            if overdue.is_set():  # what came before the end looks like a whole answer
                raise TimeoutError
            return Answer(
                gone(),
                status=response.status,
                response=text.replace("\0", "")[:500] or None,
                retry_after=_seconds(response.getheader("retry-after")),
            )
        except ssl.SSLError as error:
            return Answer(gone(), error=f"TLS failed: {error.reason or 'the connection broke off'}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if overdue.is_set() or isinstance(error, TimeoutError):
                return Answer(gone(), error=f"no answer within {self._timeout:g} seconds")
            return Answer(gone(), error=f"the connection failed ({type(error).__name__})")
        finally:
            watchdog.cancel()
            connection.close()


def _seconds(value: str | None) -> int | None:
    return min(int(value), 86400) if value is not None and value.isascii() and value.isdigit() else None
