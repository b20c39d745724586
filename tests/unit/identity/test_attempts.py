"""Guessing is limited, and says when it may go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imagemarket.identity.attempts import (
    PER_ACCOUNT_AND_ADDRESS,
    PER_ADDRESS,
    REGISTRATIONS_PER_ADDRESS,
    STRANGERS_PER_ACCOUNT,
    AttemptLimiter,
    neighbourhood_of,
)
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.errors import TooManyRequests
from tests.unit.identity.kit import ADDRESS, EMAIL, START, FakeCounters


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def counters(clock: ManualClock) -> FakeCounters:
    return FakeCounters(clock)


@pytest.fixture
def limiter(counters: FakeCounters) -> AttemptLimiter:
    return AttemptLimiter(counters)


def test_an_account_is_guessed_at_ten_times_from_an_address_and_then_not_for_a_while(
    limiter: AttemptLimiter, clock: ManualClock
) -> None:
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts):
        limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)
    clock.advance(timedelta(minutes=5))
    with pytest.raises(TooManyRequests) as refused:
        limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)
    assert refused.value.headers["Retry-After"] == "600"
    assert refused.value.extensions == {"limit": 10, "window_seconds": 900}
    assert "10 sign-in attempts for this account from this address in 15 minutes" in refused.value.detail
    limiter.sign_in(email="bob@example.com", address=ADDRESS, known=False)
    limiter.sign_in(email=EMAIL, address="203.0.113.200", known=False)
    clock.advance(timedelta(minutes=10))
    limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)


@pytest.mark.parametrize("address", ["203.0.113.8", "127.0.0.2", "2001:db8:1:2::1"])
def test_another_address_is_not_shut_out_by_the_first(limiter: AttemptLimiter, address: str) -> None:
    for first in ("203.0.113.7", "127.0.0.1", "2001:db8:1:1::1"):
        for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts):
            limiter.sign_in(email=EMAIL, address=first, known=True)
        with pytest.raises(TooManyRequests):
            limiter.sign_in(email=EMAIL, address=first, known=True)
    limiter.sign_in(email=EMAIL, address=address, known=True)


def test_many_strangers_use_up_what_strangers_have_and_no_more(limiter: AttemptLimiter) -> None:
    for n in range(STRANGERS_PER_ACCOUNT.attempts):
        limiter.sign_in(email=EMAIL, address=f"198.51.{n}.7", known=False)
        limiter.signed_in(email=EMAIL, address=f"198.51.{n}.7")
    with pytest.raises(TooManyRequests) as refused:
        limiter.sign_in(email=EMAIL, address="198.51.200.7", known=False)
    assert "30 sign-in attempts for this account from networks that it has not signed in from" in refused.value.detail
    limiter.sign_in(email=EMAIL, address=ADDRESS, known=True)
    limiter.sign_in(email="bob@example.com", address="198.51.200.7", known=False)


def test_a_success_starts_the_pair_afresh(limiter: AttemptLimiter) -> None:
    for _ in range(3 * PER_ACCOUNT_AND_ADDRESS.attempts):
        limiter.sign_in(email=EMAIL, address=ADDRESS, known=True)
        limiter.signed_in(email=EMAIL, address=ADDRESS)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("127.0.0.1", "loopback"),
        ("unknown", "unknown"),
    ],
)
def test_a_network_is_remembered_as_a_whole(address: str, network: str) -> None:
    assert neighbourhood_of(address) == network


def test_an_address_may_not_try_account_after_account(limiter: AttemptLimiter) -> None:
    for n in range(PER_ADDRESS.attempts):
        limiter.sign_in(email=f"someone-{n}@example.com", address=ADDRESS, known=False)
    with pytest.raises(TooManyRequests) as refused:
        limiter.sign_in(email="another@example.com", address=ADDRESS, known=False)
    assert "100 sign-in attempts from this address" in refused.value.detail
    limiter.sign_in(email="another@example.com", address="203.0.113.8", known=False)


def test_a_refused_address_does_not_use_up_an_account_of_somebody_else(
    limiter: AttemptLimiter, counters: FakeCounters
) -> None:
    for n in range(PER_ADDRESS.attempts):
        limiter.sign_in(email=f"someone-{n}@example.com", address=ADDRESS, known=False)
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts + 5):
        with pytest.raises(TooManyRequests):
            limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)
    limiter.sign_in(email=EMAIL, address="203.0.113.8", known=False)


def test_registrations_have_a_limit_of_their_own(limiter: AttemptLimiter) -> None:
    for _ in range(REGISTRATIONS_PER_ADDRESS.attempts):
        limiter.registration(address=ADDRESS)
    with pytest.raises(TooManyRequests):
        limiter.registration(address=ADDRESS)
    limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("unknown", "not an address", True),
    ],
)
def test_an_ipv6_host_is_its_whole_64(
    limiter: AttemptLimiter, counters: FakeCounters, one: str, other: str, *, same: bool
) -> None:
    limiter.registration(address=one)
    limiter.registration(address=other)
    assert len(counters.keys) == (1 if same else 2)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_machines_own_user_is_not_counted_by_address(
    limiter: AttemptLimiter, counters: FakeCounters, address: str
) -> None:
    limiter.registration(address=address)
    assert counters.keys == []


def test_the_cache_does_not_learn_who_signs_in(limiter: AttemptLimiter, counters: FakeCounters) -> None:
    limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)
    assert not any(EMAIL in key for key in counters.keys)


def test_without_the_cache_sign_in_goes_on(limiter: AttemptLimiter, counters: FakeCounters) -> None:
    counters.down = True
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts + 1):
        limiter.sign_in(email=EMAIL, address=ADDRESS, known=False)
        limiter.signed_in(email=EMAIL, address=ADDRESS)
