"""Schedule, every minute: take what was searched and looked at into its table."""

from __future__ import annotations

from typing import Any

from imagemarket import wiring
from imagemarket.platform.telemetry import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {"gathered": wiring.search_events().drain()}


handler = scheduled(_run, wiring.message_journal)
