"""What became of the image that a dead letter is about: its row, its steps and its execution, in brief."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel

from imagemarket.catalog.executions import execution_name
from imagemarket.ingestion.repository.uploads import progress
from imagemarket.platform.aws import aws_errors
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyRefused

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_NEWEST_EVENTS = 200


class StepState(BaseModel):
    """How far one step of the saga came."""

    step: str
    status: str
    attempts: int
    error: dict[str, Any] | None


class HistoryEvent(BaseModel):
    """A failure, a retry's end or the end itself in an execution's history."""

    at: datetime
    event: str
    error: str | None = None
    cause: str | None = None


class ImageDetails(BaseModel):
    """An image as an operator needs to see it."""

    image_id: UUID
    contributor_id: UUID
    status: str
    title: str
    rejection: dict[str, Any] | None
    version: int
    updated_at: datetime
    steps: list[StepState]
    execution: str | None = None
    execution_status: str | None = None
    history: list[HistoryEvent] = []


class ImageInspector:
    """Reads the truth and Step Functions; changes nothing."""

    def __init__(self, *, database: Database, step_functions: SFNClient, state_machine_arn: str) -> None:
        self._database = database
        self._step_functions = step_functions
        self._state_machine_arn = state_machine_arn

    def image(self, image_id: UUID) -> ImageDetails | None:
        """The image, or None when there is no row of it. Raises `DependencyUnavailable`."""
        row = progress(self._database, image_id, contributor_id=None)
        if row is None:
            return None
        steps = sorted(row["steps"] or [], key=lambda step: step["started_at"])
        version = row["object_version"]
        details = ImageDetails(
            image_id=image_id,
            contributor_id=row["contributor_id"],
            status=row["status"],
            title=row["title"],
            rejection=row["rejection"],
            version=row["version"],
            updated_at=row["updated_at"],
            steps=[StepState.model_validate(step) for step in steps],
        )
        if version is None:
            return details
        name = execution_name(image_id, version, row["run"])
        return details.model_copy(update={"execution": name, **self._execution(name)})

    def _execution(self, name: str) -> dict[str, Any]:
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            with aws_errors("Step Functions"):
                status = self._step_functions.describe_execution(executionArn=arn)["status"]
                events = self._step_functions.get_execution_history(
                    executionArn=arn, maxResults=_NEWEST_EVENTS, reverseOrder=True
                )["events"]
        except DependencyRefused as refused:
            if refused.code in {"ExecutionDoesNotExist", "StateMachineTypeNotSupported", "ValidationException"}:
                return {"execution_status": "not kept (never started, long ago, or of an express workflow)"}
            raise
        return {"execution_status": status, "history": [e for event in reversed(events) if (e := _brief(event))]}


def _brief(event: Any) -> HistoryEvent | None:
    """The event if it says how something failed or how the execution ended."""
    kind = str(event["type"])
    if not kind.endswith(("Failed", "TimedOut", "Aborted")) and kind != "ExecutionSucceeded":
        return None
    (details,) = [value for key, value in event.items() if key.endswith("EventDetails")] or [{}]
    return HistoryEvent(at=event["timestamp"], event=kind, error=details.get("error"), cause=details.get("cause"))
