"""The rows of accounts' webhooks, and of the challenges that were asked for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from imagemarket.notifications.models import WebhookChange, WebhookRequest
from imagemarket.platform.database import Connection, Database, Row

_COLUMNS = (
    "id, url, event_types, description, enabled, disabled_because, failing_since, created_at, verification_error,"
    " CASE WHEN NOT enabled THEN 'disabled' WHEN verified_at IS NULL THEN 'pending' ELSE 'active' END AS state"
)


def lock_account(connection: Connection, account_id: UUID) -> None:
    """One account's requests side by side take turns, so that its limits hold."""
    connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (account_id,))


def number(connection: Connection, account_id: UUID) -> int:
    """How many webhooks an account has."""
    row = connection.execute(
        "SELECT count(*) AS number FROM webhook_endpoints WHERE account_id = %s", (account_id,)
    ).fetchone()
    assert row is not None
    return row["number"]


def add(connection: Connection, account_id: UUID, webhook_id: UUID, request: WebhookRequest, secret: str) -> None:
    """Writes a webhook that is not verified."""
    connection.execute(
        "INSERT INTO webhook_endpoints (id, account_id, url, description, event_types, secret)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (webhook_id, account_id, request.url, request.description, request.event_types, secret),
    )


def all_of(database: Database, account_id: UUID) -> list[Row]:
    """An account's webhooks as it sees them, the oldest first."""
    return database.fetch_all(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE account_id = %s ORDER BY id", (account_id,)
    )


def own(database: Database, account_id: UUID, webhook_id: UUID) -> Row | None:
    """One of them."""
    return database.fetch_one(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = %s AND account_id = %s", (webhook_id, account_id)
    )


def lock_own(connection: Connection, account_id: UUID, webhook_id: UUID) -> Row | None:
    """The URL of one of them, whether it is enabled and since when verified, and its challenge; locked."""
    return connection.execute(
        "SELECT url, enabled, verified_at, challenge, challenge_requested_at FROM webhook_endpoints"
        " WHERE id = %s AND account_id = %s FOR NO KEY UPDATE",
        (webhook_id, account_id),
    ).fetchone()


def replace(connection: Connection, webhook_id: UUID, change: WebhookChange, *, verified_at: datetime | None) -> None:
    """Replaces all that can be changed; enabling forgets old failures."""
    connection.execute(
        "UPDATE webhook_endpoints SET url = %(url)s, description = %(description)s,"
        " event_types = %(event_types)s, enabled = %(enabled)s, disabled_because = NULL,"
        " failing_since = CASE WHEN enabled THEN failing_since END, rests_until = NULL, unanswered = 0,"
        " verified_at = %(verified)s, updated_at = now()"
        " WHERE id = %(id)s",
        {**change.model_dump(), "verified": verified_at, "id": webhook_id},
    )


def delete(connection: Connection, account_id: UUID, webhook_id: UUID) -> bool:
    """Deletes one of an account's webhooks with its log; False where there is none."""
    return (
        connection.execute(
            "DELETE FROM webhook_endpoints WHERE id = %s AND account_id = %s", (webhook_id, account_id)
        ).rowcount
        == 1
    )


def rotate_secret(
    connection: Connection, account_id: UUID, webhook_id: UUID, secret: str, *, previous_until: datetime
) -> bool:
    """Gives one of an account's webhooks another secret beside the last one; False where there is none."""
    return (
        connection.execute(
            "UPDATE webhook_endpoints SET previous_secret = secret, previous_secret_until = %s, secret = %s,"
            " updated_at = now() WHERE id = %s AND account_id = %s",
            (previous_until, secret, webhook_id, account_id),
        ).rowcount
        == 1
    )


def challenges_since(connection: Connection, account_id: UUID, since: datetime) -> tuple[int, datetime | None]:
    """How many challenges an account asked for, and when the first of them."""
    row = connection.execute(
        "SELECT count(*) AS number, min(at) AS first FROM webhook_challenges WHERE account_id = %s AND at > %s",
        (account_id, since),
    ).fetchone()
    assert row is not None
    return row["number"], row["first"]


def request_challenge(
    connection: Connection, account_id: UUID, webhook_id: UUID, challenge: str, now: datetime
) -> None:
    """The webhook is not verified until it tells this challenge, which is to be sent."""
    connection.execute("INSERT INTO webhook_challenges (account_id, at) VALUES (%s, %s)", (account_id, now))
    connection.execute(
        "UPDATE webhook_endpoints SET verified_at = NULL, challenge = %s, challenge_requested_at = %s,"
        " challenge_sent_at = NULL, verification_error = NULL WHERE id = %s",
        (challenge, now, webhook_id),
    )


def forget_challenge(connection: Connection, webhook_id: UUID) -> None:
    """No challenge speaks for the webhook any more."""
    connection.execute(
        "UPDATE webhook_endpoints SET challenge = NULL, challenge_requested_at = NULL WHERE id = %s", (webhook_id,)
    )


def answer_challenge(
    connection: Connection, webhook_id: UUID, challenge: str, *, error: str | None, at: datetime
) -> None:
    """What came of a challenge, unless another one was asked for since: verified, or why not."""
    connection.execute(
        "UPDATE webhook_endpoints SET verification_error = %s, verified_at = %s, updated_at = %s"
        " WHERE id = %s AND challenge = %s AND verified_at IS NULL",
        (error, at if error is None else None, at, webhook_id, challenge),
    )


def lock(connection: Connection, webhook_id: UUID) -> None:
    """Who changes a webhook's deliveries locks it first, in the order in which a lease locks them."""
    connection.execute("SELECT 1 FROM webhook_endpoints WHERE id = %s FOR NO KEY UPDATE", (webhook_id,))


def lock_beside(connection: Connection, webhook_id: UUID) -> None:
    """All of the account's webhooks: side by side, two workers would both find a place that is free."""
    connection.execute(
        "SELECT id FROM webhook_endpoints WHERE account_id ="
        "  (SELECT o.account_id FROM webhook_endpoints o WHERE o.id = %s) ORDER BY id FOR NO KEY UPDATE",
        (webhook_id,),
    )


def mark_delivering(connection: Connection, webhook_id: UUID) -> None:
    """Something came through: its failures are over."""
    connection.execute(
        "UPDATE webhook_endpoints SET failing_since = NULL, unanswered = 0, rests_until = NULL WHERE id = %s",
        (webhook_id,),
    )


def mark_failing(
    connection: Connection, webhook_id: UUID, now: datetime, *, answered: bool, rests: tuple[timedelta, timedelta]
) -> datetime | None:
    """Since when nothing came through to an enabled webhook, now included; None for one that is disabled. One that did
    not answer rests, the longer the oftener: `rests` are the shortest and the longest time."""
    shortest, longest = rests
    row = connection.execute(
        "UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, %(now)s),"
        "   unanswered = CASE WHEN %(answered)s THEN 0 ELSE unanswered + 1 END,"
        "   rests_until = CASE WHEN NOT %(answered)s THEN"
        "     %(now)s::timestamptz + least(%(shortest)s * power(2, least(unanswered, 20)), %(longest)s) END"
        " WHERE id = %(id)s AND enabled RETURNING failing_since",
        {"now": now, "answered": answered, "shortest": shortest, "longest": longest, "id": webhook_id},
    ).fetchone()
    return None if row is None else row["failing_since"]


def disable(connection: Connection, webhook_id: UUID, because: str, now: datetime) -> None:
    """It is not called any more."""
    connection.execute(
        "UPDATE webhook_endpoints SET enabled = false, disabled_because = %s, updated_at = %s WHERE id = %s",
        (because, now, webhook_id),
    )
