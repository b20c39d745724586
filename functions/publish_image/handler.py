"""Saga: decide the status and write everything in one transaction."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.handlers import saga_step


@saga_step
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return app().ingestion.publish_image.run(IngestionJob.model_validate(event))
