"""Limits on guessing: at one account from one address, at one account by strangers, from one address at any.

An account is never closed to everybody, since whoever knows its e-mail could then keep its owner out. Many strangers
together use up what strangers have, and not what the owner has in networks that the account was opened in or has signed
in from.

The counters live in the cache, which may be lost. When it does not answer, sign-in goes on: then
bcrypt's cost is the brake, which allows a few guesses per second and process, and a metric says so.
"""

from __future__ import annotations

import hashlib
import ipaddress
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


PER_ACCOUNT_AND_ADDRESS = Limit(attempts=10, seconds=15 * 60)
"""Sign-ins for one e-mail address from one network address; a success starts it afresh."""
STRANGERS_PER_ACCOUNT = Limit(attempts=30, seconds=15 * 60)
"""Sign-ins for one e-mail address from wherever it has not signed in from; a success changes nothing."""
PER_ADDRESS = Limit(attempts=100, seconds=15 * 60)
"""Sign-ins from one network address, for whatever accounts: an office's worth, no password spray."""
REGISTRATIONS_PER_ADDRESS = Limit(attempts=20, seconds=60 * 60)
MAILS_PER_ADDRESS = Limit(attempts=20, seconds=60 * 60)
"""Requests for mail from one network address, for whatever accounts."""


class AttemptLimiter:
    """Counts attempts before they are made, and refuses those over a limit."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def sign_in(self, *, email: str, address: str, known: bool) -> None:
        """Counts a sign-in; `known` is whether the account has signed in from this network before.

        Raises `TooManyRequests`, for known and unknown e-mails alike.
        """
        self._count_address("sign-in", address, PER_ADDRESS, what="sign-in attempts from this address")
        self._count(
            _pair_key(email, address),
            PER_ACCOUNT_AND_ADDRESS,
            what="sign-in attempts for this account from this address",
        )
        if not known:
            self._count(
                "attempts:sign-in:strangers:" + _digest(email),
                STRANGERS_PER_ACCOUNT,
                what="sign-in attempts for this account from networks that it has not signed in from",
            )

    def signed_in(self, *, email: str, address: str) -> None:
        """Forgets the attempts at an account from where its owner has just proved to be."""
        try:
            self._counters.forget(_pair_key(email, address))
        except DependencyUnavailable:
            _say_unavailable()

    def registration(self, *, address: str) -> None:
        """Counts a registration. Raises `TooManyRequests`."""
        self._count_address("registration", address, REGISTRATIONS_PER_ADDRESS, what="registrations from this address")

    def mail(self, *, address: str) -> None:
        """Counts a request for mail. Raises `TooManyRequests`."""
        self._count_address("mail", address, MAILS_PER_ADDRESS, what="requests for mail from this address")

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


def neighbourhood_of(address: str) -> str:
    """The network that an address is remembered by: the /24 of an IPv4 address, the /48 of an IPv6 one. Providers give
    out another address of the same network each day."""
    network = network_of(address)
    if network is None:
        return "loopback"
    try:
        parsed = ipaddress.ip_address(network)
    except ValueError:
        return network
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def _pair_key(email: str, address: str) -> str:
    return "attempts:sign-in:account:" + _digest(f"{network_of(address) or address} {email}")


def _digest(text: str) -> str:
    """So that whoever reads the cache does not read who signs in."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
