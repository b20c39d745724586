"""The executions of the state machine `ingest_image`: starting, asking and stopping them."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.aws import aws_errors
from imagemarket.platform.errors import DependencyRefused
from imagemarket.platform.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_SERVICE, _UNKNOWN = "Step Functions", "ExecutionDoesNotExist"


class ExecutionStatus(StrEnum):
    """How an execution stands, in Step Functions' words."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"


class _InTrace(TypedDict, total=False):
    traceHeader: str


class Executions:
    """One state machine. Every method raises `DependencyUnavailable` when Step Functions does not answer."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, job: IngestionJob) -> None:
        """Starts the job's execution, in the job's trace; nothing where it runs or has run."""
        traced: _InTrace = {"traceHeader": job.trace_header} if job.trace_header else {}
        try:
            with aws_errors(_SERVICE):
                self._client.start_execution(
                    stateMachineArn=self._state_machine_arn,
                    name=job.execution_name,
                    input=json.dumps(job.model_dump(mode="json", exclude={"execution"})),
                    **traced,
                )
        except DependencyRefused as refused:
            if refused.code != "ExecutionAlreadyExists":
                raise
            logger.info("the saga of this run runs or has run")
        else:
            logger.info("the saga was started", image_id=str(job.image_id), execution=job.execution_name)

    def status(self, job: IngestionJob) -> ExecutionStatus | None:
        """None for an execution that was never started, or so long ago that Step Functions forgot it (90 days)."""
        try:
            with aws_errors(_SERVICE):
                answer = self._client.describe_execution(executionArn=self._arn(job))
        except DependencyRefused as refused:
            if refused.code != _UNKNOWN:
                raise
            return None
        return ExecutionStatus(answer["status"])

    def last_event(self, job: IngestionJob) -> datetime | None:
        """When the job's execution last did anything, tries turned away included; None where there is none."""
        try:
            with aws_errors(_SERVICE):
                answer = self._client.get_execution_history(
                    executionArn=self._arn(job), reverseOrder=True, maxResults=1
                )
        except DependencyRefused as refused:
            if refused.code != _UNKNOWN:
                raise
            return None
        return max((event["timestamp"] for event in answer["events"]), default=None)

    def stop(self, job: IngestionJob, cause: str) -> None:
        """Aborts the job's execution; fine when it has ended already. A step at work goes on to its end."""
        try:
            with aws_errors(_SERVICE):
                self._client.stop_execution(executionArn=self._arn(job), error="Stalled", cause=cause)
        except DependencyRefused as refused:
            if refused.code != _UNKNOWN:
                raise

    def _arn(self, job: IngestionJob) -> str:
        return f"{self._state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{job.execution_name}"
