"""The executions of the state machine `ingest_image`: starting, asking and stopping them."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.telemetry import logger

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_stepfunctions import SFNClient


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


def in_its_own_trace(request: AWSPreparedRequest, **_: object) -> None:
    """A handler of botocore's `before-send.sfn.StartExecution`: the call names the trace that the execution is to go
    on with. Step Functions prefers the HTTP header to the body's `traceHeader`, and botocore and X-Ray's SDK both
    have set it to the caller's trace by then."""
    assert isinstance(request.body, bytes)
    told = json.loads(request.body).get("traceHeader")
    if told is not None:
        request.headers["X-Amzn-Trace-Id"] = told


class Executions:
    """One state machine. Every method raises `DependencyUnavailable` when Step Functions does not answer."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, job: IngestionJob) -> None:
        """Starts the job's execution, in the job's trace; nothing where it runs or has run."""
        from botocore.exceptions import BotoCoreError, ClientError

        traced: _InTrace = {"traceHeader": job.trace_header} if job.trace_header else {}
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=job.execution_name,
                input=json.dumps(job.model_dump(mode="json", exclude={"execution"})),
                **traced,
            )
            logger.info("the saga was started", image_id=str(job.image_id), execution=job.execution_name)
        except ClientError as error:
            if _code(error) == "ExecutionAlreadyExists":
                logger.info("the saga of this run runs or has run")
                return
            raise DependencyUnavailable("Step Functions did not start the saga; try again.") from error
        except BotoCoreError as error:
            raise DependencyUnavailable("Step Functions is not answering; try again.") from error

    def status(self, job: IngestionJob) -> ExecutionStatus | None:
        """None for an execution that was never started, or so long ago that Step Functions forgot it (90 days)."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.describe_execution(executionArn=self._arn(job))
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":
                return None
            raise DependencyUnavailable("Step Functions did not describe the saga; try again.") from error
        except BotoCoreError as error:
            raise DependencyUnavailable("Step Functions is not answering; try again.") from error
        return ExecutionStatus(answer["status"])

    def last_event(self, job: IngestionJob) -> datetime | None:
        """When the job's execution last did anything, tries turned away included; None where there is none."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.get_execution_history(executionArn=self._arn(job), reverseOrder=True, maxResults=1)
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":
                return None
            raise DependencyUnavailable("Step Functions did not tell the saga's history; try again.") from error
        except BotoCoreError as error:
            raise DependencyUnavailable("Step Functions is not answering; try again.") from error
        return max((event["timestamp"] for event in answer["events"]), default=None)

    def stop(self, job: IngestionJob, cause: str) -> None:
        """Aborts the job's execution; fine when it has ended already. A step at work goes on to its end."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.stop_execution(executionArn=self._arn(job), error="Stalled", cause=cause)
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":
                return
            raise DependencyUnavailable("Step Functions did not stop the saga; try again.") from error
        except BotoCoreError as error:
            raise DependencyUnavailable("Step Functions is not answering; try again.") from error

    def _arn(self, job: IngestionJob) -> str:
        return f"{self._state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{job.execution_name}"


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
