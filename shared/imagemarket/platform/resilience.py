"""What keeps one broken dependency from breaking the rest: time budgets, breakers, bulkheads, retries.

The numbers are the specification's (8.1): a breaker opens after 5 failures in a row within 30 s and lets one
call through after 60 s; a retry waits 1, 2 and 4 s, with jitter, and only where the call is idempotent and the
budget has room for it.

Breakers are by hand: PyBreaker holds its lock while a call runs, so that one call would wait for another, and counts
failures however far apart they are. Here a call that nobody waits for any more still tells how it went, from its own
thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextvars import copy_context
from typing import Any, Generic, Literal, TypeVar

from imagemarket.platform.errors import MarketError
from imagemarket.platform.telemetry import count, logger

T = TypeVar("T")
Monotonic = Callable[[], float]
"""Seconds that only grow."""

BREAKER_FAILURES = 5
BREAKER_WINDOW_SECONDS = 30.0
BREAKER_OPEN_SECONDS = 60.0
PROBE_SECONDS = 1.0
"""How long a cheap question may take: until statements that were late are broken off and their connections free."""
RETRY_DELAYS = (1.0, 2.0, 4.0)

Reason = Literal["late", "failed", "refused", "open", "full"]
"""Why a dependency gave no answer: it took too long, it raised, it refused what it was asked, its breaker is open, its
pool is full."""


class DependencyError(Exception):
    """A dependency gave no answer. `reason` says how; `retry_after` when asking again may help, in seconds.

    What that means is for the caller to say: another may serve.
    """

    def __init__(self, dependency: str, reason: Reason, *, retry_after: float = 0.0) -> None:
        super().__init__(f"{dependency}: {reason}")
        self.dependency = dependency
        self.reason: Reason = reason
        self.retry_after = retry_after


class TimeBudget:
    """What is left of the time that one request may take."""

    def __init__(self, seconds: float, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + seconds

    def left(self) -> float:
        """Seconds, never negative."""
        return max(0.0, self._ends - self._monotonic())


class Breaker:
    """Counts failures in a row and, once there were too many, refuses calls for a while; then one call is the test.

    Threads may share one.
    """

    def __init__(
        self,
        *,
        failures: int = BREAKER_FAILURES,
        window_seconds: float = BREAKER_WINDOW_SECONDS,
        open_seconds: float = BREAKER_OPEN_SECONDS,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._limit = failures
        self._window = window_seconds
        self._open_for = open_seconds
        self._monotonic = monotonic
        self._failed: deque[float] = deque(maxlen=failures)
        self._opened: float | None = None
        self._testing_since: float | None = None
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Whether a call may be made now. In an open breaker whose time is over, true for one caller: its
        `succeeded` or `failed` decides what comes next; one that never tells is given up after a window."""
        with self._lock:
            if self._opened is None:
                return True
            now = self._monotonic()
            if now - self._opened < self._open_for:
                return False
            if self._testing_since is not None and now - self._testing_since < self._window:
                return False
            self._testing_since = now
            return True

    def succeeded(self) -> None:
        """The call went well: failures are counted afresh, and a test closes the breaker."""
        with self._lock:
            if self._opened is None or self._testing_since is not None:
                self._opened = self._testing_since = None
                self._failed.clear()

    def failed(self) -> bool:
        """The call failed. True when that opened the breaker, or kept it open after a test."""
        with self._lock:
            now = self._monotonic()
            if self._opened is not None:
                if self._testing_since is None:
                    return False  # begun before it opened
                self._opened, self._testing_since = now, None
                return True
            self._failed.append(now)
            if len(self._failed) == self._limit and now - self._failed[0] <= self._window:
                self._opened = now
                return True
            return False

    def opens_in(self) -> float:
        """Seconds until a call is let through again; 0 when one is already."""
        with self._lock:
            if self._opened is None:
                return 0.0
            return max(0.0, self._opened + self._open_for - self._monotonic())


class Dependency:
    """One thing that is asked over a network, or that may take long: a pool of its own, a breaker, a time.

    A dependency that hangs fills its own pool alone; what does not fit is refused at once.
    """

    def __init__(
        self,
        name: str,
        *,
        seconds: float,
        first_seconds: float | None = None,
        workers: int = 4,
        waiting: int = 16,
        breaker: Breaker | None = None,
        passthrough_errors: tuple[type[Exception], ...] = (),
        refusals: tuple[type[Exception], ...] = (),
        probe: Callable[[], object] | None = None,
    ) -> None:
        """`seconds` is how long an answer is waited for, `first_seconds` how long the first one of this process,
        while it connects and loads. `waiting` calls may queue behind the `workers`. Errors of `passthrough_errors`
        types are the caller's own: they pass through and count as answers. Errors of `refusals` types say that this one
        question cannot be answered: for the breaker they are answers too. `probe` asks something cheap when an answer
        is late: where that is answered within `PROBE_SECONDS` it is the question that takes long and not the dependency
        that is away, so that nobody's costly questions close it to everybody."""
        self.name = name
        self.breaker = breaker or Breaker()
        self._seconds = seconds
        self._first_seconds = seconds if first_seconds is None else first_seconds
        self._answered = False
        self._blameless = passthrough_errors
        self._refusals = refusals
        self._probe = probe
        self._probing = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-probe")  # its threads begin when first used
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(workers + waiting)

    def ask(self, work: Callable[[], T]) -> PendingCall[T]:
        """Begins `work` in the dependency's own pool. Never waits and never raises: `PendingCall.result` does."""
        if not self.breaker.allows():
            return PendingCall(self, "open")
        if not self._places.acquire(blocking=False):
            return PendingCall(self, "full")
        seconds = self._seconds if self._answered else self._first_seconds
        pending: PendingCall[T] = PendingCall(self, until=time.monotonic() + seconds)
        context = copy_context()
        try:
            pending.future = self._pool.submit(lambda: context.run(self._watched, pending, work))
        except BaseException:
            self._places.release()
            raise
        pending.future.add_done_callback(lambda _: self._places.release())
        return pending

    def call(self, work: Callable[[], T], budget: TimeBudget | None = None) -> T:
        """`ask` and `result` in one. Raises `DependencyError`."""
        return self.ask(work).result(budget)

    def _watched(self, pending: PendingCall[T], work: Callable[[], T]) -> T:
        """Tells the breaker how it went, also when nobody waits for the answer any more."""
        try:
            found = work()
        except (*self._blameless, *self._refusals):
            self._went(pending, well=True)
            raise
        except Exception:
            self._went(pending, well=False)
            raise
        self._went(pending, well=True)
        return found

    def _went(self, pending: PendingCall[Any], *, well: bool) -> None:
        self._answered = True  # the second time it is waited for no longer than usual
        if not pending.judged():
            return  # as late: what comes after that changes nothing
        if well:
            self.breaker.succeeded()
        elif self.breaker.failed():
            logger.error("breaker opened", dependency=self.name)
            count(f"BreakerOpened.{self.name}")

    def settle(self, pending: PendingCall[T], wait: float) -> T:
        """The answer to a question of this dependency, after `wait` seconds at most. See `PendingCall.result`."""
        if pending.future is None:
            raise self._unanswered(pending.refused)
        try:
            return pending.future.result(wait)
        except Late:
            pending.future.cancel()
            self._went(pending, well=self._answers())
            raise self._unanswered("late") from None
        except self._blameless:
            raise
        except self._refusals as error:
            raise self._unanswered("refused", error) from error
        except Exception as error:
            # A traceback is for what nobody expects; that a dependency is away is said in one line.
            raise self._unanswered("failed", None if isinstance(error, MarketError) else error) from error

    def _answers(self) -> bool:
        """Whether the probe is answered soon; false where there is none. It has a thread of its own, as late questions
        hold the others."""
        if self._probe is None:
            return False
        probing = self._probing.submit(self._probe)
        try:
            return probing.exception(PROBE_SECONDS) is None
        except Late:
            probing.cancel()
            return False

    def _unanswered(self, reason: Reason, unexpected: Exception | None = None) -> DependencyError:
        logger.warning("dependency did not answer", dependency=self.name, reason=reason, exc_info=unexpected)
        count(f"DependencyError.{self.name}")
        return DependencyError(self.name, reason, retry_after=self.breaker.opens_in())


class PendingCall(Generic[T]):
    """A question under way, or one that was `refused` at once."""

    def __init__(self, dependency: Dependency, refused: Reason = "open", *, until: float = 0.0) -> None:
        """`until` is when waiting ends, on the monotonic clock."""
        self._dependency = dependency
        self._until = until
        self._unjudged = threading.Semaphore()
        self.refused: Reason = refused
        self.future: Future[T] | None = None

    def judged(self) -> bool:
        """True for the first that says how it went, and for nobody after."""
        return self._unjudged.acquire(blocking=False)

    def result(self, budget: TimeBudget | None = None) -> T:
        """What the dependency says, within its time and the request's. Raises `DependencyError`, or an error of
        the dependency's `passthrough_errors` types."""
        wait = self._until - time.monotonic()
        if budget is not None:
            wait = min(wait, budget.left())
        return self._dependency.settle(self, max(0.0, wait))


def retried(
    work: Callable[[], T],
    *,
    budget: TimeBudget,
    errors: tuple[type[Exception], ...],
    delays: Sequence[float] = RETRY_DELAYS,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """`work`, tried again after `errors`: for idempotent work alone.

    Waits between half and the whole of each delay ("equal jitter", M. Brooker, Exponential Backoff And
    Jitter, 2015), so that those who failed together do not come back together. Gives up, raising the last
    error, where the budget would be over before the next try.
    """
    import tenacity

    def over(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number > len(delays) or state.upcoming_sleep >= budget.left()

    def note(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        logger.info("trying again", error=type(error).__name__, seconds=round(state.upcoming_sleep, 2))

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(errors),
        wait=tenacity.wait_chain(*(tenacity.wait_random(delay / 2, delay) for delay in delays or (0,))),
        stop=over,
        sleep=sleep,
        before_sleep=note,
        reraise=True,
    )
    return attempts(work)
