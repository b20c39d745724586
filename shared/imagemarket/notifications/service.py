"""Notifications: read in the app, and fanned out to e-mail and webhooks in the order in which things happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.notifications.delivery import Deliveries
from imagemarket.notifications.listener import note
from imagemarket.notifications.mailing import one_mail_at_a_time, sent_or_written_off
from imagemarket.notifications.messages import digest_of, mail_of
from imagemarket.notifications.models import (
    DIGEST_AFTER,
    DIGEST_EVERY,
    MAILED_TYPES,
    NEWS_MAILED_FOR,
    NEWS_MAILS_PER_DAY,
    MarkRead,
    NotificationPage,
    NotificationView,
    ReadReceipt,
)
from imagemarket.notifications.ports import Mailer
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.queue import Queue
from imagemarket.platform.telemetry import count, logger

_AT_ONCE = 500


class Inbox:
    """An account's own notifications."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, account_id: UUID, *, cursor: UUID | None, limit: int, unread_only: bool) -> NotificationPage:
        """Newest first, from behind the notification that `cursor` names."""
        rows = self._database.fetch_all(
            "SELECT id, type, image_id, data, created_at, read_at IS NOT NULL AS read FROM notifications n"
            " WHERE account_id = %(account)s AND (NOT %(unread)s OR read_at IS NULL)"
            "   AND (%(cursor)s::uuid IS NULL OR seq <"
            "        (SELECT seq FROM notifications WHERE id = %(cursor)s AND account_id = %(account)s))"
            " ORDER BY seq DESC LIMIT %(limit)s",
            {"account": account_id, "unread": unread_only, "cursor": cursor, "limit": limit + 1},
        )
        page = rows[:limit]
        return NotificationPage(
            items=[NotificationView.model_validate(row) for row in page],
            unread_count=self._unread(account_id),
            next_cursor=str(page[-1]["id"]) if len(rows) > limit else None,
        )

    def mark_read(self, account_id: UUID, which: MarkRead) -> ReadReceipt:
        """Marks some of the account's notifications as read; others' ids change nothing."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE notifications SET read_at = now() WHERE account_id = %(account)s AND read_at IS NULL"
                " AND (id = ANY(%(ids)s) OR seq <="
                "      (SELECT seq FROM notifications WHERE id = %(up_to)s AND account_id = %(account)s))",
                {"account": account_id, "ids": which.ids, "up_to": which.up_to},
            )
        return ReadReceipt(unread_count=self._unread(account_id))

    def _unread(self, account_id: UUID) -> int:
        row = self._database.fetch_one(
            "SELECT count(*) AS number FROM notifications WHERE account_id = %s AND read_at IS NULL", (account_id,)
        )
        assert row is not None
        return row["number"]


class Teller:
    """Takes the outbox's messages and passes each notification on, once and in order per image."""

    def __init__(
        self, *, database: Database, deliveries: Deliveries, mailer: Mailer, clock: Clock, public_base_url: str
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._mailer = mailer
        self._clock = clock
        self._base_url = public_base_url

    def tell(self, message: dict[str, Any]) -> None:
        """Handles one message of `ImageStatusChanged` or `NotificationAdded`; safe to repeat, in any order.

        A message is only the occasion: everything of its image that was not passed on yet is, oldest first, so
        that a message which overtakes an earlier one takes its notification along. Raises
        `DependencyUnavailable`.
        """
        image_id, notification_id = UUID(message["image_id"]), message.get("notification_id")
        which = {"image": image_id, "notification": UUID(notification_id) if notification_id else None}
        with self._database.transaction() as connection:
            if notification_id is None:
                note(connection, UUID(message["event_id"]), ImageStatusChanged.model_validate(message))
            rows = connection.execute(
                "SELECT id, seq, type, account_id, image_id, data FROM notifications"
                " WHERE (image_id = %(image)s OR id = %(notification)s) AND told_at IS NULL ORDER BY seq FOR UPDATE",
                which,
            ).fetchall()
            for row in rows:
                fan_out(connection, row)
        self._deliveries.wake_image(image_id)
        self._mail(which)
        if rows:
            count("NotificationsTold", len(rows))
            logger.info("contributor told", image_id=str(image_id), types=[row["type"] for row in rows])

    def _mail(self, which: Mapping[str, UUID | None]) -> None:
        """Mails what was told and not mailed, to confirmed addresses and up to `NEWS_MAILS_PER_DAY`; the rest waits for
        a digest. A crash between sending and writing it down sends the same mail, with the same Message-ID, again."""
        now = self._clock.now()
        waiting = self._database.fetch_all(
            "SELECT n.id, n.type, n.data, n.account_id, u.email"
            "  FROM notifications n JOIN users u ON u.id = n.account_id"
            " WHERE (n.image_id = %(image)s OR n.id = %(notification)s) AND n.told_at IS NOT NULL"
            "   AND n.mailed_at IS NULL AND n.type = ANY(%(types)s) AND u.email_confirmed_at IS NOT NULL"
            "   AND n.created_at > %(since)s ORDER BY n.seq",
            {**which, "types": list(MAILED_TYPES), "since": now - NEWS_MAILED_FOR},
        )
        for row in waiting:
            mail = mail_of(row["id"], row["type"], row["data"], to=row["email"], base_url=self._base_url)
            with self._database.transaction() as connection:
                one_mail_at_a_time(connection, row["account_id"])
                found = connection.execute(
                    "SELECT mailed_at IS NULL AS waits, (SELECT count(*) FROM mails_sent"
                    "  WHERE user_id = %s AND purpose = 'news' AND at > %s) AS sent FROM notifications WHERE id = %s",
                    (row["account_id"], now - timedelta(days=1), row["id"]),
                ).fetchone()
                if found is None or not found["waits"]:
                    continue
                if found["sent"] >= NEWS_MAILS_PER_DAY:
                    return
                connection.execute("UPDATE notifications SET mailed_at = %s WHERE id = %s", (now, row["id"]))
                if sent_or_written_off(self._mailer, mail, row["account_id"]):
                    connection.execute(
                        "INSERT INTO mails_sent (user_id, purpose, at) VALUES (%s, 'news', %s)",
                        (row["account_id"], now),
                    )

    def digest(self, account_id: UUID) -> None:
        """Mails one account how much it has not been mailed of, where a digest is due (see `Digests`); safe to repeat.

        Raises `DependencyUnavailable`.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            one_mail_at_a_time(connection, account_id)
            account = connection.execute(
                "SELECT u.email FROM users u WHERE u.id = %s AND u.email_confirmed_at IS NOT NULL AND NOT EXISTS"
                " (SELECT 1 FROM mails_sent WHERE user_id = u.id AND purpose = 'digest' AND at > %s)",
                (account_id, now - DIGEST_EVERY),
            ).fetchone()
            if account is None:
                return
            mailed = connection.execute(
                "UPDATE notifications SET mailed_at = %s WHERE account_id = %s AND told_at IS NOT NULL"
                " AND mailed_at IS NULL AND type = ANY(%s) AND created_at > %s RETURNING type",
                (now, account_id, list(MAILED_TYPES), now - NEWS_MAILED_FOR),
            ).fetchall()
            if not mailed:
                return
            numbers = Counter(row["type"] for row in mailed)
            mail = digest_of(numbers, to=account["email"], at=now, account_id=account_id, base_url=self._base_url)
            if not sent_or_written_off(self._mailer, mail, account_id):
                return
            connection.execute(
                "INSERT INTO mails_sent (user_id, purpose, at) VALUES (%s, 'digest', %s)", (account_id, now)
            )
        count("DigestsSent")


class Digests:
    """Which accounts are due a digest."""

    def __init__(self, *, database: Database, queue: Queue, clock: Clock) -> None:
        """`queue` is the one that `Teller` hears from."""
        self._database = database
        self._queue = queue
        self._clock = clock

    def wake(self) -> int:
        """Asks for a digest for each account with news that gathered for `DIGEST_AFTER` and were not mailed, a day
        after its last one; how many that was."""
        now = self._clock.now()
        rows = self._database.fetch_all(
            "SELECT DISTINCT n.account_id FROM notifications n JOIN users u ON u.id = n.account_id"
            " WHERE n.mailed_at IS NULL AND n.told_at IS NOT NULL"
            "   AND n.type IN ('image.rejected', 'image.processing_failed', 'image.taken_down', 'webhook.disabled')"
            "   AND n.created_at BETWEEN %(oldest)s AND %(gathered)s AND u.email_confirmed_at IS NOT NULL"
            "   AND NOT EXISTS (SELECT 1 FROM mails_sent m WHERE m.user_id = u.id AND m.purpose = 'digest'"
            "                      AND m.at > %(last)s)"
            f" LIMIT {_AT_ONCE}",
            {"oldest": now - NEWS_MAILED_FOR, "gathered": now - DIGEST_AFTER, "last": now - DIGEST_EVERY},
        )
        self._queue.send([{"digest_of": str(row["account_id"])} for row in rows])
        return len(rows)


def fan_out(connection: Connection, notification: Row) -> None:
    """Makes a delivery for each active webhook that wants news of an image, within the caller's transaction."""
    connection.execute(
        "INSERT INTO webhook_deliveries (endpoint_id, notification_id, image_id)"
        " SELECT id, %(id)s, %(image_id)s FROM webhook_endpoints"
        "  WHERE account_id = %(account_id)s AND enabled AND verified_at IS NOT NULL AND %(image_id)s::uuid IS NOT NULL"
        "    AND (event_types = '{}' OR %(type)s = ANY(event_types))"
        " ON CONFLICT (endpoint_id, notification_id) DO NOTHING",
        notification,
    )
    connection.execute("UPDATE notifications SET told_at = now() WHERE id = %s", (notification["id"],))
