"""What contributors are told, by their inbox, webhooks and mail."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagemarket.notifications.settings import NotificationsSettings

if TYPE_CHECKING:
    from imagemarket.identity.wiring import IdentityRoom
    from imagemarket.notifications.account_mails import AccountMails
    from imagemarket.notifications.delivery import Deliveries, WebhookWorker
    from imagemarket.notifications.ports import Mailer
    from imagemarket.notifications.service import Digests, Inbox, Teller
    from imagemarket.notifications.targets import TargetRules
    from imagemarket.notifications.webhooks import Webhooks
    from imagemarket.platform.resources import Resources


class NotificationsRoom:
    """Notifications' services."""

    def __init__(self, resources: Resources, *, identity: IdentityRoom) -> None:
        self._resources = resources
        self._identity = identity

    @cached_property
    def settings(self) -> NotificationsSettings:
        return NotificationsSettings()

    @cached_property
    def inbox(self) -> Inbox:
        from imagemarket.notifications.service import Inbox

        return Inbox(self._resources.database)

    @cached_property
    def _rules(self) -> TargetRules:
        from imagemarket.notifications.targets import TargetRules

        return TargetRules(loopback=self.settings.webhook_loopback)

    @cached_property
    def deliveries(self) -> Deliveries:
        from imagemarket.notifications.delivery import Deliveries

        return Deliveries(
            database=self._resources.database,
            queue=self._resources.queue(self.settings.webhooks_queue_url),
            clock=self._resources.clock,
        )

    @cached_property
    def webhooks(self) -> Webhooks:
        from imagemarket.notifications.webhooks import Webhooks

        return Webhooks(
            database=self._resources.database,
            rules=self._rules,
            deliveries=self.deliveries,
            idempotency=self._resources.idempotency,
            clock=self._resources.clock,
        )

    @cached_property
    def webhook_worker(self) -> WebhookWorker:
        from imagemarket.notifications.delivery import WebhookWorker
        from imagemarket.notifications.sender import WebhookSender

        return WebhookWorker(
            database=self._resources.database,
            deliveries=self.deliveries,
            sender=WebhookSender(self._rules),
            clock=self._resources.clock,
        )

    @cached_property
    def _mailer(self) -> Mailer:
        from pathlib import Path

        from imagemarket.notifications.files import FileMailer
        from imagemarket.notifications.ses import SesMailer

        kind, _, place = self.settings.mail.partition(":")
        if kind == "file":
            return FileMailer(Path(place))
        if kind == "ses":
            # Others of the same account wait for one mail: two tries of 8 seconds, within
            # `notifications.repository.mails._TURN`.
            client = self._resources.client("sesv2", connect_seconds=2, read_seconds=6, attempts=2)
            return SesMailer(client, place)
        raise ValueError(f"MARKET_MAIL begins with ses: or file:, not {kind!r}")

    @cached_property
    def teller(self) -> Teller:
        from imagemarket.notifications.service import Teller

        return Teller(
            database=self._resources.database,
            deliveries=self.deliveries,
            mailer=self._mailer,
            clock=self._resources.clock,
            public_base_url=self._resources.public_base_url,
        )

    @cached_property
    def digests(self) -> Digests:
        from imagemarket.notifications.service import Digests

        return Digests(
            database=self._resources.database,
            queue=self._resources.queue(self.settings.notifications_queue_url),
            clock=self._resources.clock,
        )

    @cached_property
    def account_mails(self) -> AccountMails:
        from imagemarket.notifications.account_mails import AccountMails

        return AccountMails(
            database=self._resources.database,
            mailer=self._mailer,
            issue_token=self._identity.mail_tokens.issue,
            clock=self._resources.clock,
            public_base_url=self._resources.public_base_url,
        )
