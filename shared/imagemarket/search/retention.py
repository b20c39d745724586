"""How long search keeps what was searched for."""

from __future__ import annotations

from typing import LiteralString

EXPIRED: dict[str, LiteralString] = {
    "search_events": "DELETE FROM search_events WHERE at < now() - interval '90 days'",
}
"""By table: what the daily retention run deletes."""
