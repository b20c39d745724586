"""Schedule, every few minutes: uploads that nobody finished or noticed, images that nothing carries on."""

from __future__ import annotations

from typing import Any

from imagemarket import wiring
from imagemarket.platform.telemetry import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {**wiring.upload_sweeper().run(), **wiring.execution_sweeper().run()}


handler = scheduled(_run, wiring.message_journal)
