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
    RETRY_SCHEDULE,
    WEBHOOK_DISABLED,
    WEBHOOK_VERIFICATION,
    message_id,
)
from imagemarket.notifications.sender import Answer, WebhookSender
from imagemarket.notifications.signing import signed_headers
from imagemarket.platform import events
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.ids import new_id
from imagemarket.platform.queue import Queue
from imagemarket.platform.telemetry import annotate, count, duration, logger

MAX_DELAY_SECONDS = 900
"""The longest that SQS keeps a message back."""
ENDPOINT_IN_FLIGHT = 2
"""Deliveries of one webhook under way side by side; one alone while nothing comes through."""
ACCOUNT_IN_FLIGHT = 3
"""Calls of one account under way side by side, whatever their webhooks; one of them at most is a challenge."""
SHARED_IN_FLIGHT = 2
"""Challenges and deliveries of slow accounts under way side by side, of all accounts together: no more than half of the
workers, so that the other half is left to accounts whose receivers answer quickly."""
CHALLENGES_IN_FLIGHT = 1
"""Challenges among them, since anybody may open an account; one goes before a second delivery of slow accounts."""
QUICK = timedelta(seconds=2)
"""A receiver whose answer takes longer makes its account a slow one, whether it takes the delivery or not."""
LONG_IN_FLIGHT = 2
"""Calls of an account that is not known as slow after which none is begun, once each of them takes longer than that."""
SLOW_FOR = timedelta(hours=1)
"""How long an account is slow after such an answer."""
_LEASE = timedelta(seconds=60)
"""Longer than a worker lives for one delivery."""
_AT_ONCE = 500
_JITTER = 0.1
_GONE = 410
_SHORTEST_REST, _LONGEST_REST = timedelta(seconds=5), timedelta(minutes=10)
"""How long a webhook that does not answer is left alone, with everything that is due for it."""

# What nothing of the same image at the same webhook has to be told before. A delivery that was sent again by hand
# is out of order by intention and waits for nobody.
_FIRST_OF_ITS_IMAGE = """
    (d.redelivered OR NOT EXISTS (
        SELECT 1 FROM webhook_deliveries earlier
         WHERE earlier.endpoint_id = d.endpoint_id AND earlier.image_id = d.image_id AND earlier.seq < d.seq
           AND earlier.status = 'pending' AND NOT earlier.redelivered))
"""
_DUE = f"""
    d.status = 'pending' AND d.due_at <= %(now)s AND (d.leased_until IS NULL OR d.leased_until < %(now)s)
    AND {_FIRST_OF_ITS_IMAGE}
"""
_CALLED = "e.enabled AND e.verified_at IS NOT NULL AND (e.rests_until IS NULL OR e.rests_until <= %(now)s)"

_SLOW = "SELECT FROM webhook_slow_accounts s WHERE s.account_id = e.account_id AND s.slow_until > %(now)s"
_SLOW_CALLS = """
    (SELECT count(*) FROM webhook_calls c JOIN webhook_slow_accounts s USING (account_id)
      WHERE NOT c.challenge AND c.leased_until >= %(now)s AND s.slow_until > %(now)s)
"""
_CHALLENGE_CALLS = "(SELECT count(*) FROM webhook_calls c WHERE c.challenge AND c.leased_until >= %(now)s)"
_UNCHALLENGED = "verified_at IS NULL AND enabled AND challenge_requested_at <= %(now)s AND challenge_sent_at IS NULL"
_SLOW_MAY_BE_CALLED = f"""
    {_SLOW_CALLS} + CASE WHEN {_CHALLENGE_CALLS} > 0 OR EXISTS (SELECT FROM webhook_endpoints WHERE {_UNCHALLENGED})
                    THEN 1 ELSE 0 END < %(shared)s
"""
# While a place is free, the oldest delivery of each slow account that has no call under way, first of the one that was
# called the longest ago.
_SLOW_IN_TURN = f"""
    SELECT first.id, first.endpoint_id FROM webhook_slow_accounts s CROSS JOIN LATERAL (
        SELECT d.id, d.endpoint_id FROM webhook_endpoints e JOIN webhook_deliveries d ON d.endpoint_id = e.id
         WHERE e.account_id = s.account_id AND {_CALLED} AND {_DUE} ORDER BY d.due_at LIMIT 1) first
     WHERE s.slow_until > %(now)s AND {_SLOW_MAY_BE_CALLED}
       AND NOT EXISTS (SELECT FROM webhook_calls c WHERE c.account_id = s.account_id AND c.leased_until >= %(now)s)
     ORDER BY s.called_at LIMIT %(shared)s
"""
# A few of each account, the oldest of each webhook first, and every account's first before anybody's second: however
# much waits for one webhook, it takes no other's turn. The webhooks that something waits for are found by steps
# through the index `webhook_deliveries_due`: one for each webhook, not one for each delivery.
_FAIRLY = f"""
    WITH RECURSIVE step (endpoint_id) AS (
        (SELECT endpoint_id FROM webhook_deliveries WHERE status = 'pending' ORDER BY endpoint_id LIMIT 1)
        UNION ALL
        SELECT (SELECT further.endpoint_id FROM webhook_deliveries further
                 WHERE further.status = 'pending' AND further.endpoint_id > step.endpoint_id
                 ORDER BY further.endpoint_id LIMIT 1)
          FROM step WHERE step.endpoint_id IS NOT NULL
    )
    SELECT id FROM (
        SELECT due.id, due.due_at,
               row_number() OVER (PARTITION BY e.account_id ORDER BY due.place, due.due_at) AS place
          FROM webhook_endpoints e CROSS JOIN LATERAL (
              SELECT d.id, d.due_at, row_number() OVER (ORDER BY d.due_at) AS place FROM webhook_deliveries d
               WHERE d.endpoint_id = e.id AND {_DUE} ORDER BY d.due_at LIMIT {ENDPOINT_IN_FLIGHT}) due
         WHERE {_CALLED} AND NOT EXISTS ({_SLOW}) AND e.id IN (SELECT endpoint_id FROM step)
    ) waiting WHERE place <= {ACCOUNT_IN_FLIGHT} ORDER BY place, due_at LIMIT {_AT_ONCE}
"""
_FAIRLY_OF_ACCOUNT = f"""
    SELECT due.id FROM webhook_endpoints e CROSS JOIN LATERAL (
        SELECT d.id, d.due_at, row_number() OVER (ORDER BY d.due_at) AS place FROM webhook_deliveries d
         WHERE d.endpoint_id = e.id AND {_DUE} ORDER BY d.due_at LIMIT {ENDPOINT_IN_FLIGHT}) due
     WHERE e.account_id = %(account)s AND {_CALLED} ORDER BY due.place, due.due_at LIMIT {ACCOUNT_IN_FLIGHT}
"""


# A call began so long before the end of its lease as a lease lasts.
_PLACE_IS_FREE = """
    (SELECT count(*) < %(of_account)s
            AND count(*) FILTER (WHERE c.leased_until < %(end_of_quick)s) < %(of_long)s
       FROM webhook_calls c WHERE c.account_id = e.account_id AND c.leased_until >= %(now)s)
"""
# The challenge that waits longest of each account; first those of accounts that asked for the fewest of late.
_CHALLENGES = f"""
    SELECT id FROM (
        SELECT DISTINCT ON (account_id) id, account_id, challenge_requested_at FROM webhook_endpoints
         WHERE {_UNCHALLENGED}
         ORDER BY account_id, challenge_requested_at) first
     ORDER BY (SELECT count(*) FROM webhook_challenges c
                WHERE c.account_id = first.account_id AND c.at > %(now)s::timestamptz - interval '1 hour'),
              challenge_requested_at
     LIMIT {CHALLENGES_IN_FLIGHT}
"""


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
        return woken + self._wake(self._database.fetch_all(_FAIRLY, {"now": self._clock.now()}))

    def wake_challenges(self) -> int:
        """Wakes workers for challenges that wait, as many as may be under way."""
        return self._wake(self._database.fetch_all(_CHALLENGES, {"now": self._clock.now()}), "webhook_id")

    def wake_slow(self) -> int:
        """Wakes workers for the slow accounts whose turn it is."""
        return self._wake(
            self._database.fetch_all(_SLOW_IN_TURN, {"now": self._clock.now(), "shared": SHARED_IN_FLIGHT})
        )

    def wake_account(self, account_id: UUID) -> int:
        """Wakes workers for what is due for one account, as many as may be at work for it."""
        return self._wake(
            self._database.fetch_all(_FAIRLY_OF_ACCOUNT, {"now": self._clock.now(), "account": account_id})
        )

    def wake_image(self, image_id: UUID) -> int:
        """Wakes a worker for each delivery of one image that is due now."""
        return self._wake(
            self._database.fetch_all(
                "SELECT d.id FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
                f" WHERE d.image_id = %(image)s AND {_CALLED} AND {_DUE} ORDER BY d.due_at LIMIT {_AT_ONCE}",
                {"now": self._clock.now(), "image": image_id},
            )
        )

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

    def _wake(self, rows: list[Row], what: str = "delivery_id") -> int:
        self._queue.send([{what: str(row["id"])} for row in rows])
        return len(rows)


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
            _lock_shared_places(connection)
            _lock_webhooks_beside(connection, webhook_id)
            webhook = connection.execute(
                "UPDATE webhook_endpoints e SET challenge_sent_at = %(now)s"
                " WHERE id = %(id)s AND enabled AND verified_at IS NULL AND challenge IS NOT NULL"
                f"  AND challenge_sent_at IS NULL AND {_PLACE_IS_FREE}"
                "   AND NOT EXISTS (SELECT FROM webhook_calls c WHERE c.account_id = e.account_id AND c.challenge"
                "                     AND c.leased_until >= %(now)s)"
                f"  AND {_CHALLENGE_CALLS} < %(in_all)s AND {_CHALLENGE_CALLS} + {_SLOW_CALLS} < %(shared)s"
                " RETURNING *",
                {
                    "now": now,
                    "id": webhook_id,
                    "of_account": ACCOUNT_IN_FLIGHT,
                    "of_long": LONG_IN_FLIGHT,
                    "end_of_quick": now + _LEASE - QUICK,
                    "in_all": CHALLENGES_IN_FLIGHT,
                    "shared": SHARED_IN_FLIGHT,
                },
            ).fetchone()
            if webhook is None:
                logger.info("nothing to challenge", endpoint_id=str(webhook_id))
                return
            call = _take_place(connection, webhook["account_id"], now, challenge=True)
        told = {"webhook_id": str(webhook_id), "challenge": webhook["challenge"]}
        answer = self._post(webhook, message_id(new_id()), webhook_body(WEBHOOK_VERIFICATION, now, told))
        error = _why_not_verified(answer, webhook["challenge"])
        ended = self._clock.now()
        with self._database.transaction() as connection:
            # Of this challenge alone: another URL may have been given meanwhile.
            connection.execute(
                "UPDATE webhook_endpoints SET verification_error = %s, verified_at = %s, updated_at = %s"
                " WHERE id = %s AND challenge = %s AND verified_at IS NULL",
                (error, ended if error is None else None, ended, webhook_id, webhook["challenge"]),
            )
            slow = _remember_how_quick(connection, call, answer, ended)
            _give_place_back(connection, call)
        count("WebhooksVerified" if error is None else "WebhooksNotVerified")
        logger.info("webhook challenged", endpoint_id=str(webhook_id), status=answer.status, error=error)
        self._wake_for_shared_places()
        if not slow:
            self._deliveries.wake_account(webhook["account_id"])

    # --- attempts --------------------------------------------------------------------------------

    def _lease(self, delivery_id: UUID) -> Row | None:
        now = self._clock.now()
        with self._database.transaction() as connection:
            of = connection.execute(
                f"SELECT d.id, d.endpoint_id, d.image_id, i.request_id, EXISTS ({_SLOW}) AS slow"
                "  FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
                "  LEFT JOIN image_uploads i ON i.image_id = d.image_id WHERE d.id = %(id)s",
                {"id": delivery_id, "now": now},
            ).fetchone()
            if of is not None:
                _found_by(of)
            slow = of is not None and of["slow"]
            if slow:
                _lock_shared_places(connection)
                of = connection.execute(_SLOW_IN_TURN, {"now": now, "shared": SHARED_IN_FLIGHT}).fetchone()
            if of is None:
                return None
            _lock_webhooks_beside(connection, of["endpoint_id"])
            leased = connection.execute(
                "UPDATE webhook_deliveries d SET attempts = d.attempts + 1, leased_until = %(until)s"
                "  FROM webhook_endpoints e, notifications n"
                " WHERE d.id = %(id)s AND e.id = d.endpoint_id AND n.id = d.notification_id"
                f"   AND {_CALLED} AND {_DUE}"
                "   AND (SELECT count(*) FROM webhook_deliveries b WHERE b.endpoint_id = e.id"
                "          AND b.leased_until >= %(now)s)"
                "       < CASE WHEN e.failing_since IS NULL THEN %(of_endpoint)s ELSE 1 END"
                f"  AND {_PLACE_IS_FREE}"
                " RETURNING d.id, d.attempts, d.image_id, d.endpoint_id, d.notification_id, e.url, e.secret,"
                "   (SELECT request_id FROM image_uploads u WHERE u.image_id = d.image_id) AS request_id,"
                "   e.previous_secret, e.previous_secret_until, e.account_id, n.type, n.data, n.created_at",
                {
                    "id": of["id"],
                    "now": now,
                    "until": now + _LEASE,
                    "of_endpoint": ENDPOINT_IN_FLIGHT,
                    "of_account": 1 if slow else ACCOUNT_IN_FLIGHT,
                    "of_long": LONG_IN_FLIGHT,
                    "end_of_quick": now + _LEASE - QUICK,
                },
            ).fetchone()
            if leased is None:
                return None
            leased["number"] = self._begin(connection, leased, now)
            leased["call"] = _take_place(connection, leased["account_id"], now, challenge=False)
            leased["slow"] = slow
            if slow:
                connection.execute(
                    "UPDATE webhook_slow_accounts SET called_at = %s WHERE account_id = %s", (now, leased["account_id"])
                )
            return leased

    def _begin(self, connection: Connection, leased: Row, now: datetime) -> int | None:
        """Writes the attempt down before it is made, and when the next would be due if it breaks off; its number."""
        connection.execute(
            "UPDATE webhook_attempts SET error = 'the attempt broke off'"
            " WHERE delivery_id = %s AND milliseconds IS NULL AND error IS NULL",
            (leased["id"],),
        )
        if leased["attempts"] > len(RETRY_SCHEDULE):
            return None
        if leased["attempts"] < len(RETRY_SCHEDULE):
            connection.execute(
                "UPDATE webhook_deliveries SET due_at = %s WHERE id = %s",
                (now + _wait_before(leased["attempts"] + 1, None), leased["id"]),
            )
        made = connection.execute(
            "INSERT INTO webhook_attempts (delivery_id, number, at)"
            " SELECT %(id)s, coalesce(max(number), 0) + 1, %(now)s FROM webhook_attempts WHERE delivery_id = %(id)s"
            " RETURNING number",
            {"id": leased["id"], "now": now},
        ).fetchone()
        assert made is not None
        return made["number"]

    def _record(self, leased: Row, answer: Answer) -> None:
        now = self._clock.now()
        wait: timedelta | None = None
        with self._database.transaction() as connection:
            # Webhooks before their deliveries, in the order in which a lease locks them.
            connection.execute(
                "SELECT id FROM webhook_endpoints WHERE id = %s FOR NO KEY UPDATE", (leased["endpoint_id"],)
            )
            connection.execute(
                "UPDATE webhook_attempts SET milliseconds = %s, status = %s, error = %s, response = %s"
                " WHERE delivery_id = %s AND number = %s",
                (answer.milliseconds, answer.status, answer.error, answer.response, leased["id"], leased["number"]),
            )
            if answer.delivered:
                self._end(connection, leased, "delivered", now)
            elif leased["attempts"] >= len(RETRY_SCHEDULE):
                self._end(connection, leased, "failed", now)
            else:
                wait = _wait_before(leased["attempts"] + 1, answer)
                connection.execute(
                    "UPDATE webhook_deliveries SET due_at = %s, leased_until = NULL"
                    " WHERE id = %s AND status = 'pending' AND attempts = %s",
                    (now + wait, leased["id"], leased["attempts"]),
                )
            if answer.delivered:
                connection.execute(
                    "UPDATE webhook_endpoints SET failing_since = NULL, unanswered = 0, rests_until = NULL"
                    " WHERE id = %s",
                    (leased["endpoint_id"],),
                )
            else:
                self._blame(connection, leased, answer, now)
            slow = _remember_how_quick(connection, leased["call"], answer, now)
            _give_place_back(connection, leased["call"])
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

    def _end(self, connection: Connection, leased: Row, status: str, now: datetime) -> None:
        connection.execute(
            "UPDATE webhook_deliveries SET status = %s, finished_at = %s, leased_until = NULL"
            " WHERE id = %s AND status = 'pending' AND attempts = %s",
            (status, now, leased["id"], leased["attempts"]),
        )

    def _blame(self, connection: Connection, leased: Row, answer: Answer, now: datetime) -> None:
        """Remembers since when nothing came through; lets a webhook that does not answer rest, the longer the oftener;
        disables one that is gone or has failed for days."""
        row = connection.execute(
            "UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, %(now)s),"
            "   unanswered = CASE WHEN %(answered)s THEN 0 ELSE unanswered + 1 END,"
            "   rests_until = CASE WHEN NOT %(answered)s THEN"
            "     %(now)s::timestamptz + least(%(shortest)s * power(2, least(unanswered, 20)), %(longest)s) END"
            " WHERE id = %(id)s AND enabled RETURNING failing_since",
            {
                "now": now,
                "answered": answer.status is not None,
                "shortest": _SHORTEST_REST,
                "longest": _LONGEST_REST,
                "id": leased["endpoint_id"],
            },
        ).fetchone()
        if row is None:
            return
        if answer.status == _GONE:
            self._disable(connection, leased, "it answered 410 Gone", now)
        elif now - row["failing_since"] >= DISABLED_AFTER:
            self._disable(connection, leased, f"every delivery failed for {DISABLED_AFTER.days} days", now)

    def _disable(self, connection: Connection, leased: Row, because: str, now: datetime) -> None:
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
        events.publish(
            connection,
            NotificationAdded(notification_id=made["id"], image_id=leased["image_id"]),
            request_id=leased["request_id"],
        )
        count("WebhooksDisabled")
        logger.warning("webhook disabled", endpoint_id=str(leased["endpoint_id"]), because=because)


def _found_by(delivery: Row) -> None:
    annotate(image_id=str(delivery["image_id"]), request_id=delivery["request_id"])


def _lock_webhooks_beside(connection: Connection, webhook_id: UUID) -> None:
    """All of the account's webhooks: side by side, two workers would both find a place that is free."""
    connection.execute(
        "SELECT id FROM webhook_endpoints WHERE account_id ="
        "  (SELECT o.account_id FROM webhook_endpoints o WHERE o.id = %s) ORDER BY id FOR NO KEY UPDATE",
        (webhook_id,),
    )


def _lock_shared_places(connection: Connection) -> None:
    """Before any webhook is locked: who has them goes on to those of whatever account has its turn."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('shared webhook places'))")


def _take_place(connection: Connection, account_id: UUID, now: datetime, *, challenge: bool) -> UUID:
    """A place of the account, until it is given back or whoever took it must have died."""
    call = new_id()
    connection.execute("DELETE FROM webhook_calls WHERE account_id = %s AND leased_until < %s", (account_id, now))
    connection.execute(
        "INSERT INTO webhook_calls (id, account_id, challenge, leased_until) VALUES (%s, %s, %s, %s)",
        (call, account_id, challenge, now + _LEASE),
    )
    return call


def _remember_how_quick(connection: Connection, call: UUID, answer: Answer, now: datetime) -> bool:
    """Whether the account of a call that ended is a slow one, if need be from now on."""
    if timedelta(milliseconds=answer.milliseconds) > QUICK:
        connection.execute(
            "INSERT INTO webhook_slow_accounts AS s (account_id, slow_until, called_at)"
            " SELECT account_id, %(until)s, %(now)s FROM webhook_calls WHERE id = %(call)s"
            " ON CONFLICT (account_id) DO UPDATE SET slow_until = excluded.slow_until",
            {"call": call, "now": now, "until": now + SLOW_FOR},
        )
    row = connection.execute(
        "SELECT FROM webhook_slow_accounts s JOIN webhook_calls c USING (account_id)"
        " WHERE c.id = %s AND s.slow_until > %s",
        (call, now),
    ).fetchone()
    return row is not None


def _give_place_back(connection: Connection, call: UUID) -> None:
    connection.execute("DELETE FROM webhook_calls WHERE id = %s", (call,))


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
