"""How contributors are told."""

from __future__ import annotations

from imagemarket.platform.settings import UNSET, RoomSettings


class NotificationsSettings(RoomSettings):
    """How contributors are told."""

    notifications_queue_url: str = UNSET
    """SQS queue that `tell_contributors` drains: events that are listened to, and digests that are due."""
    webhooks_queue_url: str = UNSET
    """SQS queue that wakes `call_webhooks` for a delivery."""
    webhook_loopback: bool = False
    """Whether webhooks may lead to this machine, and there without TLS; for one machine's cloud alone."""
    mail: str = UNSET
    """How e-mail goes out: `ses:SENDER`, or `file:FOLDER` for one machine."""
