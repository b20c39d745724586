"""From a change of an image's status to what its contributor hears: in the app, by mail and by webhook."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from functions.notifications_api.handler import handler
from imagemarket.catalog.images import PUBLISH, change_status
from imagemarket.catalog.models import ImageStatus
from imagemarket.notifications.delivery import Deliveries, WebhookWorker
from imagemarket.notifications.files import FileMailer
from imagemarket.notifications.listener import LISTENS_TO
from imagemarket.notifications.models import (
    ACCOUNT_IN_FLIGHT,
    CHALLENGES_IN_FLIGHT,
    CHALLENGES_PER_HOUR,
    DISABLED_AFTER,
    ENDPOINT_IN_FLIGHT,
    MAX_WEBHOOKS,
    NEWS_MAILS_PER_DAY,
    REDELIVERIES_PER_MINUTE,
    RETRY_SCHEDULE,
    WebhookRequest,
)
from imagemarket.notifications.ports import Mail
from imagemarket.notifications.sender import WebhookSender
from imagemarket.notifications.service import Digests, Inbox, Teller
from imagemarket.notifications.targets import TargetRules
from imagemarket.notifications.webhooks import Webhooks
from imagemarket.platform.clock import ManualClock, SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.events import received
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from tests.api.events import http_event, json_of
from tests.fakes import MemoryBus, MemoryQueue
from tests.integration.receiver import Receiver, receiving
from tests.integration.rows import a_contributor, an_image, bring_to
from tests.provided import provide
from tests.roles import InRole

pytestmark = pytest.mark.engines


class Room:
    """Everything between an image's row and a receiver, with queues in memory and a clock that is moved."""

    def __init__(self, database: Database, mail: Path) -> None:
        self.database = database
        self.clock = ManualClock(datetime.now(UTC) + timedelta(seconds=5))
        self.bus, self.due_digests, self.wakes = MemoryBus(), MemoryQueue(), MemoryQueue()
        rules = TargetRules(loopback=True)
        notifier, upkeep = InRole(database, DatabaseRole.NOTIFIER), InRole(database, DatabaseRole.UPKEEP)
        self.deliveries = Deliveries(database=notifier, queue=self.wakes, clock=self.clock)
        self.due = Deliveries(database=upkeep, queue=self.wakes, clock=self.clock)
        """As the minute's job looks for them."""
        self.worker = WebhookWorker(
            database=notifier,
            deliveries=self.deliveries,
            sender=WebhookSender(rules, timeout_seconds=5),
            clock=self.clock,
        )
        self.teller = Teller(
            database=notifier,
            deliveries=self.deliveries,
            mailer=FileMailer(mail),
            clock=self.clock,
            public_base_url="https://market.test",
        )
        self.webhooks = Webhooks(
            database=notifier,
            rules=rules,
            deliveries=self.deliveries,
            idempotency=IdempotencyKeys(notifier, SystemClock()),
            clock=self.clock,
        )
        self.digests = Digests(database=upkeep, queue=self.due_digests, clock=self.clock)
        self.relay = OutboxRelay(upkeep, self.bus)

    def change(self, image: UUID, status: str, rejection: Any = None) -> None:
        bring_to(self.database, image, status, rejection)

    def tell(self) -> None:
        self.relay.drain()
        for event in self.events():
            self.teller.tell(*event)

    def events(self) -> list[tuple[UUID, Any]]:
        """What was listened to since the last call, and the id of each."""
        return [received(message, *LISTENS_TO) for message in self.bus.take(*LISTENS_TO)]

    def deliver(self) -> None:
        while messages := self.wakes.take():
            for message in messages:
                self.worker.handle(message)

    def wait(self, by: timedelta) -> None:
        """Time goes by, and the schedule looks for what is due."""
        self.clock.advance(by)
        self.due.wake()
        self.deliver()

    def log(self, owner: UUID, webhook: UUID) -> list[Any]:
        return self.webhooks.deliveries(owner, webhook, cursor=None, limit=100).items


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Room:
    return Room(database, tmp_path / "mail")


@pytest.fixture
def owner(database: Database) -> UUID:
    return a_contributor(database)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def hooked(room: Room, owner: UUID, receiver: Receiver, *types: Any) -> UUID:
    made = room.webhooks.create(owner, WebhookRequest(url=receiver.url, event_types=list(types)), idempotency_key=None)
    receiver.secret = made.secret
    room.deliver()
    assert room.webhooks.get(owner, made.id).state == "active"
    return made.id


# --- from the row to the receiver


def test_a_change_of_status_is_told_once_in_every_way(
    room: Room, owner: UUID, receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    hooked(room, owner, receiver)
    image = an_image(database, owner, title="Under\nthe sea")
    reason = {"code": "duplicate-image", "detail": "The picture is in the catalogue already.", "duplicate_of": "secret"}
    room.change(image, "rejected", reason)
    room.tell()
    room.deliver()

    ((message_id, document),) = receiver.heard
    (notification,) = Inbox(database).page(owner, cursor=None, limit=10, unread_only=False).items
    assert message_id == f"msg_{notification.id.hex}"
    assert document["type"] == notification.type == "image.rejected"
    assert document["data"] == notification.data
    assert document["data"]["image_id"] == str(image)
    assert document["data"]["reason"] == {"code": reason["code"], "detail": reason["detail"]}, "and no other's image"
    assert datetime.fromisoformat(document["timestamp"]) == notification.created_at
    (mail,) = (tmp_path / "mail").iterdir()
    assert f"GET /v1/images/{image}/status".encode() in mail.read_bytes(), "whole, to be copied"
    parsed = message_from_bytes(mail.read_bytes(), policy=policy.default)
    assert parsed["To"] == f"{owner}@example.com"
    assert parsed["Subject"] == "A picture of yours was rejected"
    assert "“Under the sea”" in parsed.get_content()


def test_a_message_that_comes_twice_or_late_tells_nothing_twice_and_nothing_out_of_order(
    room: Room, owner: UUID, receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    hooked(room, owner, receiver)
    image = an_image(database, owner)
    for status in ("processing_failed", "processing", "pending_review", "approved"):
        room.change(image, status)
    room.relay.drain()
    for event in [*reversed(room.events())] * 2:
        room.teller.tell(*event)
        room.deliver()
    assert receiver.types() == ["image.processing_failed", "image.pending_review", "image.approved"]
    assert len({message_id for message_id, _ in receiver.heard}) == 3
    assert len(list((tmp_path / "mail").iterdir())) == 1, "only what asks something of the contributor"


def test_an_event_that_overtakes_others_takes_them_along_and_each_tells_once(
    room: Room, owner: UUID, database: Database
) -> None:
    image = an_image(database, owner)
    for status in ("processing_failed", "processing", "approved", "processing", "approved", "taken_down", "approved"):
        room.change(image, status)
    room.relay.drain()
    (*earlier, last) = room.events()
    room.teller.tell(*last)
    expected = ["image.processing_failed", "image.approved", "image.taken_down", "image.approved"]
    assert [row["type"] for row in database.fetch_all("SELECT type FROM notifications ORDER BY seq")] == expected
    for event in [*earlier, last]:
        room.teller.tell(*event)
    assert [row["type"] for row in database.fetch_all("SELECT type FROM notifications ORDER BY seq")] == expected


def test_an_event_that_the_outbox_has_forgotten_is_told_by_what_the_bus_brings(
    room: Room, owner: UUID, database: Database
) -> None:
    image = an_image(database, owner)
    room.change(image, "approved")
    room.relay.drain()
    with database.transaction() as connection:
        connection.execute("DELETE FROM outbox")
    for event in room.events() * 2:
        room.teller.tell(*event)
    assert [row["type"] for row in database.fetch_all("SELECT type FROM notifications")] == ["image.approved"]


def test_a_status_that_did_not_change_is_no_news(room: Room, owner: UUID, database: Database) -> None:
    image = an_image(database, owner, status="approved")
    room.change(image, "approved")
    room.change(image, "processing")
    room.tell()
    assert database.fetch_all("SELECT 1 FROM notifications") == []


def test_a_change_that_is_rolled_back_was_never_told(room: Room, owner: UUID, database: Database) -> None:
    image = an_image(database, owner)
    with contextlib.suppress(ZeroDivisionError), database.transaction() as connection:
        change_status(connection, image, PUBLISH, ImageStatus.APPROVED, actor="ingestion", reason="It passed.")
        raise ZeroDivisionError
    assert room.relay.drain() == 0


def test_only_the_owners_webhooks_hear_of_what_they_want(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    hooked(room, owner, receiver, "image.approved")
    other = a_contributor(database)
    for account, status in [(owner, "rejected"), (other, "approved"), (owner, "approved")]:
        room.change(an_image(database, account), status)
    room.tell()
    room.deliver()
    assert receiver.types() == ["image.approved"]


# --- retries, order, disabling


def test_attempts_follow_the_schedule_and_then_end(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    receiver.secret = None  # the room's clock runs ahead, and the library takes no signature from the future
    receiver.status = 500
    room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    assert receiver.calls == 1
    ((seconds, _),) = room.wakes.delayed
    assert 5 <= seconds <= 7, "SQS keeps the short waits"
    for number, wait in enumerate(RETRY_SCHEDULE[1:], start=2):
        room.wait(wait * 0.9)
        assert receiver.calls == number - 1, "not before its time"
        room.wait(wait * 0.25)
        assert receiver.calls == number
    (delivery,) = room.log(owner, webhook)
    assert (delivery.status, delivery.attempts, len(delivery.log)) == ("failed", 10, 10)
    assert {attempt.status for attempt in delivery.log} == {500}
    room.wait(timedelta(days=3))
    assert receiver.calls == 10
    assert len({message_id for message_id, _ in receiver.heard}) == 1


def test_a_receiver_that_comes_back_hears_an_images_news_in_order(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    one, two = an_image(database, owner), an_image(database, owner)
    receiver.status = 503
    room.change(one, "pending_review")
    room.tell()
    room.deliver()
    room.change(one, "approved")
    room.change(two, "approved")
    room.tell()
    room.deliver()
    assert receiver.types() == ["image.pending_review", "image.approved"], "the second image waits for nobody"
    receiver.status = 204
    receiver.heard.clear()
    room.wait(timedelta(minutes=1))
    mine = [document["type"] for _, document in receiver.heard if document["data"]["image_id"] == str(one)]
    assert mine == ["image.pending_review", "image.approved"]
    assert {delivery.status for delivery in room.log(owner, webhook)} == {"delivered"}


def test_a_wake_too_many_sends_nothing_twice(room: Room, owner: UUID, receiver: Receiver, database: Database) -> None:
    hooked(room, owner, receiver)
    room.change(an_image(database, owner), "approved")
    room.tell()
    (wake,) = room.wakes.take()
    for _ in range(3):
        room.worker.handle(wake)
    assert receiver.calls == 1


def test_a_worker_that_died_is_made_up_for(room: Room, owner: UUID, receiver: Receiver, database: Database) -> None:
    hooked(room, owner, receiver)
    room.change(an_image(database, owner), "approved")
    room.tell()
    (wake,) = room.wakes.take()

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    post, room.worker._sender.post = room.worker._sender.post, die  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Killed):
        room.worker.handle(wake)
    room.worker._sender.post = post
    room.wait(timedelta(seconds=30))
    assert receiver.calls == 0, "it might still be at work"
    room.wait(timedelta(seconds=40))
    assert receiver.types() == ["image.approved"]


def test_a_webhook_that_fails_for_days_is_disabled_and_its_owner_told(
    room: Room, owner: UUID, receiver: Receiver, database: Database, tmp_path: Path
) -> None:
    webhook = hooked(room, owner, receiver)
    receiver.secret = None
    receiver.status = 500
    for _ in range(8):
        room.change(an_image(database, owner), "approved")
        room.tell()
        room.deliver()
        room.wait(timedelta(days=1))
    found = room.webhooks.get(owner, webhook)
    assert not found.enabled
    assert found.disabled_because == f"every delivery failed for {DISABLED_AFTER.days} days"
    assert not [delivery for delivery in room.log(owner, webhook) if delivery.status == "pending"]
    calls = receiver.calls
    room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    assert receiver.calls == calls
    page = Inbox(database).page(owner, cursor=None, limit=100, unread_only=True)
    assert [each.type for each in page.items].count("webhook.disabled") == 1
    (mail,) = (tmp_path / "mail").iterdir()
    assert b"Your webhook was disabled" in mail.read_bytes()


def test_a_success_forgets_the_failures_before_it(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    receiver.status = 500
    room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    assert room.webhooks.get(owner, webhook).failing_since is not None
    receiver.status = 200
    room.wait(timedelta(minutes=1))
    assert room.webhooks.get(owner, webhook).failing_since is None


def test_gone_is_gone(room: Room, owner: UUID, receiver: Receiver, database: Database) -> None:
    webhook = hooked(room, owner, receiver)
    receiver.status = 410
    room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    assert room.webhooks.get(owner, webhook).disabled_because == "it answered 410 Gone"


def test_a_rotation_keeps_the_old_secret_good_for_a_day(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    old = receiver.secret
    new = room.webhooks.rotate_secret(owner, webhook).secret
    for secret in (old, new):
        receiver.secret = secret
        room.change(an_image(database, owner), "approved")
        room.tell()
        room.deliver()
    assert receiver.types() == ["image.approved"] * 2
    (row,) = database.fetch_all("SELECT previous_secret_until FROM webhook_endpoints WHERE id = %s", (webhook,))
    assert row["previous_secret_until"] - room.clock.now() == timedelta(hours=24)


def test_a_rotation_that_is_sent_twice_makes_one_secret_and_tells_it_once(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    first, again = (room.webhooks.rotate_secret(owner, webhook, idempotency_key="k") for _ in range(2))
    kept = database.fetch_all("SELECT secret FROM webhook_endpoints WHERE id = %s", (webhook,))
    assert kept == [{"secret": first.secret}]
    assert (again.secret, again.previous_valid_until) == (None, first.previous_valid_until)
    answers = database.fetch_all("SELECT answer FROM idempotency_keys WHERE operation = 'rotateWebhookSecret'")
    assert [each["answer"].keys() for each in answers] == [{"id", "previous_valid_until"}]


# --- the API


Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(room: Room, database: Database, owner: UUID) -> Call:
    provide("notifications.inbox", Inbox(database))
    provide("notifications.webhooks", room.webhooks)

    def send(method: str, path: str, body: Any = None, account: UUID | None = None, **more: Any) -> tuple[int, Any]:
        event = http_event(method, path, body, caller=Caller(account or owner, "contributor"), **more)
        answer = handler(event, None)
        return answer["statusCode"], json_of(answer) if answer.get("body") else None

    return send


def test_notifications_are_paged_counted_and_read(call: Call, room: Room, database: Database, owner: UUID) -> None:
    images = [an_image(database, owner) for _ in range(5)]
    for image in images:
        room.change(image, "approved")
    room.change(an_image(database, a_contributor(database)), "approved")
    room.tell()
    _, first = call("GET", "/v1/notifications", query="limit=2")
    room.change(an_image(database, owner), "rejected")  # comes in between the pages
    room.tell()
    _, second = call("GET", "/v1/notifications", query=f"limit=2&cursor={first['next_cursor']}")
    _, third = call("GET", "/v1/notifications", query=f"limit=2&cursor={second['next_cursor']}")
    walked = [each["image_id"] for page in (first, second, third) for each in page["items"]]
    assert walked == [str(image) for image in reversed(images)]
    assert (first["unread_count"], third["unread_count"], third["next_cursor"]) == (5, 6, None)

    assert call("POST", "/v1/notifications/read", {"ids": [first["items"][0]["id"]]})[1] == {"unread_count": 5}
    assert call("POST", "/v1/notifications/read", {"up_to": second["items"][0]["id"]})[1] == {"unread_count": 2}
    _, unread = call("GET", "/v1/notifications", query="unread=true")
    assert len(unread["items"]) == 2
    other = a_contributor(database)
    everything = {"ids": [each["id"] for each in unread["items"]], "up_to": unread["items"][0]["id"]}
    assert call("POST", "/v1/notifications/read", everything, account=other)[1] == {"unread_count": 0}
    assert call("GET", "/v1/notifications", query="unread=true")[1]["unread_count"] == 2


def test_a_webhook_is_made_once_shown_without_its_secret_changed_and_deleted(
    call: Call, receiver: Receiver, database: Database
) -> None:
    body = {"url": receiver.url, "description": "desk"}
    key = {"Idempotency-Key": "k"}
    status, made = call("POST", "/v1/webhooks", body, headers=key)
    assert (status, made["secret"][:6], made["state"]) == (201, "whsec_", "pending")
    again = call("POST", "/v1/webhooks", body, headers=key)
    assert again == (201, made | {"secret": None}), "told once"
    (kept,) = database.fetch_all("SELECT answer::text FROM idempotency_keys")
    assert made["id"] in kept["answer"]
    assert made["secret"] not in kept["answer"]
    path = f"/v1/webhooks/{made['id']}"
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert call("GET", path) == (200, shown)
    assert call("GET", "/v1/webhooks") == (200, {"items": [shown], "next_cursor": None})
    changed = {**body, "event_types": ["image.approved", "image.approved"], "enabled": False}
    assert call("PUT", path, changed)[1]["event_types"] == ["image.approved"]
    assert call("POST", f"{path}/secret")[1]["secret"] != made["secret"]
    assert call("DELETE", path)[0] == 204
    assert call("GET", path)[0] == 404
    status, problem = call("POST", "/v1/webhooks", body, headers=key)
    assert (status, problem["type"]) == (409, "/v1/problems/conflict"), "the key's webhook is gone"


def test_another_accounts_webhook_is_not_there(call: Call, receiver: Receiver, database: Database) -> None:
    _, made = call("POST", "/v1/webhooks", {"url": receiver.url})
    other, path = a_contributor(database), f"/v1/webhooks/{made['id']}"
    for method, tail, body in [
        ("GET", "", None),
        ("PUT", "", {"url": receiver.url}),
        ("DELETE", "", None),
        ("POST", "/secret", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{made['id']}/redeliver", None),
    ]:
        assert call(method, path + tail, body, account=other)[0] == 404, tail
    assert call("GET", path)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://10.0.0.1/"},
        {"url": "https://user:pw@example.com/"},
        {"url": "ftp://example.com"},
        {"url": "https://example.com", "event_types": ["image.eaten"]},
        {"url": "https://example.com", "secret": "mine"},
        {},
    ],
)
def test_a_webhook_that_cannot_be_is_refused(call: Call, body: Any) -> None:
    assert call("POST", "/v1/webhooks", body)[0] == 422


def test_an_account_has_ten_webhooks_at_most(call: Call, receiver: Receiver) -> None:
    for _ in range(MAX_WEBHOOKS):
        assert call("POST", "/v1/webhooks", {"url": receiver.url})[0] == 201
    assert call("POST", "/v1/webhooks", {"url": receiver.url})[0] == 409


def test_a_delivery_is_logged_and_sent_again_by_hand_with_the_same_id(
    call: Call, room: Room, receiver: Receiver, database: Database, owner: UUID
) -> None:
    webhook = hooked(room, owner, receiver)
    path = f"/v1/webhooks/{webhook}/deliveries"
    receiver.status = 404
    for _ in range(3):
        room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    _, page = call("GET", path, query="limit=2")
    assert [len(delivery["log"]) for delivery in page["items"]] == [1, 1]
    assert page["items"][0]["log"][0]["status"] == 404
    assert page["items"][0]["next_attempt_at"]
    _, rest = call("GET", path, query=f"limit=2&cursor={page['next_cursor']}")
    assert len(rest["items"]) == 1

    receiver.status = 204
    room.wait(timedelta(minutes=1))
    first = rest["items"][0]
    receiver.heard.clear()
    assert call("POST", f"{path}/{first['id']}/redeliver")[0] == 204
    room.deliver()
    assert [message_id for message_id, _ in receiver.heard] == [first["message_id"]]
    status, problem = call("POST", f"{path}/{first['id']}/redeliver")
    assert (status, problem["detail"]) == (429, "A delivery is sent again once a minute; try again in 60 seconds.")
    (again,) = [each for each in call("GET", path)[1]["items"] if each["id"] == first["id"]]
    assert (again["status"], len(again["log"])) == ("delivered", 3)
    call("PUT", f"/v1/webhooks/{webhook}", {"url": receiver.url, "enabled": False})
    assert call("POST", f"{path}/{first['id']}/redeliver")[0] == 409


def test_a_webhooks_log_is_not_sent_again_all_at_once(
    call: Call, room: Room, receiver: Receiver, database: Database, owner: UUID
) -> None:
    path = f"/v1/webhooks/{hooked(room, owner, receiver)}/deliveries"
    for _ in range(REDELIVERIES_PER_MINUTE + 1):
        room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    deliveries = call("GET", path, query="limit=100")[1]["items"]
    answers = [call("POST", f"{path}/{delivery['id']}/redeliver")[0] for delivery in deliveries]
    assert answers == [204] * REDELIVERIES_PER_MINUTE + [429]
    room.clock.advance(timedelta(minutes=1))
    assert call("POST", f"{path}/{deliveries[-1]['id']}/redeliver")[0] == 204


# --- proof that a webhook is its account's own


def test_nothing_is_sent_to_a_url_that_does_not_tell_the_challenge(
    call: Call, room: Room, receiver: Receiver, database: Database, owner: UUID
) -> None:
    receiver.tells_challenges = False
    _, made = call("POST", "/v1/webhooks", {"url": receiver.url})
    path, receiver.secret = f"/v1/webhooks/{made['id']}", made["secret"]
    room.deliver()
    assert len(receiver.challenges) == 1
    found = call("GET", path)[1]
    assert (found["state"], found["verification_error"]) == ("pending", "the answer does not tell the challenge")
    image = an_image(database, owner)
    room.change(image, "approved")
    room.tell()
    room.wait(timedelta(days=1))
    assert (receiver.calls, receiver.heard) == (0, [])
    assert room.log(owner, UUID(made["id"])) == []
    assert len(receiver.challenges) == 1, "and it is not asked again by itself"

    receiver.tells_challenges, receiver.secret = True, None  # the clock has run away from the library's
    assert call("POST", f"{path}/verify", {})[1]["state"] == "pending"
    room.deliver()
    assert call("GET", path)[1]["state"] == "active"
    assert len(set(receiver.challenges)) == 2
    room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    assert receiver.types() == ["image.approved"]


def test_a_challenge_can_be_told_by_hand_and_only_the_last_one(call: Call, room: Room, receiver: Receiver) -> None:
    receiver.tells_challenges = False
    _, made = call("POST", "/v1/webhooks", {"url": receiver.url})
    path = f"/v1/webhooks/{made['id']}"
    room.deliver()
    assert call("POST", f"{path}/verify", {})[0] == 429, "a minute has not passed"
    room.clock.advance(timedelta(minutes=1))
    call("POST", f"{path}/verify", {})
    room.deliver()
    first, last = receiver.challenges
    for wrong in (first, "wrong", "\ud800"):
        status, problem = call("POST", f"{path}/verify", {"challenge": wrong})
        assert status == 422
        assert problem["errors"][0]["field"] == "challenge"
    status, verified = call("POST", f"{path}/verify", {"challenge": last})
    assert (status, verified["state"], verified["verification_error"]) == (200, "active", None)
    assert call("POST", f"{path}/verify", {})[1]["state"] == "active", "nothing is asked of it again"


def test_another_url_is_verified_before_anything_is_sent_to_it(
    call: Call, room: Room, receiver: Receiver, database: Database, owner: UUID
) -> None:
    path = f"/v1/webhooks/{hooked(room, owner, receiver)}"
    (old,) = receiver.challenges
    with receiving() as stranger:
        stranger.tells_challenges = False
        assert call("PUT", path, {"url": stranger.url})[1]["state"] == "pending"
        assert call("POST", f"{path}/verify", {"challenge": old})[0] == 422, "it was told by another URL"
        room.deliver()
        room.change(an_image(database, owner), "approved")
        room.tell()
        room.deliver()
        assert (len(stranger.challenges), stranger.calls, receiver.calls) == (1, 0, 0)
        assert call("PUT", path, {"url": stranger.url, "enabled": False})[1]["state"] == "disabled"
        assert call("PUT", path, {"url": receiver.url, "enabled": False})[1]["state"] == "disabled"
    room.deliver()
    assert len(receiver.challenges) == 1
    assert call("PUT", path, {"url": receiver.url, "description": "back"})[1]["state"] == "pending"
    room.deliver()
    assert call("GET", path)[1]["state"] == "active"


def test_an_account_aims_few_challenges(call: Call, room: Room, receiver: Receiver) -> None:
    for _ in range(CHALLENGES_PER_HOUR):
        _, made = call("POST", "/v1/webhooks", {"url": receiver.url})
        call("DELETE", f"/v1/webhooks/{made['id']}")
    status, problem = call("POST", "/v1/webhooks", {"url": receiver.url})
    assert (status, problem["type"]) == (429, "/v1/problems/too-many-requests")
    room.clock.advance(timedelta(hours=1))
    assert call("POST", "/v1/webhooks", {"url": receiver.url})[0] == 201


def test_a_challenge_whose_message_was_lost_is_sent_by_the_schedule(
    room: Room, receiver: Receiver, owner: UUID
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DependencyUnavailable("The queue is not answering.")

    room.wakes.send, kept = down, room.wakes.send
    made = room.webhooks.create(owner, WebhookRequest(url=receiver.url), idempotency_key=None)
    assert made.secret
    room.wakes.send = kept
    room.wait(timedelta(minutes=1))
    assert room.webhooks.get(owner, made.id).state == "active"


# --- e-mail


def mails(folder: Path) -> list[Any]:
    if not folder.exists():
        return []
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.iterdir()]


def test_nothing_is_mailed_to_an_address_that_is_not_confirmed(room: Room, database: Database, tmp_path: Path) -> None:
    stranger = a_contributor(database, confirmed=False)
    room.change(an_image(database, stranger, title="Buy now at evil.example"), "rejected")
    room.tell()
    room.clock.advance(timedelta(hours=2))
    assert room.digests.wake() == 0
    room.teller.digest(stranger)
    assert mails(tmp_path / "mail") == []
    assert len(Inbox(database).page(stranger, cursor=None, limit=9, unread_only=True).items) == 1
    with database.transaction() as connection:
        connection.execute("UPDATE users SET email_confirmed_at = now() WHERE id = %s", (stranger,))
    assert room.digests.wake() == 1, "and it is told when it is"


def test_a_day_of_bad_news_is_a_few_mails_and_a_digest(
    room: Room, owner: UUID, database: Database, tmp_path: Path
) -> None:
    for _ in range(NEWS_MAILS_PER_DAY + 7):
        room.change(an_image(database, owner), "rejected")
        room.tell()
    assert len(mails(tmp_path / "mail")) == NEWS_MAILS_PER_DAY
    assert room.digests.wake() == 0, "it gathers"
    room.clock.advance(timedelta(hours=1, seconds=10))
    for _ in range(2):
        assert room.digests.wake() == 1
    for message in room.due_digests.take():
        room.teller.digest(UUID(message["digest_of"]))
    (digest,) = [mail for mail in mails(tmp_path / "mail") if mail["Subject"] == "News of your pictures"]
    assert "rejected: 7" in digest.get_content()
    room.change(an_image(database, owner), "rejected")
    room.tell()
    room.clock.advance(timedelta(hours=2))
    assert room.digests.wake() == 0, "one a day"
    room.clock.advance(timedelta(hours=22))
    assert room.digests.wake() == 1


def test_workers_at_once_send_no_more_than_the_days_mails_and_none_twice(
    room: Room, owner: UUID, database: Database, tmp_path: Path
) -> None:
    for _ in range(NEWS_MAILS_PER_DAY + 3):
        room.change(an_image(database, owner), "rejected")
    room.relay.drain()
    events = room.events() * 2
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda event: room.teller.tell(*event), events))
    assert len(mails(tmp_path / "mail")) == NEWS_MAILS_PER_DAY
    sent = database.fetch_one("SELECT count(*) AS number FROM mails_sent WHERE user_id = %s", (owner,))
    assert sent == {"number": NEWS_MAILS_PER_DAY}


def test_news_that_take_long_to_send_lock_nobodys_account(room: Room, owner: UUID, database: Database) -> None:
    sent: list[str] = []

    class SlowMailer:
        def send(self, mail: Mail) -> None:
            with database.transaction() as connection:
                connection.execute("SELECT FROM users WHERE id = %s FOR UPDATE NOWAIT", (owner,))
            sent.append(mail.subject)

    room.teller._mailer = SlowMailer()
    for _ in range(NEWS_MAILS_PER_DAY + 1):
        room.change(an_image(database, owner), "rejected")
    room.tell()
    room.teller.digest(owner)
    assert len(sent) == NEWS_MAILS_PER_DAY + 1


# --- nobody's receiver takes another's turn


def heard_by_four_workers(room: Room, receiver: Receiver, number: int) -> float:
    """After how many seconds the receiver had heard so much, of as many workers as the smallest stage has."""
    began = time.monotonic()
    heard_after: list[float] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                message = room.wakes.messages.pop(0)
            except IndexError:
                time.sleep(0.01)
                continue
            room.worker.handle(message)

    def watch() -> None:
        while len(receiver.heard) < number and not stop.is_set():
            time.sleep(0.01)
        heard_after.append(time.monotonic() - began)

    workers = [threading.Thread(target=work) for _ in range(4)]
    watcher = threading.Thread(target=watch)
    for thread in (*workers, watcher):
        thread.start()
    watcher.join(timeout=20)
    stop.set()
    for thread in (*workers, watcher):
        thread.join()
    return heard_after[0]


def test_a_receiver_that_drips_keeps_nobody_else_waiting(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    """One account's two webhooks drip, and much waits for them."""
    room.worker._sender = WebhookSender(TargetRules(loopback=True), timeout_seconds=5)
    slow = a_contributor(database)
    with receiving() as one, receiving() as two:
        for dripping in (one, two):
            hooked(room, slow, dripping)
            dripping.drips = b"x: y\r\n"
            dripping.drip_seconds = 7
        hooked(room, owner, receiver)
        for _ in range(30):
            room.change(an_image(database, slow), "approved")
        room.tell()
        for _ in range(5):
            room.change(an_image(database, owner), "approved")
        room.tell()
        heard_after = heard_by_four_workers(room, receiver, 5)
        assert len(receiver.heard) == 5
        assert heard_after < 5, "before the first of the slow ones was given up"
        assert one.calls <= ENDPOINT_IN_FLIGHT
        assert two.calls <= ENDPOINT_IN_FLIGHT
        assert one.most_at_once + two.most_at_once <= ACCOUNT_IN_FLIGHT


@pytest.mark.parametrize(("accounts", "deleted"), [(1, False), (1, True), (4, False)])
def test_challenges_that_drip_keep_nobody_else_waiting(
    room: Room, owner: UUID, receiver: Receiver, database: Database, accounts: int, deleted: bool
) -> None:
    """Many webhooks are challenged at once, and each may be deleted while its challenge is under way."""
    room.worker._sender = WebhookSender(TargetRules(loopback=True), timeout_seconds=5)
    slow = [a_contributor(database) for _ in range(accounts)]
    with receiving() as dripping:
        dripping.drips = b"x: y\r\n"
        dripping.drip_seconds = 7
        hooked(room, owner, receiver)
        made = [
            room.webhooks.create(account, WebhookRequest(url=f"{dripping.url}/{number}"), idempotency_key=None)
            for account in slow
            for number in range(8 // accounts)
        ]
        room.change(an_image(database, owner), "approved")
        room.tell()

        def delete_what_is_challenged() -> None:
            for webhook in made:
                while not database.fetch_one(
                    "SELECT 1 FROM webhook_endpoints WHERE id = %s AND challenge_sent_at IS NOT NULL", (webhook.id,)
                ):
                    if ended.wait(0.05):
                        return
                room.webhooks.delete(slow[0], webhook.id)

        ended = threading.Event()
        deleting = threading.Thread(target=delete_what_is_challenged)
        if deleted:
            deleting.start()
        try:
            heard_after = heard_by_four_workers(room, receiver, 1)
        finally:
            ended.set()
            if deleted:
                deleting.join()
        assert receiver.types() == ["image.approved"]
        assert heard_after < 5, "before the first of the slow ones was given up"
        most = min(accounts, CHALLENGES_IN_FLIGHT)
        assert dripping.most_at_once <= 2 * most, "the next may begin before the receiver sees the end of the last"
    assert database.fetch_all("SELECT * FROM webhook_calls") == []


def test_who_asked_for_few_challenges_is_challenged_before_those_who_asked_for_many(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    for account in [a_contributor(database) for _ in range(3)]:
        for number in range(3):
            room.webhooks.create(account, WebhookRequest(url=f"{receiver.url}/{number}"), idempotency_key=None)
    made = room.webhooks.create(owner, WebhookRequest(url=receiver.url), idempotency_key=None)
    room.wakes.messages.clear()
    assert room.deliveries.wake_challenges() == CHALLENGES_IN_FLIGHT
    assert room.wakes.messages[0] == {"webhook_id": str(made.id)}


def test_the_schedule_wakes_every_account_before_any_the_second_time(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    crowd = a_contributor(database)
    for account, pictures in [(crowd, 600), (owner, 2)]:
        hooked(room, account, receiver)
        receiver.secret = None
        for _ in range(pictures):
            room.change(an_image(database, account), "approved")
    room.tell()
    room.wakes.take()
    room.clock.advance(timedelta(minutes=1))
    assert room.due.wake() == ENDPOINT_IN_FLIGHT * 2
    woken = [str(message["delivery_id"]) for message in room.wakes.take()]
    owners = database.fetch_all(
        "SELECT e.account_id FROM unnest(%s::uuid[]) WITH ORDINALITY AS w (id, n)"
        " JOIN webhook_deliveries d USING (id) JOIN webhook_endpoints e ON e.id = d.endpoint_id ORDER BY n",
        (woken,),
    )
    assert {row["account_id"] for row in owners[:2]} == {crowd, owner}


def test_what_was_not_begun_for_want_of_a_place_follows_by_itself(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    hooked(room, owner, receiver)
    for _ in range(12):
        room.change(an_image(database, owner), "approved")
    room.tell()
    first, *_ = room.wakes.take()  # all other messages are lost
    room.worker.handle(first)
    room.deliver()
    assert len(receiver.heard) == 12, "without the schedule"


def test_a_webhook_that_does_not_answer_rests_with_all_that_is_due(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    room.worker._sender = WebhookSender(TargetRules(loopback=True), timeout_seconds=0.2)
    receiver.drips, receiver.drip_seconds = b"x: y\r\n", 0.4
    for _ in range(20):
        room.change(an_image(database, owner), "approved")
    room.tell()
    room.deliver()
    assert receiver.calls == 1
    for rest in (5, 10, 20, 40):
        calls = receiver.calls
        room.wait(timedelta(seconds=rest - 1))
        assert receiver.calls == calls
        room.wait(timedelta(seconds=1))
        assert receiver.calls == calls + 1
    receiver.drips, receiver.secret = None, None
    room.wait(timedelta(seconds=80))
    assert len(receiver.heard) >= 15, "the first that comes through ends it"
    assert room.webhooks.get(owner, webhook).failing_since is None


def test_an_attempt_is_written_down_before_it_is_made(
    room: Room, owner: UUID, receiver: Receiver, database: Database
) -> None:
    webhook = hooked(room, owner, receiver)
    room.change(an_image(database, owner), "approved")
    room.tell()
    (wake,) = room.wakes.take()

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        attempt = room.log(owner, webhook)[0].log[0]
        assert (attempt.milliseconds, attempt.status, attempt.error) == (None, None, None), "under way"
        raise Killed

    post, room.worker._sender.post = room.worker._sender.post, die  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(2):
        with pytest.raises(Killed):
            room.worker.handle(wake)
        room.clock.advance(timedelta(minutes=6))
    room.worker._sender.post = post
    receiver.secret = None
    room.worker.handle(wake)
    (delivery,) = room.log(owner, webhook)
    assert [attempt.error for attempt in delivery.log] == [None, "the attempt broke off", "the attempt broke off"]
    assert (delivery.status, delivery.attempts) == ("delivered", 3)
