"""Guessing is limited, and says when it may go on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imagemarket.identity.attempts import (
    PER_ACCOUNT,
    PER_ADDRESS,
    REGISTRATIONS_PER_ADDRESS,
    AttemptLimiter,
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


def test_an_account_is_guessed_at_ten_times_and_then_not_for_a_while(
    limiter: AttemptLimiter, clock: ManualClock
) -> None:
    for n in range(PER_ACCOUNT.attempts):
        limiter.sign_in(email=EMAIL, address=f"203.0.113.{n}")
    clock.advance(timedelta(minutes=5))
    with pytest.raises(TooManyRequests) as refused:
        limiter.sign_in(email=EMAIL, address="203.0.113.200")
    assert refused.value.headers["Retry-After"] == "600"
    assert refused.value.extensions == {"limit": 10, "window_seconds": 900}
    assert "10 sign-in attempts for this account in 15 minutes" in refused.value.detail
    limiter.sign_in(email="bob@example.com", address="203.0.113.200")
    clock.advance(timedelta(minutes=10))
    limiter.sign_in(email=EMAIL, address="203.0.113.200")


def test_a_success_starts_the_account_afresh(limiter: AttemptLimiter) -> None:
    for n in range(3 * PER_ACCOUNT.attempts):
        limiter.sign_in(email=EMAIL, address=f"203.0.113.{n}")
        limiter.signed_in(email=EMAIL)


def test_an_address_may_not_try_account_after_account(limiter: AttemptLimiter) -> None:
    for n in range(PER_ADDRESS.attempts):
        limiter.sign_in(email=f"someone-{n}@example.com", address=ADDRESS)
    with pytest.raises(TooManyRequests) as refused:
        limiter.sign_in(email="another@example.com", address=ADDRESS)
    assert "100 sign-in attempts from this address" in refused.value.detail
    limiter.sign_in(email="another@example.com", address="203.0.113.8")


def test_a_refused_address_does_not_use_up_an_account_of_somebody_else(
    limiter: AttemptLimiter, counters: FakeCounters
) -> None:
    for n in range(PER_ADDRESS.attempts):
        limiter.sign_in(email=f"someone-{n}@example.com", address=ADDRESS)
    for _ in range(PER_ACCOUNT.attempts + 5):
        with pytest.raises(TooManyRequests):
            limiter.sign_in(email=EMAIL, address=ADDRESS)
    limiter.sign_in(email=EMAIL, address="203.0.113.8")


def test_registrations_have_a_limit_of_their_own(limiter: AttemptLimiter) -> None:
    for _ in range(REGISTRATIONS_PER_ADDRESS.attempts):
        limiter.registration(address=ADDRESS)
    with pytest.raises(TooManyRequests):
        limiter.registration(address=ADDRESS)
    limiter.sign_in(email=EMAIL, address=ADDRESS)


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
    limiter.sign_in(email=EMAIL, address=ADDRESS)
    assert not any(EMAIL in key for key in counters.keys)


def test_without_the_cache_sign_in_goes_on(limiter: AttemptLimiter, counters: FakeCounters) -> None:
    counters.down = True
    for _ in range(PER_ACCOUNT.attempts + 1):
        limiter.sign_in(email=EMAIL, address=ADDRESS)
        limiter.signed_in(email=EMAIL)
