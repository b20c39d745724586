"""Cursors: opaque to the client, signed, bound to the query they came from, good for a day."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from imagemarket.platform.clock import Clock
from imagemarket.platform.errors import InvalidCursor
from imagemarket.search.models import Paging

LIFETIME = timedelta(days=1)

_LAYOUT = struct.Struct(">BIH16s")  # form, issued at (seconds), results passed, last image
_FORM = 1
_SIGNATURE_BYTES = 16


@dataclass(frozen=True)
class Position:
    """Where a walk through results stands."""

    passed: int
    """Results given out so far."""
    last: UUID
    """The last of them: the walk goes on after it even when newer images came in before it."""


class CursorSigner:
    """Writes and reads cursors. `key` gives the secret, at first use."""

    def __init__(self, key: Callable[[], str], clock: Clock) -> None:
        self._secret = key
        self._clock = clock

    @cached_property
    def _key(self) -> bytes:
        return hashlib.sha256(b"imagemarket.search.cursor\0" + self._secret().encode()).digest()

    def write(self, position: Position, query: Paging, scope: str = "") -> str:
        """The cursor of a position; `scope` tells apart what the query itself does not say."""
        now = int(self._clock.now().timestamp())
        payload = _LAYOUT.pack(_FORM, now, position.passed, position.last.bytes)
        signed = payload + self._signature(payload, query, scope)
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, cursor: str, query: Paging, scope: str = "") -> Position:
        """Raises `InvalidCursor` unless this very query was given the cursor within a day."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise _refused("is not one of ours") from error
        payload, signature = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if len(raw) != _LAYOUT.size + _SIGNATURE_BYTES or not hmac.compare_digest(
            signature, self._signature(payload, query, scope)
        ):
            raise _refused("was changed or belongs to another query")
        _, issued, passed, last = _LAYOUT.unpack(payload)
        if self._clock.now().timestamp() - issued > LIFETIME.total_seconds():
            raise _refused("is older than a day")
        return Position(passed, UUID(bytes=last))

    def _signature(self, payload: bytes, query: Paging, scope: str) -> bytes:
        asked = query.model_dump_json(exclude={"cursor", "page", "limit"})
        message = b"\0".join([payload, scope.encode(), asked.encode()])
        return hmac.digest(self._key, message, "sha256")[:_SIGNATURE_BYTES]


def _refused(reason: str) -> InvalidCursor:
    detail = f"{reason}; search again without it"
    errors: list[dict[str, Any]] = [{"in": "query", "field": "cursor", "detail": detail}]
    return InvalidCursor(f"cursor: {detail}.", errors=errors)
