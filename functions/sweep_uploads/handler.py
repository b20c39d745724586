"""Schedule, every few minutes: uploads that nobody finished or noticed, images that nothing carries on."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import scheduled


def _run(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    return {**app().ingestion.upload_sweeper.run(), **app().ingestion.execution_sweeper.run()}


handler = scheduled(_run, lambda: app().resources.failure_log)
