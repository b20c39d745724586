"""Cursors: opaque to the client, signed, bound to the query they came from, good for a day.

By hand, since itsdangerous, which signs and dates texts too, would take over no more than the standard library's HMAC
and one comparison of times: what a cursor holds and which query it belongs to would be written here all the same, and
in JSON it would be nearly twice as long.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from imagemarket.platform.clock import Clock
from imagemarket.search.errors import InvalidCursor
from imagemarket.search.request import Paging

LIFETIME = timedelta(days=1)

_LAYOUT = struct.Struct(">BI8sH16s")  # form, issued at (seconds), the query, results passed, last image
_FORM = 2
_SIGNATURE_BYTES = 16
_NOT_THE_QUERY = frozenset({"cursor", "page", "limit", "fields"})
"""A walk may go on with pages of another size, and show other fields."""


@dataclass(frozen=True)
class Position:
    """Where a walk through results stands."""

    passed: int
    """Results given out so far."""
    last: UUID
    """The last of them: the walk goes on after it even when newer images came in before it."""


def normalised(query: Paging, *, without: Collection[str]) -> str:
    """What makes two questions one: the order of a filter's values and the case of the words do not."""
    asked: dict[str, Any] = query.model_dump(mode="json", exclude=set(without), exclude_defaults=True)
    told = {name: sorted(value) if isinstance(value, list) else value for name, value in asked.items()}
    return json.dumps(told, sort_keys=True).casefold()


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
        payload = _LAYOUT.pack(_FORM, now, _name(query, scope), position.passed, position.last.bytes)
        return base64.urlsafe_b64encode(payload + self._signature(payload)).rstrip(b"=").decode()

    def read(self, cursor: str, query: Paging, scope: str = "") -> Position:
        """Raises `InvalidCursor`, which says why, unless this very query was given the cursor within a day."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise _refused("is not one of ours") from error
        payload, signature = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if len(raw) != _LAYOUT.size + _SIGNATURE_BYTES or not hmac.compare_digest(signature, self._signature(payload)):
            raise _refused("was changed or is not one of ours")
        _, issued, name, passed, last = _LAYOUT.unpack(payload)
        if name != _name(query, scope):
            raise _refused("belongs to another query")
        if self._clock.now().timestamp() - issued > LIFETIME.total_seconds():
            raise _refused("is older than a day")
        return Position(passed, UUID(bytes=last))

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:_SIGNATURE_BYTES]


def _name(query: Paging, scope: str) -> bytes:
    """Eight bytes that tell this query from another, so that a refusal can say which it was."""
    asked = "\0".join([scope, type(query).__name__, normalised(query, without=_NOT_THE_QUERY)])
    return hashlib.sha256(asked.encode()).digest()[:8]


def _refused(reason: str) -> InvalidCursor:
    detail = f"{reason}; search again without it"
    errors: list[dict[str, Any]] = [{"in": "query", "field": "cursor", "detail": detail}]
    return InvalidCursor(f"cursor: {detail}.", errors=errors)
