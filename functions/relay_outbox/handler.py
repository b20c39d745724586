"""Schedule, every minute: send what a crash left in the outbox."""

from __future__ import annotations

from typing import Any

from imagemarket import wiring
from imagemarket.platform.telemetry import scheduled


@scheduled
def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {"sent": wiring.outbox_relay().drain()}
