"""How long notifications and the calls of webhooks are kept."""

from __future__ import annotations

from typing import LiteralString

EXPIRED: dict[str, LiteralString] = {
    "mails_sent": "DELETE FROM mails_sent WHERE at < now() - interval '30 days'",
    "notifications": "DELETE FROM notifications WHERE created_at < now() - interval '180 days'",
    "webhook_deliveries": (
        "DELETE FROM webhook_deliveries WHERE status <> 'pending' AND finished_at < now() - interval '30 days'"
        # what waits for a webhook that is never verified
        " OR status = 'pending' AND created_at < now() - interval '30 days' AND due_at < now() - interval '30 days'"
    ),
    "webhook_challenges": "DELETE FROM webhook_challenges WHERE at < now() - interval '1 day'",
}
"""By table: what the daily retention run deletes."""
