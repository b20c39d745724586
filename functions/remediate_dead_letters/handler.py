"""Schedule, every ten minutes: send again what died of something that passes."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return app().operations.remediation.run()


handler = scheduled(_run, lambda: app().resources.failure_log)
