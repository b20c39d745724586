"""Whom slow receivers keep waiting, told by a clock that calls move: no second of them goes by."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from imagemarket.notifications.models import ACCOUNT_IN_FLIGHT, QUICK, SHARED_IN_FLIGHT, SLOW_FOR, WebhookRequest
from imagemarket.notifications.sender import Answer, WebhookSender
from imagemarket.notifications.targets import TargetRules
from imagemarket.platform.database import Database
from tests.integration.rows import a_contributor, an_image
from tests.integration.test_notifications import Room

pytestmark = pytest.mark.engines

WORKERS = 2 * SHARED_IN_FLIGHT
"""As many as `tests/infra` asks of a stage."""
SLOW, FAST = timedelta(seconds=13), timedelta(seconds=0.1)


class Call:
    """One call under way: it waits until time has come as far as its end."""

    def __init__(self, url: str, began: datetime, ends: datetime) -> None:
        self.url, self.began, self.ends = url, began, ends
        self.over = threading.Event()


class Workers(WebhookSender):
    """So many workers at one queue, one at a time of whom does anything; receivers answer after what their URL says."""

    def __init__(self, room: Room, number: int) -> None:
        super().__init__(TargetRules(loopback=True))
        self.room, self.number = room, number
        self.under_way: list[Call] = []
        self.calls: list[Call] = []
        self._turn = threading.Semaphore(0)
        """Given back by whoever has come to a call or to the end of its message."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        took = timedelta(milliseconds=int(url.rpartition("/")[2]))
        call = Call(url, self.room.clock.now(), self.room.clock.now() + took)
        self.under_way.append(call)
        self.calls.append(call)
        self._turn.release()
        assert call.over.wait(600)
        return Answer(int(took.total_seconds() * 1000), status=200)

    def _work(self, message: dict[str, Any]) -> None:
        try:
            self.room.worker.handle(message)
        finally:
            self._turn.release()

    def take_up(self) -> None:
        """Messages, as long as there are some and workers to spare."""
        while self.room.wakes.messages and len(self.under_way) < self.number:
            message = self.room.wakes.messages.pop(0)
            threading.Thread(target=self._work, args=(message,), daemon=True).start()
            assert self._turn.acquire(timeout=60)

    def end(self, call: Call) -> None:
        """Has a receiver answer; what follows of it has happened then."""
        self.under_way.remove(call)
        call.over.set()
        assert self._turn.acquire(timeout=60)

    def run(self, until: datetime | None = None) -> None:
        """Until that moment, or until nothing is under way."""
        self.take_up()
        while self.under_way:
            first = min(self.under_way, key=lambda call: call.ends)
            if until is not None and first.ends > until:
                break
            self.room.clock.advance(first.ends - self.room.clock.now())
            self.end(first)
            self.take_up()
        if until is not None:
            self.room.clock.advance(until - self.room.clock.now())


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Room:
    room = Room(database, tmp_path / "mail")
    room.clock.advance(timedelta(days=1))  # however long it takes, nothing is made later than now
    return room


@pytest.fixture
def workers(room: Room) -> Iterator[Workers]:
    room.worker._sender = workers = Workers(room, WORKERS)
    yield workers
    room.wakes.take()
    while workers.under_way:  # nobody is left behind
        workers.end(workers.under_way[0])


def an_account(room: Room, takes: timedelta, webhooks: int = 1) -> UUID:
    """An account whose receivers answer after so long."""
    account = a_contributor(room.database)
    for number in range(webhooks):
        milliseconds = int(takes.total_seconds() * 1000)
        url = f"http://127.0.0.1:9/{account}/{number}/{milliseconds}"
        made = room.webhooks.create(account, WebhookRequest(url=url), idempotency_key=None)
        with room.database.transaction() as connection:
            connection.execute(
                "UPDATE webhook_endpoints SET verified_at = now(), challenge = NULL WHERE id = %s", (made.id,)
            )
    room.wakes.take()
    return account


def news(room: Room, account: UUID, pictures: int) -> None:
    for _ in range(pictures):
        room.change(an_image(room.database, account), "approved")
    room.tell()


def of(workers: Workers, account: UUID) -> list[Call]:
    return [call for call in workers.calls if str(account) in call.url]


def side_by_side(calls: list[Call]) -> int:
    """How many of the calls were under way at a time, at most."""
    return max(sum(each.began <= call.began < each.ends for each in calls) for call in calls)


@pytest.mark.parametrize("accounts", [2, 12])
def test_known_slow_receivers_keep_nobody_else_waiting(room: Room, workers: Workers, accounts: int) -> None:
    slow = [an_account(room, SLOW, webhooks=2) for _ in range(accounts)]
    owner = an_account(room, FAST)
    for account in slow:
        news(room, account, 1)
    workers.run()  # now they are known
    workers.calls.clear()
    for account in slow:
        news(room, account, 20)
    workers.run(until=room.clock.now() + timedelta(seconds=5))
    asked = room.clock.now()
    news(room, owner, 10)
    workers.run(until=asked + timedelta(minutes=1))
    heard = of(workers, owner)
    assert len(heard) == 10
    assert max(call.ends for call in heard) - asked == FAST * 5, "two side by side, one after the other"
    known = [call for call in workers.calls if call not in heard]
    assert side_by_side(known) == SHARED_IN_FLIGHT
    assert side_by_side(of(workers, slow[0])) == 1


def test_slow_accounts_take_turns_however_much_waits_for_one(room: Room, workers: Workers) -> None:
    crowd, *others = slow = [an_account(room, SLOW) for _ in range(5)]
    for account in slow:
        news(room, account, 1)
    workers.run()
    workers.calls.clear()
    news(room, crowd, 30)
    workers.run(until=room.clock.now() + timedelta(minutes=1))
    asked = room.clock.now()
    for account in others:
        news(room, account, 3)
    workers.run(until=asked + SLOW * 10)
    waits = [[call.began - asked for call in of(workers, account)] for account in others]
    assert all(len(each) == 3 for each in waits)
    assert max(each[0] for each in waits) <= SLOW * 3, "five accounts, two at a time"
    assert max(each[2] for each in waits) <= SLOW * 9


def test_accounts_that_turn_slow_at_once_are_known_after_one_call_each(room: Room, workers: Workers) -> None:
    """Before anything is known of them, each has as many calls under way as an account may."""
    slow = [an_account(room, SLOW, webhooks=2) for _ in range(2)]
    owner = an_account(room, FAST)
    for account in slow:
        news(room, account, 10)
    asked = room.clock.now()
    workers.take_up()
    assert len(workers.under_way) == WORKERS
    news(room, owner, 4)
    workers.run(until=asked + SLOW * 2)
    assert max(call.began for call in of(workers, owner)) - asked <= SLOW + FAST
    assert len(of(workers, owner)) == 4


@pytest.mark.parametrize(("after", "third"), [(QUICK, True), (QUICK + timedelta(milliseconds=1), False)])
def test_an_account_that_holds_two_long_calls_gets_no_third(
    room: Room, workers: Workers, after: timedelta, third: bool
) -> None:
    account, owner = an_account(room, SLOW, webhooks=2), an_account(room, FAST, webhooks=3)
    news(room, account, 1)
    workers.run(until=room.clock.now() + after)
    assert len(workers.under_way) == 2
    news(room, account, 5)
    workers.take_up()
    assert len(workers.under_way) == (3 if third else 2)
    news(room, owner, 4)
    workers.run()
    assert side_by_side(of(workers, owner)) == (1 if third else 2)
    room.due.wake()
    workers.run()
    assert len(of(workers, account)) == 12, "what found no place is sent all the same"


def test_a_challenge_goes_before_the_second_of_the_slow(room: Room, workers: Workers) -> None:
    slow = [an_account(room, SLOW) for _ in range(4)]
    for account in slow:
        news(room, account, 1)
    workers.run()
    newcomers = [a_contributor(room.database) for _ in range(6)]
    for account in slow:
        news(room, account, 6)
    workers.run(until=room.clock.now() + timedelta(seconds=1))
    asked = room.clock.now()
    workers.calls.clear()
    for account in newcomers:
        url = f"http://127.0.0.1:9/{account}/0/13000"
        room.webhooks.create(account, WebhookRequest(url=url), idempotency_key=None)
    workers.run(until=asked + SLOW * 5)
    challenged = [call for call in workers.calls if not any(str(account) in call.url for account in slow)]
    others = [call for call in workers.calls if call not in challenged]
    assert min(call.began for call in challenged) - asked <= SLOW
    assert (side_by_side(challenged), side_by_side(others)) == (1, 1)
    assert side_by_side(workers.calls) == SHARED_IN_FLIGHT
    assert min(len(challenged), len(others)) >= 4


def test_what_waits_for_slow_receivers_is_all_sent(room: Room, workers: Workers, database: Database) -> None:
    for account in [an_account(room, SLOW, webhooks=2) for _ in range(4)]:
        news(room, account, 3)
    room.wakes.messages[3:] = []  # most messages are lost
    workers.run()
    for _ in range(3):
        room.clock.advance(timedelta(minutes=1))
        room.due.wake()
        workers.run()
    assert Counter(row["status"] for row in database.fetch_all("SELECT status FROM webhook_deliveries")) == {
        "delivered": 24
    }


@pytest.mark.parametrize(("took", "slow"), [(QUICK, False), (QUICK + timedelta(milliseconds=1), True)])
def test_an_account_is_slow_for_an_hour(room: Room, workers: Workers, took: timedelta, slow: bool) -> None:
    account = an_account(room, took, webhooks=2)
    news(room, account, 1)
    workers.run()
    ended = room.clock.now()
    for later in (timedelta(0), SLOW_FOR - timedelta(minutes=1), SLOW_FOR + timedelta(minutes=5)):
        workers.calls.clear()
        room.clock.advance(ended + later - room.clock.now())
        with room.database.transaction() as connection:  # its later calls tell nothing
            connection.execute("UPDATE webhook_slow_accounts SET slow_until = %s", (ended + SLOW_FOR,))
        news(room, account, 4)
        room.due.wake()
        workers.run(until=room.clock.now() + timedelta(seconds=1))
        assert side_by_side(workers.calls) == (1 if slow and later < SLOW_FOR else ACCOUNT_IN_FLIGHT)
        workers.run()
