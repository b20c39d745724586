"""Notifications: read in the app, and fanned out to e-mail and webhooks in the order in which things happened."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import UUID

from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.notifications.delivery import Deliveries
from imagemarket.notifications.events import NotificationAdded
from imagemarket.notifications.listener import note
from imagemarket.notifications.mailing import sent_or_written_off
from imagemarket.notifications.messages import digest_of, mail_of
from imagemarket.notifications.models import (
    DIGEST_AFTER,
    DIGEST_EVERY,
    NEWS_MAILED_FOR,
    NEWS_MAILS_PER_DAY,
    MarkRead,
    NotificationPage,
    NotificationView,
    ReadReceipt,
)
from imagemarket.notifications.ports import Mailer
from imagemarket.notifications.repository import deliveries, mails
from imagemarket.notifications.repository import notifications as repository
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Database
from imagemarket.platform.queue import Queue
from imagemarket.platform.telemetry import count, logger

_AT_ONCE = 500


class Inbox:
    """An account's own notifications."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, account_id: UUID, *, cursor: UUID | None, limit: int, unread_only: bool) -> NotificationPage:
        """Newest first, from behind the notification that `cursor` names."""
        rows = repository.page(self._database, account_id, cursor=cursor, limit=limit + 1, unread_only=unread_only)
        page = rows[:limit]
        return NotificationPage(
            items=[NotificationView.model_validate(row) for row in page],
            unread_count=repository.unread(self._database, account_id),
            next_cursor=str(page[-1]["id"]) if len(rows) > limit else None,
        )

    def mark_read(self, account_id: UUID, which: MarkRead) -> ReadReceipt:
        """Marks some of the account's notifications as read; others' ids change nothing."""
        with self._database.transaction() as connection:
            repository.mark_read(connection, account_id, which.ids, up_to=which.up_to)
        return ReadReceipt(unread_count=repository.unread(self._database, account_id))


class Teller:
    """Takes events and passes each notification on, once and in order per image."""

    def __init__(
        self, *, database: Database, deliveries: Deliveries, mailer: Mailer, clock: Clock, public_base_url: str
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._mailer = mailer
        self._clock = clock
        self._base_url = public_base_url

    def tell(self, event_id: UUID, event: ImageStatusChanged | NotificationAdded) -> None:
        """Handles one event; safe to repeat, in any order.

        An event is only the occasion: everything of its image that was not passed on yet is, oldest first, so
        that an event which overtakes an earlier one takes its notification along. Raises
        `DependencyUnavailable`.
        """
        image_id = event.image_id
        notification_id = event.notification_id if isinstance(event, NotificationAdded) else None
        with self._database.transaction() as connection:
            if isinstance(event, ImageStatusChanged):
                note(connection, event_id, event)
            rows = repository.lock_untold(connection, image_id, notification_id)
            for row in rows:
                deliveries.add_for(connection, row)
                repository.mark_told(connection, row["id"])
        self._deliveries.wake_image(image_id)
        self._mail(image_id, notification_id)
        if rows:
            count("NotificationsTold", len(rows))
            logger.info("contributor told", image_id=str(image_id), types=[row["type"] for row in rows])

    def _mail(self, image_id: UUID, notification_id: UUID | None) -> None:
        """Mails what was told and not mailed, to confirmed addresses and up to `NEWS_MAILS_PER_DAY`; the rest waits for
        a digest. A crash between sending and writing it down sends the same mail, with the same Message-ID, again."""
        now = self._clock.now()
        waiting = repository.to_mail(self._database, image_id, notification_id, since=now - NEWS_MAILED_FOR)
        for row in waiting:
            mail = mail_of(row["id"], row["type"], row["data"], to=row["email"], base_url=self._base_url)
            with self._database.transaction() as connection:
                mails.one_mail_at_a_time(connection, row["account_id"])
                if not repository.is_to_be_mailed(connection, row["id"]):
                    continue
                sent = mails.sent_since(connection, row["account_id"], "news", now - timedelta(days=1))
                if len(sent) >= NEWS_MAILS_PER_DAY:
                    return
                repository.mark_mailed(connection, row["id"], now)
                if sent_or_written_off(self._mailer, mail, row["account_id"]):
                    mails.add(connection, row["account_id"], "news", now)

    def digest(self, account_id: UUID) -> None:
        """Mails one account how much it has not been mailed of, where a digest is due (see `Digests`); safe to repeat.

        Raises `DependencyUnavailable`.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            mails.one_mail_at_a_time(connection, account_id)
            address = mails.address_for_digest(connection, account_id, last_before=now - DIGEST_EVERY)
            if address is None:
                return
            numbers = Counter(repository.mark_all_mailed(connection, account_id, now, since=now - NEWS_MAILED_FOR))
            if not numbers:
                return
            mail = digest_of(numbers, to=address, at=now, account_id=account_id, base_url=self._base_url)
            if not sent_or_written_off(self._mailer, mail, account_id):
                return
            mails.add(connection, account_id, "digest", now)
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
        accounts = mails.due_a_digest(
            self._database,
            since=now - NEWS_MAILED_FOR,
            until=now - DIGEST_AFTER,
            last_before=now - DIGEST_EVERY,
            limit=_AT_ONCE,
        )
        self._queue.send([{"digest_of": str(account_id)} for account_id in accounts])
        return len(accounts)
