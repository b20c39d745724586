"""Webhook deliveries: due times in PostgreSQL, attempts by whoever is woken, each image's news in order.

SQS can delay a message by 15 minutes at most and the schedule waits up to a day, so what is due when stands in the
database. A message in the queue `webhooks` only wakes a worker for one delivery: right away, after a delay for the
short waits, and from the schedule that looks each minute for what is due. Waking twice does no harm: a delivery is
leased by one statement, which also writes the attempt down, so that one that breaks off has been made all the same.

Nobody's receiver takes another's turn: few calls of one webhook and of one account are under way side by side, a
webhook that does not answer rests, and what a full account could not begin is woken as soon as one of its own ends.
Accounts whose receivers kept a call waiting share a few places, each in its turn: however many there are, most workers
are left to the others.
"""

from __future__ import annotations

import hmac
import json
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from imagemarket.notifications.events import NotificationAdded
from imagemarket.notifications.messages import webhook_body
from imagemarket.notifications.models import (
    DISABLED_AFTER,
    QUICK,
    RETRY_SCHEDULE,
    WEBHOOK_DISABLED,
    WEBHOOK_VERIFICATION,
    message_id,
)
from imagemarket.notifications.repository import deliveries as repository
from imagemarket.notifications.repository import notifications, webhooks
from imagemarket.notifications.sender import Answer, WebhookSender
from imagemarket.notifications.signing import signed_headers
from imagemarket.platform import events
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.ids import new_id
from imagemarket.platform.queue import Queue
from imagemarket.platform.telemetry import add_log_context, count, duration, logger

MAX_DELAY_SECONDS = 900
"""The longest that SQS keeps a message back."""
_JITTER = 0.1
_GONE = 410
_RESTS = timedelta(seconds=5), timedelta(minutes=10)
"""How long a webhook that does not answer is left alone, with everything that is due for it: at first, and at most."""


class Deliveries:
    """Which deliveries are due, and waking workers for them."""

    def __init__(self, *, database: Database, queue: Queue, clock: Clock) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock

    def wake(self) -> int:
        """Wakes a worker for what is due now, a few of each account, and for challenges that were not sent yet; how
        many that was."""
        woken = self.wake_challenges() + self.wake_slow()
        return woken + self._wake(repository.due(self._database, self._clock.now()))

    def wake_challenges(self) -> int:
        """Wakes workers for challenges that wait, as many as may be under way."""
        return self._wake(repository.due_challenges(self._database, self._clock.now()), "webhook_id")

    def wake_slow(self) -> int:
        """Wakes workers for the slow accounts whose turn it is."""
        return self._wake(repository.due_of_slow_accounts(self._database, self._clock.now()))

    def wake_account(self, account_id: UUID) -> int:
        """Wakes workers for what is due for one account, as many as may be at work for it."""
        return self._wake(repository.due_of_account(self._database, account_id, self._clock.now()))

    def wake_image(self, image_id: UUID) -> int:
        """Wakes a worker for each delivery of one image that is due now."""
        return self._wake(repository.due_of_image(self._database, image_id, self._clock.now()))

    def wake_delivery(self, delivery_id: UUID) -> None:
        """Wakes a worker for one delivery, which does nothing unless it is due."""
        self._queue.send([{"delivery_id": str(delivery_id)}])

    def wake_challenge(self, webhook_id: UUID) -> None:
        """Wakes a worker to challenge a webhook."""
        self._queue.send([{"webhook_id": str(webhook_id)}])

    def wake_later(self, delivery_id: UUID, wait: timedelta) -> None:
        """Wakes a worker after a wait that SQS can keep; longer ones are left to the schedule."""
        seconds = int(wait.total_seconds()) + 1
        if seconds <= MAX_DELAY_SECONDS:
            self._queue.send([{"delivery_id": str(delivery_id)}], delay_seconds=seconds)

    def _wake(self, ids: list[UUID], name: str = "delivery_id") -> int:
        self._queue.send([{name: str(each)} for each in ids])
        return len(ids)


class WebhookWorker:
    """Makes one attempt at a delivery and decides what follows."""

    def __init__(self, *, database: Database, deliveries: Deliveries, sender: WebhookSender, clock: Clock) -> None:
        self._database = database
        self._deliveries = deliveries
        self._sender = sender
        self._clock = clock

    def handle(self, message: dict[str, Any]) -> None:
        """Handles one message of the queue `webhooks`: `{"delivery_id"}`, or `{"webhook_id"}` for a challenge.

        Does nothing when the delivery is not due, is being attempted, has ended, waits for an earlier one of its
        image, or when enough is under way for its webhook or its account. For a delivery of a slow account, the slow
        account whose turn it is is called. Raises `DependencyUnavailable`.
        """
        if "webhook_id" in message:
            self._challenge(UUID(message["webhook_id"]))
            return
        delivery_id = UUID(message["delivery_id"])
        leased = self._lease(delivery_id)
        if leased is None:
            logger.info("nothing to deliver", delivery_id=str(delivery_id))
            return
        _found_by(leased)  # not always the one that was named
        if leased["attempts"] > len(RETRY_SCHEDULE):
            self._record(leased, Answer(0, error="the last attempt broke off"))
            return
        answer = self._post(
            leased,
            message_id(leased["notification_id"]),
            webhook_body(leased["type"], leased["created_at"], leased["data"]),
        )
        self._record(leased, answer)

    def _post(self, webhook: Row, id_: str, body: bytes) -> Answer:
        now = self._clock.now()
        secrets = [webhook["secret"]]
        if webhook["previous_secret_until"] is not None and webhook["previous_secret_until"] > now:
            secrets.append(webhook["previous_secret"])
        return self._sender.post(
            webhook["url"],
            {
                "content-type": "application/json",
                "user-agent": "imagemarket-webhooks/1.0",
                **signed_headers(secrets, id_, now, body),
            },
            body,
        )

    # --- proof that a webhook is its account's own -----------------------------------------------

    def _challenge(self, webhook_id: UUID) -> None:
        """Sends the challenge that was asked for, once; the webhook is active when it comes back."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            repository.lock_shared_places(connection)
            webhooks.lock_beside(connection, webhook_id)
            webhook = repository.lease_challenge(connection, webhook_id, now)
            if webhook is None:
                logger.info("nothing to challenge", endpoint_id=str(webhook_id))
                return
            call = repository.take_place(connection, webhook["account_id"], now, challenge=True)
        told = {"webhook_id": str(webhook_id), "challenge": webhook["challenge"]}
        answer = self._post(webhook, message_id(new_id()), webhook_body(WEBHOOK_VERIFICATION, now, told))
        error = _why_not_verified(answer, webhook["challenge"])
        ended = self._clock.now()
        with self._database.transaction() as connection:
            webhooks.answer_challenge(connection, webhook_id, webhook["challenge"], error=error, at=ended)
            slow = repository.give_place_back(connection, call, slow=_was_slow(answer), now=ended)
        count("WebhooksVerified" if error is None else "WebhooksNotVerified")
        logger.info("webhook challenged", endpoint_id=str(webhook_id), status=answer.status, error=error)
        self._wake_for_shared_places()
        if not slow:
            self._deliveries.wake_account(webhook["account_id"])

    # --- attempts --------------------------------------------------------------------------------

    def _lease(self, delivery_id: UUID) -> Row | None:
        now = self._clock.now()
        with self._database.transaction() as connection:
            of = repository.find(connection, delivery_id, now)
            if of is not None:
                _found_by(of)
            slow = of is not None and of["slow"]
            if slow:
                repository.lock_shared_places(connection)
                of = repository.next_of_slow_accounts(connection, now)
            if of is None:
                return None
            webhooks.lock_beside(connection, of["endpoint_id"])
            leased = repository.lease(connection, of["id"], now, slow=slow)
            if leased is None:
                return None
            leased["number"] = self._begin(connection, leased, now)
            leased["call"] = repository.take_place(connection, leased["account_id"], now, challenge=False)
            leased["slow"] = slow
            return leased

    def _begin(self, connection: Connection, leased: Row, now: datetime) -> int | None:
        """Writes the attempt down before it is made, and when the next would be due if it breaks off; its number."""
        repository.mark_broken_off(connection, leased["id"])
        if leased["attempts"] > len(RETRY_SCHEDULE):
            return None
        if leased["attempts"] < len(RETRY_SCHEDULE):
            repository.set_due(connection, leased["id"], now + _wait_before(leased["attempts"] + 1, None))
        return repository.add_attempt(connection, leased["id"], now)

    def _record(self, leased: Row, answer: Answer) -> None:
        now = self._clock.now()
        wait: timedelta | None = None
        with self._database.transaction() as connection:
            webhooks.lock(connection, leased["endpoint_id"])
            repository.write_answer(connection, leased["id"], leased["number"], answer)
            if answer.delivered:
                repository.end(connection, leased, "delivered", now)
            elif leased["attempts"] >= len(RETRY_SCHEDULE):
                repository.end(connection, leased, "failed", now)
            else:
                wait = _wait_before(leased["attempts"] + 1, answer)
                repository.give_back(connection, leased, now + wait)
            if answer.delivered:
                webhooks.mark_delivering(connection, leased["endpoint_id"])
            else:
                self._blame(connection, leased, answer, now)
            slow = repository.give_place_back(connection, leased["call"], slow=_was_slow(answer), now=now)
        outcome = "Delivered" if answer.delivered else "Failed"
        count(f"WebhookAttempts.{outcome}")
        duration("WebhookDuration", answer.milliseconds)
        logger.info(
            "webhook called",
            delivery_id=str(leased["id"]),
            attempt=leased["attempts"],
            status=answer.status,
            error=answer.error,
        )
        if wait is not None:
            self._deliveries.wake_later(leased["id"], wait)
        if slow or leased["slow"]:
            self._wake_for_shared_places()
        else:
            self._deliveries.wake_account(leased["account_id"])  # what waited for this one, or for its place

    def _wake_for_shared_places(self) -> None:
        self._deliveries.wake_challenges()
        self._deliveries.wake_slow()

    def _blame(self, connection: Connection, leased: Row, answer: Answer, now: datetime) -> None:
        """Remembers since when nothing came through; lets a webhook that does not answer rest, the longer the oftener;
        disables one that is gone or has failed for days."""
        failing_since = webhooks.mark_failing(
            connection, leased["endpoint_id"], now, answered=answer.status is not None, rests=_RESTS
        )
        if failing_since is None:
            return
        if answer.status == _GONE:
            self._disable(connection, leased, "it answered 410 Gone", now)
        elif now - failing_since >= DISABLED_AFTER:
            self._disable(connection, leased, f"every delivery failed for {DISABLED_AFTER.days} days", now)

    def _disable(self, connection: Connection, leased: Row, because: str, now: datetime) -> None:
        webhooks.disable(connection, leased["endpoint_id"], because, now)
        repository.cancel_pending(connection, leased["endpoint_id"], now)
        notification_id = notifications.add(
            connection,
            leased["account_id"],
            WEBHOOK_DISABLED,
            {"webhook_id": str(leased["endpoint_id"]), "url": leased["url"], "because": because},
        )
        events.publish(
            connection,
            NotificationAdded(notification_id=notification_id, image_id=leased["image_id"]),
            request_id=leased["request_id"],
        )
        count("WebhooksDisabled")
        logger.warning("webhook disabled", endpoint_id=str(leased["endpoint_id"]), because=because)


def _found_by(delivery: Row) -> None:
    add_log_context(image_id=str(delivery["image_id"]), request_id=delivery["request_id"])


def _was_slow(answer: Answer) -> bool:
    return timedelta(milliseconds=answer.milliseconds) > QUICK


def _why_not_verified(answer: Answer, challenge: str) -> str | None:
    """None when the answer is a success that tells the challenge: `{"challenge": …}`, or its text alone, as it is or as
    a string of JSON, which is what frameworks make of it. A byte order mark before either counts for nothing."""
    if not answer.delivered:
        return answer.error or f"the challenge was answered with status {answer.status}"
    text = answer.body.removeprefix("\ufeff").strip()
    told: object = text
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, Mapping):
        told = document.get("challenge")
    elif isinstance(document, str):
        told = document.strip()
    if isinstance(told, str) and hmac.compare_digest(told.encode("utf-8", "replace"), challenge.encode()):
        return None
    return "the answer does not tell the challenge"


def _wait_before(attempt: int, answer: Answer | None) -> timedelta:
    """The schedule's wait before an attempt (from 1), a little longer at random so that a receiver that comes back is
    not met by everything at once, and as long as the receiver asks."""
    wait = RETRY_SCHEDULE[attempt - 1] * (1 + random.uniform(0, _JITTER))  # noqa: S311 - jitter
    return max(wait, timedelta(seconds=answer.retry_after or 0)) if answer is not None else wait
