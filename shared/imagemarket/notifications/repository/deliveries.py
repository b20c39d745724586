"""The rows of webhook deliveries, of the attempts at them, and of the calls that are under way."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from imagemarket.notifications.models import (
    ACCOUNT_IN_FLIGHT,
    CHALLENGES_IN_FLIGHT,
    ENDPOINT_IN_FLIGHT,
    LONG_IN_FLIGHT,
    MAX_CALL,
    QUICK,
    SHARED_IN_FLIGHT,
    SLOW_FOR,
)
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.ids import new_id

if TYPE_CHECKING:
    from imagemarket.notifications.sender import Answer

_AT_ONCE = 500
_LOGGED_ATTEMPTS = 20

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


# --- what is due ---------------------------------------------------------------------------------


def due(database: Database, now: datetime) -> list[UUID]:
    """Deliveries that are due, a few of each account that is not slow."""
    return _ids(database.fetch_all(_FAIRLY, {"now": now}))


def due_of_account(database: Database, account_id: UUID, now: datetime) -> list[UUID]:
    """Deliveries of one account that are due, as many as may be under way for it."""
    return _ids(database.fetch_all(_FAIRLY_OF_ACCOUNT, {"now": now, "account": account_id}))


def due_of_image(database: Database, image_id: UUID, now: datetime) -> list[UUID]:
    """Deliveries of one image that are due."""
    return _ids(
        database.fetch_all(
            "SELECT d.id FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
            f" WHERE d.image_id = %(image)s AND {_CALLED} AND {_DUE} ORDER BY d.due_at LIMIT {_AT_ONCE}",
            {"now": now, "image": image_id},
        )
    )


def due_of_slow_accounts(database: Database, now: datetime) -> list[UUID]:
    """Deliveries of the slow accounts whose turn it is."""
    return _ids(database.fetch_all(_SLOW_IN_TURN, {"now": now, "shared": SHARED_IN_FLIGHT}))


def due_challenges(database: Database, now: datetime) -> list[UUID]:
    """Webhooks whose challenge waits, as many as may be under way."""
    return _ids(database.fetch_all(_CHALLENGES, {"now": now}))


def _ids(rows: list[Row]) -> list[UUID]:
    return [row["id"] for row in rows]


# --- leases --------------------------------------------------------------------------------------


def find(connection: Connection, delivery_id: UUID, now: datetime) -> Row | None:
    """The webhook and image of a delivery, the request that the image began with, and whether its account is slow."""
    return connection.execute(
        f"SELECT d.id, d.endpoint_id, d.image_id, i.request_id, EXISTS ({_SLOW}) AS slow"
        "  FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
        "  LEFT JOIN image_uploads i ON i.image_id = d.image_id WHERE d.id = %(id)s",
        {"id": delivery_id, "now": now},
    ).fetchone()


def next_of_slow_accounts(connection: Connection, now: datetime) -> Row | None:
    """The delivery, with its webhook, of the slow account whose turn it is."""
    return connection.execute(_SLOW_IN_TURN, {"now": now, "shared": SHARED_IN_FLIGHT}).fetchone()


def lock_shared_places(connection: Connection) -> None:
    """Before any webhook is locked: who has them goes on to those of whatever account has its turn."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('shared webhook places'))")


def lease(connection: Connection, delivery_id: UUID, now: datetime, *, slow: bool) -> Row | None:
    """Leases a delivery with its webhook and notification, one attempt more; None where it is not due, or enough is
    under way for its webhook or its account, a `slow` one."""
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
            "id": delivery_id,
            "now": now,
            "until": now + MAX_CALL,
            "of_endpoint": ENDPOINT_IN_FLIGHT,
            "of_account": 1 if slow else ACCOUNT_IN_FLIGHT,
            "of_long": LONG_IN_FLIGHT,
            "end_of_quick": now + MAX_CALL - QUICK,
        },
    ).fetchone()
    if leased is not None and slow:
        connection.execute(
            "UPDATE webhook_slow_accounts SET called_at = %s WHERE account_id = %s", (now, leased["account_id"])
        )
    return leased


def lease_challenge(connection: Connection, webhook_id: UUID, now: datetime) -> Row | None:
    """The webhook whose challenge is to be sent, once; None where none waits, or enough is under way."""
    return connection.execute(
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
            "end_of_quick": now + MAX_CALL - QUICK,
            "in_all": CHALLENGES_IN_FLIGHT,
            "shared": SHARED_IN_FLIGHT,
        },
    ).fetchone()


def take_place(connection: Connection, account_id: UUID, now: datetime, *, challenge: bool) -> UUID:
    """A place of the account, until it is given back or whoever took it must have died."""
    call = new_id()
    connection.execute("DELETE FROM webhook_calls WHERE account_id = %s AND leased_until < %s", (account_id, now))
    connection.execute(
        "INSERT INTO webhook_calls (id, account_id, challenge, leased_until) VALUES (%s, %s, %s, %s)",
        (call, account_id, challenge, now + MAX_CALL),
    )
    return call


def give_place_back(connection: Connection, call: UUID, *, slow: bool, now: datetime) -> bool:
    """Ends a call, a `slow` one where its receiver kept it waiting; whether its account is a slow one from now on."""
    if slow:
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
    connection.execute("DELETE FROM webhook_calls WHERE id = %s", (call,))
    return row is not None


# --- deliveries and attempts ---------------------------------------------------------------------


def add_for(connection: Connection, notification: Row) -> None:
    """Makes a delivery for each active webhook that wants news of an image."""
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, notification_id, image_id)"
        " SELECT id, %(id)s, %(image_id)s FROM webhook_endpoints"
        "  WHERE account_id = %(account_id)s AND enabled AND verified_at IS NOT NULL AND %(image_id)s::uuid IS NOT NULL"
        "    AND (event_types = '{}' OR %(type)s = ANY(event_types))"
        " ON CONFLICT (endpoint_id, notification_id) DO NOTHING",
        notification,
    )


def mark_broken_off(connection: Connection, delivery_id: UUID) -> None:
    """The attempt that nothing was recorded of broke off."""
    connection.execute(
        "UPDATE webhook_attempts SET error = 'the attempt broke off'"
        " WHERE delivery_id = %s AND milliseconds IS NULL AND error IS NULL",
        (delivery_id,),
    )


def add_attempt(connection: Connection, delivery_id: UUID, now: datetime) -> int:
    """Writes an attempt down before it is made; its number."""
    made = connection.execute(
        "INSERT INTO webhook_attempts (delivery_id, number, at)"
        " SELECT %(id)s, coalesce(max(number), 0) + 1, %(now)s FROM webhook_attempts WHERE delivery_id = %(id)s"
        " RETURNING number",
        {"id": delivery_id, "now": now},
    ).fetchone()
    assert made is not None
    return made["number"]


def write_answer(connection: Connection, delivery_id: UUID, number: int | None, answer: Answer) -> None:
    """What came of an attempt."""
    connection.execute(
        "UPDATE webhook_attempts SET milliseconds = %s, status = %s, error = %s, response = %s"
        " WHERE delivery_id = %s AND number = %s",
        (answer.milliseconds, answer.status, answer.error, answer.response, delivery_id, number),
    )


def set_due(connection: Connection, delivery_id: UUID, at: datetime) -> None:
    """When the next attempt is due, if this one breaks off."""
    connection.execute("UPDATE webhook_deliveries SET due_at = %s WHERE id = %s", (at, delivery_id))


def give_back(connection: Connection, leased: Row, due_at: datetime) -> None:
    """Ends a lease; another attempt is due then."""
    connection.execute(
        "UPDATE webhook_deliveries SET due_at = %s, leased_until = NULL"
        " WHERE id = %s AND status = 'pending' AND attempts = %s",
        (due_at, leased["id"], leased["attempts"]),
    )


def end(connection: Connection, leased: Row, status: str, now: datetime) -> None:
    """Ends a lease and its delivery: `delivered` or `failed`."""
    connection.execute(
        "UPDATE webhook_deliveries SET status = %s, finished_at = %s, leased_until = NULL"
        " WHERE id = %s AND status = 'pending' AND attempts = %s",
        (status, now, leased["id"], leased["attempts"]),
    )


def cancel_pending(connection: Connection, webhook_id: UUID, now: datetime) -> None:
    """Nothing more is delivered to a webhook."""
    connection.execute(
        "UPDATE webhook_deliveries SET status = 'cancelled', finished_at = %s, leased_until = NULL"
        " WHERE endpoint_id = %s AND status = 'pending'",
        (now, webhook_id),
    )


# --- the log, and sending again by hand ----------------------------------------------------------


def page(database: Database, webhook_id: UUID, *, cursor: UUID | None, limit: int) -> list[Row]:
    """A webhook's deliveries with their last attempts, newest first, from behind the one that `cursor` names."""
    return database.fetch_all(
        "SELECT d.id, d.notification_id, n.type, d.image_id, d.status, d.attempts, d.created_at,"
        "  CASE WHEN d.status = 'pending' THEN d.due_at END AS next_attempt_at,"
        "  (SELECT json_agg(a ORDER BY a.number DESC) FROM"
        "     (SELECT number, at, milliseconds, status, error, response FROM webhook_attempts"
        f"       WHERE delivery_id = d.id ORDER BY number DESC LIMIT {_LOGGED_ATTEMPTS}) a) AS log"
        " FROM webhook_deliveries d JOIN notifications n ON n.id = d.notification_id"
        " WHERE d.endpoint_id = %(webhook)s AND (%(cursor)s::uuid IS NULL OR d.seq <"
        "   (SELECT seq FROM webhook_deliveries WHERE id = %(cursor)s AND endpoint_id = %(webhook)s))"
        " ORDER BY d.seq DESC LIMIT %(limit)s",
        {"webhook": webhook_id, "cursor": cursor, "limit": limit},
    )


def of_webhook(connection: Connection, webhook_id: UUID, delivery_id: UUID) -> Row | None:
    """When a webhook's delivery was last sent again by hand: `redelivered_at`."""
    return connection.execute(
        "SELECT redelivered_at FROM webhook_deliveries WHERE id = %s AND endpoint_id = %s", (delivery_id, webhook_id)
    ).fetchone()


def redelivered_since(connection: Connection, webhook_id: UUID, since: datetime) -> tuple[int, datetime | None]:
    """How many of a webhook's deliveries were sent again by hand, and when the first of them."""
    row = connection.execute(
        "SELECT count(*) AS number, min(redelivered_at) AS first FROM webhook_deliveries"
        " WHERE endpoint_id = %s AND redelivered_at > %s",
        (webhook_id, since),
    ).fetchone()
    assert row is not None
    return row["number"], row["first"]


def redeliver(connection: Connection, delivery_id: UUID, now: datetime) -> None:
    """Makes a delivery due at once; one that has ended, from the beginning of the schedule."""
    connection.execute(
        "UPDATE webhook_deliveries SET redelivered = redelivered OR status <> 'pending',"
        " attempts = CASE WHEN status = 'pending' THEN attempts ELSE 0 END, status = 'pending',"
        " due_at = %s, finished_at = NULL, redelivered_at = %s WHERE id = %s",
        (now, now, delivery_id),
    )
