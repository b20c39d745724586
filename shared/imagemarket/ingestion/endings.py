"""Executions that ended outside of every Catch: timed out, aborted, or failed in the machine itself."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from imagemarket.ingestion.models import FailedStep, IngestionJob
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.platform.errors import InvalidRequest
from imagemarket.platform.telemetry import add_log_context

_ERRORS = {"TIMED_OUT": "States.Timeout", "ABORTED": "States.Aborted"}


class ExecutionEndings:
    """Brings an execution that ended badly to the place where a Catch would have brought it."""

    def __init__(self, compensation: CompensateImage) -> None:
        self._compensation = compensation

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Handles one EventBridge event `Step Functions Execution Status Change`.

        `{"status"}` of the image afterwards. Most often the saga has compensated by itself and nothing is left to
        do. Raises `InvalidRequest` for an event of another form and what `CompensateImage.run` raises.
        """
        try:
            detail = event["detail"]
            job = IngestionJob.model_validate_json(detail["input"])
            status = detail["status"]
        except (KeyError, TypeError, ValidationError):
            raise InvalidRequest("detail.input of the event is not a job of ingest_image.") from None
        add_log_context(image_id=str(job.image_id), request_id=job.request_id, execution=detail.get("name"))
        error = detail.get("error") or _ERRORS.get(status, "States.Unknown")
        return self._compensation.run(job, FailedStep(Error=error, Cause=detail.get("cause") or ""))
