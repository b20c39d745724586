"""Dynamic batching: pictures of concurrent requests go through the model together.

The first picture that waits opens a batch; it is closed when it is full or `wait_seconds` later. Requests give
one picture each in turn, so a small request does not wait for the end of a large one. A batch that the model fails
on is looked at again picture by picture, so that one picture's fault stays its own.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from imagemarket.vision.analyser import View
from imagemarket.vision.models import Analysis

Look = Callable[[Sequence[View]], list[Analysis]]
Result = Analysis | Exception

_SMOOTHING = 0.2


class QueueFull(Exception):
    """No room for so many pictures now; `retry_after` says when there may be some, in seconds."""

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(f"{waiting} pictures are waiting already")
        self.retry_after = retry_after


@dataclass
class _Ticket:
    """One request's pictures that still wait, and where their results go."""

    waiting: deque[tuple[int, View]]
    results: list[Result | None]
    done: asyncio.Future[None]
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = len(self.results)

    def settle(self, place: int, result: Result) -> None:
        self.results[place] = result
        self.left -= 1
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)


class Batcher:
    """Holds at most `room` pictures, in work and waiting. One batch is looked at at a time."""

    def __init__(self, look: Look, *, batch: int, wait_seconds: float, room: int) -> None:
        self._look = look
        self._batch = batch
        self._wait_seconds = wait_seconds
        self._room = room
        self._taken = 0
        self._tickets: deque[_Ticket] = deque()
        self._arrived = asyncio.Event()
        self._looker = ThreadPoolExecutor(1, "look")
        self._seconds_each = 0.1
        self._task: asyncio.Task[None] | None = None
        self.on_batch: Callable[[int, float], None] = lambda _size, _seconds: None

    @property
    def taken(self) -> int:
        """Pictures in work and waiting."""
        return self._taken

    def start(self) -> None:
        """Begins to look; needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="batches")

    async def close(self) -> None:
        """Ends when the batch in work has ended."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._looker.shutdown(cancel_futures=True)

    def reserve(self, pictures: int) -> None:
        """Takes room for so many pictures. Raises `QueueFull`."""
        if self._taken + pictures > self._room:
            waiting = self._taken
            raise QueueFull(waiting, max(1, math.ceil(waiting * self._seconds_each)))
        self._taken += pictures

    def release(self, pictures: int) -> None:
        """Gives room back."""
        self._taken -= pictures

    async def submit(self, views: Sequence[View]) -> list[Result]:
        """What the model says of each, in their order. Cancelled, what still waits is not looked at."""
        if not views:
            return []
        ticket = _Ticket(deque(enumerate(views)), [None] * len(views), asyncio.get_running_loop().create_future())
        self._tickets.append(ticket)
        self._arrived.set()
        try:
            await ticket.done
        finally:
            ticket.waiting.clear()
        return [result for result in ticket.results if result is not None]

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if sum(len(ticket.waiting) for ticket in self._tickets) < self._batch:
                await asyncio.sleep(self._wait_seconds)
            chosen = self._choose()
            if not chosen:
                self._arrived.clear()
                continue
            began = time.monotonic()
            results = await self._results([view for _, _, view in chosen])
            seconds = time.monotonic() - began
            self._seconds_each += _SMOOTHING * (seconds / len(chosen) - self._seconds_each)
            self.on_batch(len(chosen), seconds)
            for (ticket, place, _), result in zip(chosen, results, strict=True):
                ticket.settle(place, result)

    def _choose(self) -> list[tuple[_Ticket, int, View]]:
        """Up to a batch, one picture of each request in turn."""
        chosen: list[tuple[_Ticket, int, View]] = []
        while self._tickets and len(chosen) < self._batch:
            ticket = self._tickets.popleft()
            if not ticket.waiting:
                continue
            place, view = ticket.waiting.popleft()
            chosen.append((ticket, place, view))
            if ticket.waiting:
                self._tickets.append(ticket)
        return chosen

    async def _results(self, views: Sequence[View]) -> Sequence[Result]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._looker, self._look, views)
        except Exception as error:  # noqa: BLE001 - whatever the model raised, the others are answered
            if len(views) == 1:
                return [error]
        results: list[Result] = []
        for view in views:
            results += await self._results([view])
        return results
