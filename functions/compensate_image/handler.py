"""Saga: end an image that did not make it."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.ingestion.models import FailedStep, IngestionJob
from imagemarket.platform.handlers import saga_step


@saga_step
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    job = IngestionJob.model_validate(event)
    return app().ingestion.compensate_image.run(job, FailedStep.model_validate(event["error"]))
