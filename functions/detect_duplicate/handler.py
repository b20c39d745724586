"""Saga: refuse a picture that the catalogue has already."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.handlers import saga_step


@saga_step
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return app().ingestion.detect_duplicate.run(IngestionJob.model_validate(event))
