"""The root of the one tree of errors, and those that any room may raise; each room has its own in its `errors.py`.

Each class knows its problem `slug`, `title`, HTTP `status` and whether trying again can help. Its
class name is also the token that a Step Functions Retry or Catch names in `ErrorEquals`, so renaming
a class changes the saga; a test holds the two together.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import imagemarket


class MarketError(Exception):
    """Something the marketplace refuses or cannot do, said so that the reader can act on it.

    `detail` names the field, the limit and the way out; it never carries a key, a path, a token or
    another user's data. `extensions` become members of the RFC 9457 problem document.
    """

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions


# --- What a caller got wrong -------------------------------------------------------------------


class InvalidRequest(MarketError):
    """A parameter or body field is missing, malformed or out of its limits."""

    slug, title, status = "invalid-request", "The request is not valid", 422

    def __init__(self, detail: str, *, errors: Sequence[Mapping[str, Any]] = (), **extensions: Any) -> None:
        super().__init__(detail, **({"errors": [dict(e) for e in errors]} if errors else {}), **extensions)


class IdempotencyKeyReused(InvalidRequest):
    """The same Idempotency-Key came with another body."""

    slug, title, status = "idempotency-key-reused", "The idempotency key belongs to another request", 422


class Unauthenticated(MarketError):
    """The caller did not prove who they are."""

    slug, title, status = "unauthenticated", "Sign in to do this", 401

    def __init__(self, detail: str, *, challenge: str = "Bearer", **extensions: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": challenge}, **extensions)


class TokenExpired(Unauthenticated):
    """The access token was real and is over."""

    slug, title, status = "token-expired", "The access token has expired", 401


class Forbidden(MarketError):
    """The caller is known and may not do this."""

    slug, title, status = "forbidden", "This account may not do that", 403


class NotFound(MarketError):
    """There is no such thing, or the caller may not know that there is."""

    slug, title, status = "not-found", "There is nothing here", 404


class MethodNotAllowed(MarketError):
    """The path is one of this API, the method is not one of the path's."""

    slug, title, status = "method-not-allowed", "The path does not take this method", 405

    def __init__(self, detail: str, *, allowed: Sequence[str], **extensions: Any) -> None:
        super().__init__(detail, headers={"Allow": ", ".join(allowed)}, **extensions)


class Conflict(MarketError):
    """The request is valid, but the resource is not in a state that allows it."""

    slug, title, status = "conflict", "The resource is not in a state that allows this", 409


class IdempotencyInFlight(Conflict):
    """The first request with this Idempotency-Key has not ended yet."""

    slug, title, status = "idempotency-in-flight", "The first request with this key is still under way", 409


class TooManyRequests(MarketError):
    """A limit on attempts or requests was reached; `Retry-After` says when to come back."""

    slug, title, status, retryable = "too-many-requests", "Too many requests", 429, True

    def __init__(self, detail: str, *, retry_after: int, **extensions: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)}, **extensions)


# --- What may pass -----------------------------------------------------------------------------


class DependencyUnavailable(MarketError):
    """A database, store, queue or engine did not answer in its time."""

    slug, title, status, retryable = (
        "dependency-unavailable",
        "A part of the service is not answering",
        503,
        True,
    )


class DependencyRefused(DependencyUnavailable):
    """A service that we depend on refused a call of ours, and would again: a permission, a name or a setting is wrong.
    To be mended by those who run this, not by trying again."""

    slug, title, status, retryable = "dependency-refused", "A part of the service refused what it was asked", 500, False

    def __init__(self, detail: str, *, code: str, message: str = "") -> None:
        super().__init__(detail)
        self.code = code
        """The service's own word for the reason."""
        self.message = message
        """What it said beside."""


def error_classes(root: type[MarketError] = MarketError) -> list[type[MarketError]]:
    """Every error class from `root` down, each once, parents first, those of all rooms included."""
    for room in pkgutil.iter_modules(imagemarket.__path__):
        if room.ispkg and find_spec(f"imagemarket.{room.name}.errors"):
            import_module(f"imagemarket.{room.name}.errors")
    found: list[type[MarketError]] = []
    queue = [root]
    while queue:
        error = queue.pop(0)
        if error not in found:
            found.append(error)
            queue.extend(error.__subclasses__())
    return found
