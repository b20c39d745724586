"""How long answers to repeated requests and messages that were sent are kept."""

from __future__ import annotations

from typing import LiteralString

EXPIRED: dict[str, LiteralString] = {
    "idempotency_keys": "DELETE FROM idempotency_keys WHERE expires_at < now()",
    "outbox": "DELETE FROM outbox WHERE dispatched_at < now() - interval '7 days'",
}
"""By table: what the daily retention run deletes."""
