"""The rows of mails that were sent, by which their number is limited."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from imagemarket.identity.repository import MAILBOX
from imagemarket.platform.database import Connection, Database, allow_seconds

_TURN = 20
"""Seconds: longer than one mail takes by the time limits of the client that `NotificationsRoom` makes."""


def one_mail_at_a_time(connection: Connection, to: UUID | str) -> None:
    """Waits until no other worker sends a mail to the account or mailbox, and keeps others waiting until the
    transaction ends, so that the limits hold and none is sent twice. Not by a lock on the account's row, which a
    sign-in needs: the mail service may be slow.

    Raises `DependencyUnavailable` after `_TURN` has gone by, by way of the database's time limit.
    """
    allow_seconds(connection, _TURN)
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"mails to {to}",))


def add(connection: Connection, account_id: UUID, purpose: str, at: datetime) -> None:
    """Writes down a mail that was sent: `news`, `digest`, or the purpose of one that was asked for."""
    connection.execute("INSERT INTO mails_sent (user_id, purpose, at) VALUES (%s, %s, %s)", (account_id, purpose, at))


def sent_since(connection: Connection, account_id: UUID, purpose: str, since: datetime) -> list[datetime]:
    """When mails of a purpose were sent to an account."""
    rows = connection.execute(
        "SELECT at FROM mails_sent WHERE user_id = %s AND at > %s AND purpose = %s", (account_id, since, purpose)
    ).fetchall()
    return [row["at"] for row in rows]


def sent_to_unconfirmed(connection: Connection, mailbox: str, since: datetime) -> int:
    """How many mails were sent to all addresses of a mailbox that are not confirmed."""
    row = connection.execute(
        "SELECT count(*) AS sent FROM users u JOIN mails_sent s ON s.user_id = u.id"
        f" WHERE {MAILBOX} = %s AND u.email_confirmed_at IS NULL AND s.at > %s",
        (mailbox, since),
    ).fetchone()
    assert row is not None
    return row["sent"]


def address_for_digest(connection: Connection, account_id: UUID, *, last_before: datetime) -> str | None:
    """The confirmed address of an account that was sent no digest since; otherwise None."""
    row = connection.execute(
        "SELECT u.email FROM users u WHERE u.id = %s AND u.email_confirmed_at IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM mails_sent WHERE user_id = u.id AND purpose = 'digest' AND at > %s)",
        (account_id, last_before),
    ).fetchone()
    return None if row is None else row["email"]


def due_a_digest(
    database: Database, *, since: datetime, until: datetime, last_before: datetime, limit: int
) -> list[UUID]:
    """Accounts with news of a span of time that were not mailed to their confirmed address, and no digest of late."""
    rows = database.fetch_all(
        "SELECT DISTINCT n.account_id FROM notifications n JOIN users u ON u.id = n.account_id"
        " WHERE n.mailed_at IS NULL AND n.told_at IS NOT NULL"
        "   AND n.type IN ('image.rejected', 'image.processing_failed', 'image.taken_down', 'webhook.disabled')"
        "   AND n.created_at BETWEEN %(oldest)s AND %(gathered)s AND u.email_confirmed_at IS NOT NULL"
        "   AND NOT EXISTS (SELECT 1 FROM mails_sent m WHERE m.user_id = u.id AND m.purpose = 'digest'"
        "                      AND m.at > %(last)s)"
        " LIMIT %(limit)s",
        {"oldest": since, "gathered": until, "last": last_before, "limit": limit},
    )
    return [row["account_id"] for row in rows]
