"""Schedule, every minute: send what a crash left in the outbox, wake webhook deliveries and mails that are due."""

from __future__ import annotations

from typing import Any

from imagemarket import wiring
from imagemarket.platform.telemetry import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {
        "sent": wiring.outbox_relay().drain(),
        "webhooks_due": wiring.webhook_deliveries().wake(),
        "mails_due": wiring.account_mail_requests().wake() + wiring.digests().wake(),
    }


handler = scheduled(_run, wiring.message_journal)
