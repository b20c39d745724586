"""Limits on guessing, per account and per address.

The counters live in the cache, which may be lost. When it does not answer, sign-in goes on: then
bcrypt's cost is the brake, which allows a few guesses per second and process, and a metric says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from imagemarket.platform.errors import DependencyUnavailable, TooManyRequests
from imagemarket.platform.ratelimits import network_of
from imagemarket.platform.telemetry import count, logger


class Counters(Protocol):
    """What is needed of `platform.cache.Cache`."""

    def count(self, key: str, *, window_seconds: int) -> tuple[int, int]: ...

    def forget(self, *keys: str) -> None: ...


@dataclass(frozen=True)
class Limit:
    """At most `attempts` in any window of `seconds` that begins with the first of them."""

    attempts: int
    seconds: int


PER_ACCOUNT = Limit(attempts=10, seconds=15 * 60)
"""Sign-ins for one e-mail address; a success starts it afresh."""
PER_ADDRESS = Limit(attempts=100, seconds=15 * 60)
"""Sign-ins from one network address, for whatever accounts: an office's worth, no password spray."""
REGISTRATIONS_PER_ADDRESS = Limit(attempts=20, seconds=60 * 60)


class AttemptLimiter:
    """Counts attempts before they are made, and refuses those over a limit."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def sign_in(self, *, email: str, address: str) -> None:
        """Counts a sign-in. Raises `TooManyRequests`, for known and unknown e-mails alike."""
        self._count_address("sign-in", address, PER_ADDRESS, what="sign-in attempts from this address")
        self._count(_account_key(email), PER_ACCOUNT, what="sign-in attempts for this account")

    def signed_in(self, *, email: str) -> None:
        """Forgets the attempts at an account whose owner has just proved to be there."""
        try:
            self._counters.forget(_account_key(email))
        except DependencyUnavailable:
            _say_unavailable()

    def registration(self, *, address: str) -> None:
        """Counts a registration. Raises `TooManyRequests`."""
        self._count_address("registration", address, REGISTRATIONS_PER_ADDRESS, what="registrations from this address")

    def _count_address(self, purpose: str, address: str, limit: Limit, *, what: str) -> None:
        network = network_of(address)
        if network is not None:
            self._count(f"attempts:{purpose}:address:{network}", limit, what=what)

    def _count(self, key: str, limit: Limit, *, what: str) -> None:
        try:
            attempts, seconds = self._counters.count(key, window_seconds=limit.seconds)
        except DependencyUnavailable:
            _say_unavailable()
            return
        if attempts > limit.attempts:
            count("AttemptsRefused")
            raise TooManyRequests(
                f"At most {limit.attempts} {what} in {limit.seconds // 60} minutes; try again in {seconds} seconds.",
                retry_after=seconds,
                limit=limit.attempts,
                window_seconds=limit.seconds,
            )


def _say_unavailable() -> None:
    logger.warning("attempts are not being counted: the cache is not answering")
    count("AttemptLimiterUnavailable")


def _account_key(email: str) -> str:
    """A digest, so that whoever reads the cache does not read who signs in."""
    return "attempts:sign-in:account:" + hashlib.sha256(email.encode("utf-8", "replace")).hexdigest()
