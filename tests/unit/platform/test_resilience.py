"""Breakers, bulkheads, budgets and retries, on a clock that is moved by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.platform import resilience
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.resilience import RETRY_DELAYS, Breaker, Dependency, DependencyError, TimeBudget, retried

ERRORS = (DependencyUnavailable,)


class Seconds:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(times: int, breaker: Breaker) -> list[bool]:
    return [breaker.failed() for _ in range(times)]


def test_a_breaker_opens_at_the_fifth_failure_in_a_row_and_tests_once_after_a_minute() -> None:
    seconds = Seconds()
    breaker = Breaker(monotonic=seconds)
    assert failing(4, breaker) == [False] * 4
    breaker.succeeded()
    assert failing(4, breaker) == [False] * 4
    assert breaker.allows()
    assert breaker.failed()
    assert (breaker.allows(), breaker.opens_in()) == (False, 60)
    seconds.now += 59.9
    assert not breaker.allows()
    seconds.now += 0.1
    assert breaker.allows()
    assert not breaker.allows(), "one call is the test"
    assert breaker.failed()
    assert (breaker.allows(), breaker.opens_in()) == (False, 60)
    seconds.now += 60
    assert breaker.allows()
    breaker.succeeded()
    assert (breaker.allows(), breaker.opens_in()) == (True, 0)


def test_failures_long_apart_do_not_add_up() -> None:
    seconds = Seconds()
    breaker = Breaker(monotonic=seconds)
    for _ in range(20):
        assert not breaker.failed()
        seconds.now += 8
    assert breaker.allows()


def test_a_test_whose_caller_never_tells_does_not_hold_the_breaker_for_ever() -> None:
    seconds = Seconds()
    breaker = Breaker(monotonic=seconds)
    failing(5, breaker)
    seconds.now += 60
    assert breaker.allows()
    seconds.now += 30
    assert breaker.allows()


@given(st.lists(st.sampled_from(["ok", "bad", "wait"]), max_size=60))
def test_a_breaker_never_refuses_without_five_failures(steps: list[str]) -> None:
    seconds = Seconds()
    breaker = Breaker(monotonic=seconds)
    bad = 0
    for step in steps:
        if step == "wait":
            seconds.now += 7
            continue
        allowed = breaker.allows()
        if bad < 5:
            assert allowed
        if not allowed:
            break
        if step == "ok":
            breaker.succeeded()
            bad = 0
        else:
            breaker.failed()
            bad += 1


def unknown() -> Any:
    raise ImageNotFound("no")


def broken() -> Any:
    raise DependencyUnavailable("away")


def reason_of(dependency: Dependency, work: Callable[[], Any], budget: TimeBudget | None = None) -> str:
    with pytest.raises(DependencyError) as refused:
        dependency.call(work, budget)
    assert refused.value.dependency == dependency.name
    return refused.value.reason


def test_a_dependency_says_how_it_gave_no_answer() -> None:
    dependency = Dependency("part", seconds=0.05)
    assert dependency.call(lambda: 7) == 7
    assert [reason_of(dependency, broken) for _ in range(5)] == ["failed"] * 5
    assert reason_of(dependency, lambda: 7) == "open"
    release = threading.Event()
    slow = Dependency("slow", seconds=0.05)
    assert reason_of(slow, lambda: release.wait(5)) == "late"
    release.set()


def test_a_budget_shortens_the_wait() -> None:
    release = threading.Event()
    dependency = Dependency("part", seconds=5)
    began = time.monotonic()
    assert reason_of(dependency, lambda: release.wait(5), TimeBudget(0.05)) == "late"
    assert time.monotonic() - began < 1
    release.set()


def test_a_hanging_dependency_fills_its_own_pool_alone() -> None:
    release = threading.Event()
    hanging, healthy = Dependency("hanging", seconds=0.02, workers=2, waiting=1), Dependency("healthy", seconds=1)
    asked = [hanging.ask(lambda: release.wait(5)) for _ in range(4)]
    reasons = []
    for each in asked:
        with pytest.raises(DependencyError) as refused:
            each.result()
        reasons.append(refused.value.reason)
    assert reasons == ["late", "late", "late", "full"]
    assert healthy.call(lambda: "here") == "here"
    release.set()
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            assert hanging.call(lambda: "back") == "back"
            break
        except DependencyError:
            time.sleep(0.01)
    else:
        pytest.fail("its places are free again once it answers")


def test_a_test_that_nobody_waits_for_still_counts() -> None:
    dependency = Dependency("part", seconds=1, breaker=Breaker(open_seconds=0))
    for _ in range(5):
        reason_of(dependency, broken)
    done = threading.Event()
    dependency.ask(done.set)
    assert done.wait(2)
    until = time.monotonic() + 2
    while time.monotonic() < until and dependency.breaker.opens_in() > 0:
        time.sleep(0.01)
    assert dependency.call(lambda: 7) == 7
    assert dependency.breaker.opens_in() == 0


def test_an_answer_that_comes_late_is_still_a_failure() -> None:
    dependency = Dependency("part", seconds=0.01, workers=8)
    dependency.call(lambda: 1)
    asked = [dependency.ask(lambda: time.sleep(0.1)) for _ in range(5)]
    for each in asked:
        with pytest.raises(DependencyError):
            each.result()
    time.sleep(0.2)
    assert not dependency.breaker.allows()


def late_five_times(dependency: Dependency) -> None:
    release = threading.Event()
    dependency.call(lambda: 1)
    asked = [dependency.ask(lambda: release.wait(60)) for _ in range(5)]
    for each in asked:
        with pytest.raises(DependencyError):
            each.result()
    release.set()


def test_costly_questions_do_not_close_what_answers_cheap_ones() -> None:
    answering = Dependency("part", seconds=0.01, workers=8, probe=lambda: None)
    late_five_times(answering)
    assert answering.breaker.allows()


def test_what_answers_no_cheap_question_either_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilience, "PROBE_SECONDS", 0.05)
    release = threading.Event()
    for probe in (broken, lambda: release.wait(60)):
        away = Dependency("part", seconds=0.01, workers=8, probe=probe)
        late_five_times(away)
        assert not away.breaker.allows()
    release.set()


def test_a_late_test_of_an_open_breaker_closes_it_where_cheap_questions_are_answered() -> None:
    dependency = Dependency("part", seconds=0.01, breaker=Breaker(open_seconds=0), probe=lambda: None)
    for _ in range(5):
        reason_of(dependency, broken)
    release = threading.Event()
    assert reason_of(dependency, lambda: release.wait(60)) == "late"
    release.set()
    assert dependency.breaker.opens_in() == 0
    assert all(dependency.breaker.allows() for _ in range(3))


def test_the_callers_own_errors_are_answers() -> None:
    dependency = Dependency("part", seconds=1, passthrough_errors=(ImageNotFound,))
    for _ in range(10):
        with pytest.raises(ImageNotFound):
            dependency.call(unknown)
    assert dependency.breaker.allows()


@pytest.mark.parametrize("_", range(20))
def test_retries_wait_longer_each_time_with_jitter(_: int) -> None:
    seconds, waited, tries = Seconds(), [], []

    def sleep(wait: float) -> None:
        waited.append(wait)
        seconds.now += wait

    def work() -> None:
        tries.append(seconds.now)
        raise DependencyUnavailable("away")

    with pytest.raises(DependencyUnavailable):
        retried(work, budget=TimeBudget(100, seconds), errors=ERRORS, sleep=sleep)
    assert len(tries) == 4
    assert all(delay / 2 <= wait <= delay for wait, delay in zip(waited, RETRY_DELAYS, strict=True))


def test_a_retry_that_the_budget_has_no_room_for_is_not_made() -> None:
    seconds, tries = Seconds(), []

    def sleep(wait: float) -> None:
        seconds.now += wait

    def work() -> None:
        tries.append(1)
        raise DependencyUnavailable("away")

    with pytest.raises(DependencyUnavailable):
        retried(work, budget=TimeBudget(3, seconds), errors=ERRORS, delays=(1, 8), sleep=sleep)
    assert len(tries) == 2
    with pytest.raises(ImageNotFound):
        retried(unknown, budget=TimeBudget(9, seconds), errors=ERRORS, sleep=sleep)
