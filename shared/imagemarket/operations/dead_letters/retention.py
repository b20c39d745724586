"""How long it is kept why messages failed, and which were sent again."""

from __future__ import annotations

from typing import LiteralString

EXPIRED: dict[str, LiteralString] = {
    "message_failures": "DELETE FROM message_failures WHERE last_at < now() - interval '30 days'",
    "message_replays": "DELETE FROM message_replays WHERE claimed_at < now() - interval '30 days'",
}
"""By table: what the daily retention run deletes."""
