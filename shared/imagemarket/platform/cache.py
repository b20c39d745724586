"""Valkey, for what may be lost: counters, limits, pages of results, and what waits to be gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.resilience import Breaker

if TYPE_CHECKING:
    from valkey import Valkey

_TIMEOUT_SECONDS = 0.25

# Only the one that holds a claim may give it up.
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Cache:
    """A connection to Valkey, opened at first use; threads may share one.

    Every method is one round trip and raises `DependencyUnavailable` when the cache does not answer within
    a quarter of a second, or at once while its breaker is open; the caller decides what then.
    """

    def __init__(self, url: str, breaker: Breaker | None = None) -> None:
        self._url = url
        self._client: Valkey | None = None
        self._breaker = breaker or Breaker()

    def _connected(self) -> Valkey:
        if self._client is None:
            from valkey import Valkey

            self._client = Valkey.from_url(
                self._url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
            )
        return self._client

    def _ask(self, question: Callable[[Valkey], Any]) -> Any:
        from valkey.exceptions import ValkeyError

        if not self._breaker.allows():
            raise DependencyUnavailable("The cache is not answering.")
        try:
            answer = question(self._connected())
        except ValkeyError as error:
            self._breaker.failed()
            raise DependencyUnavailable("The cache is not answering.") from error
        self._breaker.succeeded()
        return answer

    def count(self, key: str, *, window_seconds: int) -> tuple[int, int]:
        """Adds one to a counter that forgets after `window_seconds`.

        Returns the count and the seconds until it is forgotten.
        """

        def question(client: Valkey) -> tuple[int, int]:
            pipeline = client.pipeline(transaction=True)
            pipeline.set(key, 0, ex=window_seconds, nx=True)
            pipeline.incr(key)
            pipeline.ttl(key)
            _, count, ttl = pipeline.execute()
            return cast("int", count), max(1, cast("int", ttl))

        return self._ask(question)

    def forget(self, *keys: str) -> None:
        """Deletes the keys."""
        self._ask(lambda client: client.delete(*keys))

    def get(self, *keys: str) -> list[bytes | None]:
        """The values of the keys, None for one that is not there."""
        return self._ask(lambda client: client.mget(keys))

    def put(self, key: str, value: bytes | str, *, seconds: int) -> None:
        """Keeps a value for so long."""
        self._ask(lambda client: client.set(key, value, ex=seconds))

    def add(self, key: str, value: bytes | str) -> None:
        """Keeps a value for good, where the key has none yet."""
        self._ask(lambda client: client.set(key, value, nx=True))

    def put_all(self, values: Mapping[str, bytes | str], *, seconds: int, bumped: str) -> None:
        """Keeps several values and adds one to the counter `bumped`, all or nothing."""

        def question(client: Valkey) -> None:
            pipeline = client.pipeline(transaction=True)
            for key, value in values.items():
                pipeline.set(key, value, ex=seconds)
            pipeline.incr(bumped)
            pipeline.execute()

        self._ask(question)

    def claim(self, key: str, holder: str, *, milliseconds: int) -> bool:
        """Whether the key was free and is now the holder's, for so long at most."""
        return bool(self._ask(lambda client: client.set(key, holder, px=milliseconds, nx=True)))

    def release(self, key: str, holder: str) -> None:
        """Gives up a claim, where it is still the holder's."""
        self.run(_RELEASE, [key], [holder])

    def append(self, stream: str, value: str, *, most: int) -> None:
        """Adds a value to the end of a stream that keeps about the `most` newest."""
        self._ask(lambda client: client.xadd(stream, {"value": value}, maxlen=most, approximate=True))

    def waiting(self, stream: str, *, most: int) -> list[tuple[str, bytes]]:
        """The oldest values of a stream, each with its place."""
        found = self._ask(lambda client: client.xrange(stream, count=most))
        return [(place.decode(), fields[b"value"]) for place, fields in found]

    def remove(self, stream: str, places: Sequence[str]) -> None:
        """Takes values out of a stream."""
        self._ask(lambda client: client.xdel(stream, *places))

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | float]) -> Any:
        """What a Lua script answers; the server does nothing else meanwhile."""
        return self._ask(lambda client: client.register_script(script)(keys=list(keys), args=list(arguments)))
