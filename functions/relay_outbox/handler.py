"""Schedule, every minute: publish what a crash left in the outbox, wake webhook deliveries and mails that are due."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {
        "sent": app().resources.outbox_relay.drain(),
        "webhooks_due": app().notifications.deliveries.wake(),
        "mails_due": app().identity.mail_requests.wake() + app().notifications.digests.wake(),
    }


handler = scheduled(_run, lambda: app().resources.failure_log)
