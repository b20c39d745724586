"""How many of a kind may be under way at once for somebody, counted in Valkey by leases that end by themselves.

By hand, since the Valkey client's own `Lock` has one holder, and the packages with semaphores are for Redis's client.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from imagemarket.platform.cache import Cache
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.telemetry import logger

# One sorted set for a subject: a lease's score is when it ends, in milliseconds of the server's own clock.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
"""
_GIVE_BACK = "return redis.call('ZREM', KEYS[1], ARGV[1])"


class Leases:
    """Leases of one kind, such as "waits"."""

    def __init__(self, cache: Callable[[], Cache], kind: str, *, most: int) -> None:
        """`most` leases of one subject are there at once."""
        self._cache = cache
        self._kind = kind
        self._most = most

    @contextmanager
    def taken(self, subject: str, *, seconds: float) -> Iterator[bool]:
        """Whether the subject had a lease left, which it then holds until the end of the block, and for `seconds` at
        most where its holder dies. Nobody gets one while Valkey does not answer."""
        holder = uuid.uuid4().hex
        # A digest, so that whoever reads the counters does not read whose they are.
        key = f"{self._kind}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
        try:
            got = bool(self._cache().run(_TAKE, [key], [holder, self._most, round(seconds * 1000)]))
        except DependencyUnavailable:
            logger.warning("no lease is given out: the counters are not answering", kind=self._kind)
            got = False
        try:
            yield got
        finally:
            if got:
                try:
                    self._cache().run(_GIVE_BACK, [key], [holder])
                except DependencyUnavailable:
                    logger.warning("a lease was not given back, and ends by itself", kind=self._kind)
