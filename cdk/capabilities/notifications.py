"""What contributors are told of their images: in the API, by webhooks and by e-mail."""

from __future__ import annotations

from cdk.foundation.capability import HTTP_SECONDS, Capability
from cdk.foundation.use import layer, setting
from cdk.stages.model import Load
from imagemarket.notifications.listener import LISTENS_TO
from imagemarket.platform.roles import DatabaseRole


class Notifications(Capability):
    group = "engagement"

    def make(self) -> None:
        market, notifications = self.market, self.stage.notifications
        notifies = market.database.connect(DatabaseRole.NOTIFIER)
        addresses = setting(webhook_loopback=str(notifications.webhook_loopback).lower())
        news = self.queue("notifications", consumer_seconds=30)
        webhooks = self.queue("webhooks", consumer_seconds=40)
        self.function(
            "notifications_api",
            "what contributors are told, and where they want to be told",
            seconds=HTTP_SECONDS,
            load=Load.INTERACTIVE,
            uses=[layer("api"), notifies, addresses, market.valkey.counters(), webhooks.send()],
        )
        self.listen(news, *LISTENS_TO)
        self.consumer(
            news,
            "tell_contributors",
            "passes news of an image on to its contributor's webhooks and mailbox",
            uses=[
                notifies,
                setting(public_base_url=self.stage.edge.public_base_url),
                webhooks.send(),
                market.mail.send(),
            ],
        )
        self.consumer(
            webhooks,
            "call_webhooks",
            "makes one attempt at a webhook delivery",
            load=Load.OUTBOUND,
            batch=1,  # so that a slow receiver keeps nobody else's deliveries waiting
            batches=notifications.webhooks_in_flight,
            uses=[layer("webhooks"), notifies, addresses, webhooks.send()],
        )
