"""Webhook deliveries: due times in PostgreSQL, attempts by whoever is woken, each image's news in order.

SQS can delay a message by 15 minutes at most and the schedule waits up to a day, so what is due when stands in the
database. A message in the queue `webhooks` only wakes a worker for one delivery: right away, after a delay for the
short waits, and from the schedule that looks each minute for what is due. Waking twice does no harm: a delivery is
leased by one statement.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.notifications.messages import webhook_body
from imagemarket.notifications.models import DISABLED_AFTER, RETRY_SCHEDULE, WEBHOOK_DISABLED, message_id
from imagemarket.notifications.sender import Answer, WebhookSender
from imagemarket.notifications.signing import signed_headers
from imagemarket.platform import outbox
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database, Row
from imagemarket.platform.queue import Queue
from imagemarket.platform.telemetry import count, duration, logger

if TYPE_CHECKING:
    from psycopg import Connection

MAX_DELAY_SECONDS = 900
"""The longest that SQS keeps a message back."""
_LEASE = timedelta(seconds=60)
"""Longer than a worker lives for one delivery."""
_AT_ONCE = 500
_JITTER = 0.1
_GONE = 410

# What nothing of the same image at the same webhook has to be told before. A delivery that was sent again by hand
# is out of order by intention and waits for nobody.
_FIRST_OF_ITS_IMAGE = """
    (d.redelivered OR NOT EXISTS (
        SELECT 1 FROM webhook_deliveries earlier
         WHERE earlier.endpoint_id = d.endpoint_id AND earlier.image_id = d.image_id AND earlier.seq < d.seq
           AND earlier.status = 'pending' AND NOT earlier.redelivered))
"""


class Deliveries:
    """Which deliveries are due, and waking workers for them."""

    def __init__(self, *, database: Database, queue: Queue, clock: Clock) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock

    def wake(self, *, image_id: UUID | None = None, delivery_id: UUID | None = None) -> int:
        """Wakes a worker for each delivery that is due now (of one image, or one delivery); how many that was."""
        rows = self._database.fetch_all(
            "SELECT d.id FROM webhook_deliveries d"
            " WHERE d.status = 'pending' AND d.due_at <= %(now)s"
            "   AND (d.leased_until IS NULL OR d.leased_until < %(now)s)"
            "   AND (%(image)s::uuid IS NULL OR d.image_id = %(image)s)"
            "   AND (%(delivery)s::uuid IS NULL OR d.id = %(delivery)s)"
            f"   AND {_FIRST_OF_ITS_IMAGE} ORDER BY d.due_at LIMIT {_AT_ONCE}",
            {"now": self._clock.now(), "image": image_id, "delivery": delivery_id},
        )
        self._queue.send([{"delivery_id": str(row["id"])} for row in rows])
        return len(rows)

    def wake_later(self, delivery_id: UUID, wait: timedelta) -> None:
        """Wakes a worker after a wait that SQS can keep; longer ones are left to the schedule."""
        seconds = int(wait.total_seconds()) + 1
        if seconds <= MAX_DELAY_SECONDS:
            self._queue.send([{"delivery_id": str(delivery_id)}], delay_seconds=seconds)


class WebhookWorker:
    """Makes one attempt at a delivery and decides what follows."""

    def __init__(self, *, database: Database, deliveries: Deliveries, sender: WebhookSender, clock: Clock) -> None:
        self._database = database
        self._deliveries = deliveries
        self._sender = sender
        self._clock = clock

    def handle(self, message: dict[str, Any]) -> None:
        """Handles one message of the queue `webhooks`. Does nothing when the delivery is not due, is being
        attempted, has ended, or waits for an earlier one of its image. Raises `DependencyUnavailable`."""
        delivery_id = UUID(message["delivery_id"])
        leased = self._lease(delivery_id)
        if leased is None:
            logger.info("nothing to deliver", delivery_id=str(delivery_id))
            return
        if leased["attempts"] > len(RETRY_SCHEDULE):
            self._record(leased, Answer(0, error="the last attempt broke off"))
            return
        body = webhook_body(leased["type"], leased["created_at"], leased["data"])
        now = self._clock.now()
        secrets = [leased["secret"]]
        if leased["previous_secret_until"] is not None and leased["previous_secret_until"] > now:
            secrets.append(leased["previous_secret"])
        answer = self._sender.post(
            leased["url"],
            {
                "content-type": "application/json",
                "user-agent": "imagemarket-webhooks/1.0",
                **signed_headers(secrets, message_id(leased["notification_id"]), now, body),
            },
            body,
        )
        self._record(leased, answer)

    def _lease(self, delivery_id: UUID) -> Row | None:
        now = self._clock.now()
        with self._database.transaction() as connection:
            return connection.execute(
                "UPDATE webhook_deliveries d SET attempts = d.attempts + 1, leased_until = %(until)s"
                "  FROM webhook_endpoints e, notifications n"
                " WHERE d.id = %(id)s AND e.id = d.endpoint_id AND n.id = d.notification_id AND e.enabled"
                "   AND d.status = 'pending' AND d.due_at <= %(now)s"
                "   AND (d.leased_until IS NULL OR d.leased_until < %(now)s)"
                f"   AND {_FIRST_OF_ITS_IMAGE}"
                " RETURNING d.id, d.attempts, d.image_id, d.endpoint_id, d.notification_id, e.url, e.secret,"
                "   e.previous_secret, e.previous_secret_until, e.account_id, n.type, n.data, n.created_at",
                {"id": delivery_id, "now": now, "until": now + _LEASE},
            ).fetchone()

    def _record(self, leased: Row, answer: Answer) -> None:
        now = self._clock.now()
        wait: timedelta | None = None
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO webhook_attempts (delivery_id, number, at, milliseconds, status, error, response)"
                " SELECT %(id)s, coalesce(max(number), 0) + 1, %(now)s, %(milliseconds)s, %(status)s, %(error)s,"
                "        %(response)s FROM webhook_attempts WHERE delivery_id = %(id)s",
                {
                    "id": leased["id"],
                    "now": now,
                    "milliseconds": answer.milliseconds,
                    "status": answer.status,
                    "error": answer.error,
                    "response": answer.response,
                },
            )
            if answer.delivered:
                self._end(connection, leased, "delivered", now)
                connection.execute(
                    "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = %s", (leased["endpoint_id"],)
                )
            elif leased["attempts"] >= len(RETRY_SCHEDULE):
                self._end(connection, leased, "failed", now)
            else:
                wait = _wait_before(leased["attempts"] + 1, answer)
                connection.execute(
                    "UPDATE webhook_deliveries SET due_at = %s, leased_until = NULL WHERE id = %s",
                    (now + wait, leased["id"]),
                )
            if not answer.delivered:
                self._blame(connection, leased, answer, now)
        outcome = "Delivered" if answer.delivered else "Failed"
        count(f"WebhookAttempts.{outcome}")
        duration("WebhookDuration", answer.milliseconds)
        logger.info(
            "webhook called",
            delivery_id=str(leased["id"]),
            image_id=str(leased["image_id"]),
            attempt=leased["attempts"],
            status=answer.status,
            error=answer.error,
        )
        if wait is not None:
            self._deliveries.wake_later(leased["id"], wait)
        else:
            self._deliveries.wake(image_id=leased["image_id"])  # what waited for this one

    def _end(self, connection: Connection[Row], leased: Row, status: str, now: datetime) -> None:
        connection.execute(
            "UPDATE webhook_deliveries SET status = %s, finished_at = %s, leased_until = NULL WHERE id = %s",
            (status, now, leased["id"]),
        )

    def _blame(self, connection: Connection[Row], leased: Row, answer: Answer, now: datetime) -> None:
        """Remembers since when nothing came through; disables a webhook that is gone or has failed for days."""
        row = connection.execute(
            "UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, %s) WHERE id = %s AND enabled"
            " RETURNING failing_since",
            (now, leased["endpoint_id"]),
        ).fetchone()
        if row is None:
            return
        if answer.status == _GONE:
            self._disable(connection, leased, "it answered 410 Gone", now)
        elif now - row["failing_since"] >= DISABLED_AFTER:
            self._disable(connection, leased, f"every delivery failed for {DISABLED_AFTER.days} days", now)

    def _disable(self, connection: Connection[Row], leased: Row, because: str, now: datetime) -> None:
        from psycopg.types.json import Jsonb

        connection.execute(
            "UPDATE webhook_endpoints SET enabled = false, disabled_because = %s, updated_at = %s WHERE id = %s",
            (because, now, leased["endpoint_id"]),
        )
        connection.execute(
            "UPDATE webhook_deliveries SET status = 'cancelled', finished_at = %s, leased_until = NULL"
            " WHERE endpoint_id = %s AND status = 'pending'",
            (now, leased["endpoint_id"]),
        )
        told = {"webhook_id": str(leased["endpoint_id"]), "url": leased["url"], "because": because}
        made = connection.execute(
            "INSERT INTO notifications (account_id, type, data) VALUES (%s, %s, %s) RETURNING id",
            (leased["account_id"], WEBHOOK_DISABLED, Jsonb(told)),
        ).fetchone()
        assert made is not None
        outbox.add(
            connection,
            topic=outbox.NOTIFICATIONS_TOPIC,
            image_id=leased["image_id"],
            payload={"notification_id": str(made["id"]), "image_id": str(leased["image_id"])},
        )
        count("WebhooksDisabled")
        logger.warning("webhook disabled", endpoint_id=str(leased["endpoint_id"]), because=because)


def _wait_before(attempt: int, answer: Answer) -> timedelta:
    """The schedule's wait before an attempt (from 1), a little longer at random so that a receiver that comes back is
    not met by everything at once, and as long as the receiver asks."""
    wait = RETRY_SCHEDULE[attempt - 1] * (1 + random.uniform(0, _JITTER))  # noqa: S311 - jitter
    return max(wait, timedelta(seconds=answer.retry_after or 0))
