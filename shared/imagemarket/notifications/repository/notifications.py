"""The rows of notifications: an account's inbox, and which of them were passed on."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.notifications.models import MAILED_TYPES
from imagemarket.platform.database import Connection, Database, Row


def add(connection: Connection, account_id: UUID, kind: str, data: dict[str, Any]) -> UUID:
    """Writes a notification that is about no image; its id."""
    from psycopg.types.json import Jsonb

    made = connection.execute(
        "INSERT INTO notifications (account_id, type, data) VALUES (%s, %s, %s) RETURNING id",
        (account_id, kind, Jsonb(data)),
    ).fetchone()
    assert made is not None
    return made["id"]


def add_of_event(
    connection: Connection,
    event_id: UUID,
    event: ImageStatusChanged,
    kind: str,
    data: dict[str, Any],
    *,
    unless_known: bool,
) -> None:
    """Writes what a change of an image's status tells, once for each event; with `unless_known` nothing where the
    last that was told of the versions before was the same."""
    from psycopg.types.json import Jsonb

    connection.execute(
        """
        INSERT INTO notifications (event_id, account_id, type, image_id, data, created_at)
        SELECT %(event)s, %(account)s, %(type)s::varchar, %(image)s::uuid, %(data)s, %(at)s
         WHERE NOT (%(unless_known)s AND coalesce(%(type)s::varchar = (
                   SELECT type FROM notifications
                    WHERE image_id = %(image)s AND (data ->> 'version')::bigint < %(version)s
                    ORDER BY seq DESC LIMIT 1), false))
        ON CONFLICT (event_id) DO NOTHING
        """,
        {
            "event": event_id,
            "account": event.contributor_id,
            "type": kind,
            "image": event.image_id,
            "data": Jsonb(data),
            "at": event.at,
            "version": event.version,
            "unless_known": unless_known,
        },
    )


def page(database: Database, account_id: UUID, *, cursor: UUID | None, limit: int, unread_only: bool) -> list[Row]:
    """An account's notifications, newest first, from behind the one that `cursor` names."""
    return database.fetch_all(
        "SELECT id, type, image_id, data, created_at, read_at IS NOT NULL AS read FROM notifications n"
        " WHERE account_id = %(account)s AND (NOT %(unread)s OR read_at IS NULL)"
        "   AND (%(cursor)s::uuid IS NULL OR seq <"
        "        (SELECT seq FROM notifications WHERE id = %(cursor)s AND account_id = %(account)s))"
        " ORDER BY seq DESC LIMIT %(limit)s",
        {"account": account_id, "unread": unread_only, "cursor": cursor, "limit": limit},
    )


def unread(database: Database, account_id: UUID) -> int:
    """How many of an account's notifications are unread."""
    row = database.fetch_one(
        "SELECT count(*) AS number FROM notifications WHERE account_id = %s AND read_at IS NULL", (account_id,)
    )
    assert row is not None
    return row["number"]


def mark_read(connection: Connection, account_id: UUID, ids: list[UUID] | None, *, up_to: UUID | None) -> None:
    """Marks as read those of the account's notifications that have one of the ids or are as old as `up_to` or older."""
    connection.execute(
        "UPDATE notifications SET read_at = now() WHERE account_id = %(account)s AND read_at IS NULL"
        " AND (id = ANY(%(ids)s) OR seq <="
        "      (SELECT seq FROM notifications WHERE id = %(up_to)s AND account_id = %(account)s))",
        {"account": account_id, "ids": ids, "up_to": up_to},
    )


def lock_untold(connection: Connection, image_id: UUID, notification_id: UUID | None) -> list[Row]:
    """What was not passed on yet of an image, and one notification beside, locked; the oldest first."""
    return connection.execute(
        "SELECT id, seq, type, account_id, image_id, data FROM notifications"
        " WHERE (image_id = %s OR id = %s) AND told_at IS NULL ORDER BY seq FOR UPDATE",
        (image_id, notification_id),
    ).fetchall()


def mark_told(connection: Connection, notification_id: UUID) -> None:
    """The notification was passed on."""
    connection.execute("UPDATE notifications SET told_at = now() WHERE id = %s", (notification_id,))


def to_mail(database: Database, image_id: UUID, notification_id: UUID | None, *, since: datetime) -> list[Row]:
    """What was passed on and not mailed of an image, and one notification beside, with the confirmed addresses of
    their accounts; the oldest first."""
    return database.fetch_all(
        "SELECT n.id, n.type, n.data, n.account_id, u.email"
        "  FROM notifications n JOIN users u ON u.id = n.account_id"
        " WHERE (n.image_id = %(image)s OR n.id = %(notification)s) AND n.told_at IS NOT NULL"
        "   AND n.mailed_at IS NULL AND n.type = ANY(%(types)s) AND u.email_confirmed_at IS NOT NULL"
        "   AND n.created_at > %(since)s ORDER BY n.seq",
        {"image": image_id, "notification": notification_id, "types": list(MAILED_TYPES), "since": since},
    )


def is_to_be_mailed(connection: Connection, notification_id: UUID) -> bool:
    """Whether it is still to be mailed."""
    row = connection.execute(
        "SELECT mailed_at IS NULL AS waits FROM notifications WHERE id = %s", (notification_id,)
    ).fetchone()
    return row is not None and row["waits"]


def mark_mailed(connection: Connection, notification_id: UUID, at: datetime) -> None:
    """The notification was mailed, or never will be."""
    connection.execute("UPDATE notifications SET mailed_at = %s WHERE id = %s", (at, notification_id))


def mark_all_mailed(connection: Connection, account_id: UUID, at: datetime, *, since: datetime) -> list[str]:
    """Marks all that an account was told and not mailed as mailed; the types of these."""
    rows = connection.execute(
        "UPDATE notifications SET mailed_at = %s WHERE account_id = %s AND told_at IS NOT NULL"
        " AND mailed_at IS NULL AND type = ANY(%s) AND created_at > %s RETURNING type",
        (at, account_id, list(MAILED_TYPES), since),
    ).fetchall()
    return [row["type"] for row in rows]
