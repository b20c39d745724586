"""Valkey, for what may be lost: counters of attempts and, later, pages of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from imagemarket.platform.errors import DependencyUnavailable

if TYPE_CHECKING:
    from valkey import Valkey

_TIMEOUT_SECONDS = 0.25


class Cache:
    """A connection to Valkey, opened at first use. Every method raises `DependencyUnavailable`
    when the cache does not answer within a quarter of a second; the caller decides what then."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Valkey | None = None

    def _connected(self) -> Valkey:
        if self._client is None:
            from valkey import Valkey

            self._client = Valkey.from_url(
                self._url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
            )
        return self._client

    def count(self, key: str, *, window_seconds: int) -> tuple[int, int]:
        """Adds one to a counter that forgets after `window_seconds`.

        Returns the count and the seconds until it is forgotten. One round trip.
        """
        from valkey.exceptions import ValkeyError

        try:
            pipeline = self._connected().pipeline(transaction=True)
            pipeline.set(key, 0, ex=window_seconds, nx=True)
            pipeline.incr(key)
            pipeline.ttl(key)
            _, count, ttl = pipeline.execute()
        except ValkeyError as error:
            raise DependencyUnavailable("The cache is not answering.") from error
        return cast("int", count), max(1, cast("int", ttl))

    def get(self, *keys: str) -> list[bytes | None]:
        """The values of the keys, None for one that is not there."""
        from valkey.exceptions import ValkeyError

        try:
            return cast("list[bytes | None]", self._connected().mget(keys))
        except ValkeyError as error:
            raise DependencyUnavailable("The cache is not answering.") from error

    def put(self, key: str, value: bytes | str, *, seconds: int) -> None:
        """Keeps a value for so long."""
        from valkey.exceptions import ValkeyError

        try:
            self._connected().set(key, value, ex=seconds)
        except ValkeyError as error:
            raise DependencyUnavailable("The cache is not answering.") from error

    def forget(self, *keys: str) -> None:
        """Deletes the keys."""
        from valkey.exceptions import ValkeyError

        try:
            self._connected().delete(*keys)
        except ValkeyError as error:
            raise DependencyUnavailable("The cache is not answering.") from error
