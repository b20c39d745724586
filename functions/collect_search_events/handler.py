"""Schedule, every minute: take what was searched and looked at into its table."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {"collected": app().search.events.drain()}


handler = scheduled(_run, lambda: app().resources.failure_log)
