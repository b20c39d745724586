"""The safety net: uploads that nobody finished or noticed, and images that no execution is carrying on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from imagemarket.catalog.repository import remove_unsent, touch
from imagemarket.ingestion.executions import Executions, ExecutionStatus
from imagemarket.ingestion.models import COMPENSATE, FailedStep, IngestionJob
from imagemarket.ingestion.originals import keep_original
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.ingestion.uploads import refuse_again
from imagemarket.platform.database import Database, Row
from imagemarket.platform.errors import MarketError, NotFound
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import count, log_context, logger

ABANDONED_AFTER_HOURS = 24
"""An upload's form and URLs end after an hour, so nothing can arrive any more."""

OVERDUE_AFTER_SECONDS = 120
"""By then an event has been handled, an execution started, and one that ended has ended its image."""

MAX_REPLAYS = 2
"""Runs that the sweeper starts by itself, beyond the one that somebody asked for."""

_AT_ONCE = 500


class UploadSweeper:
    """Removes what was announced and never sent, and starts what was sent and never noticed."""

    def __init__(self, *, database: Database, originals: ObjectStore, starter: IngestionStarter) -> None:
        self._database = database
        self._originals = originals
        self._starter = starter

    def run(self) -> dict[str, int]:
        """How many uploads were `removed` (row and parts), and `started` because their object is there although
        no event of it came through. At most 500 a run, the oldest first. Safe to repeat and to interrupt."""
        done = {"removed": 0, "started": 0}
        for row in self._waiting():
            with log_context(image_id=str(row["id"]), request_id=None):  # which beginning it finds
                self._sweep(row, done)
        for outcome, number in done.items():
            if number:
                count(f"AbandonedUploads.{outcome}", number)
        return done

    def _sweep(self, row: Row, done: dict[str, int]) -> None:
        try:
            outcome = self._starter.begin(row["id"], row["s3_original_key"])
        except NotFound:
            done["removed"] += self._remove(row) if row["abandoned"] else 0
        else:
            if outcome == "started":
                done["started"] += 1
            elif row["abandoned"]:
                self._refuse_again(row)

    def _waiting(self) -> list[Row]:
        return repository.waiting(
            self._database,
            overdue_seconds=OVERDUE_AFTER_SECONDS,
            abandoned_hours=ABANDONED_AFTER_HOURS,
            limit=_AT_ONCE,
        )

    def _remove(self, row: Row) -> int:
        if row["multipart_id"] is not None:
            self._originals.abort_multipart(row["s3_original_key"], row["multipart_id"])
        if row["refused_version"] is not None:
            self._refuse_again(row)
            return 0
        with self._database.transaction() as connection:
            return int(remove_unsent(connection, row["id"]))

    def _refuse_again(self, row: Row) -> None:
        with self._database.transaction() as connection:
            refuse_again(connection, row["id"], actor="sweeper")


Action = Literal["resume", "replay", "fail"]


@dataclass(frozen=True)
class Stuck:
    """An image in processing of which nothing has been heard for too long (longer while its execution runs), and what
    should be done about it.

    `resume` starts the execution that was never started; `replay` starts the next run, which goes on after the steps
    that succeeded; `fail` states the reason.
    """

    job: IngestionJob
    last_heard: datetime
    execution: ExecutionStatus | None
    action: Action


class ExecutionSweeper:
    """Sees to it that no image stays in processing, and that compensations come to their end."""

    def __init__(
        self,
        *,
        database: Database,
        originals: ObjectStore,
        executions: Executions,
        compensation: CompensateImage,
        stalled_after_seconds: int,
    ) -> None:
        """A running execution counts as dead after `stalled_after_seconds` without a step beginning or ending, with no
        lease running and no try of its own; that must be longer than the machine waits between two attempts."""
        self._database = database
        self._originals = originals
        self._executions = executions
        self._compensation = compensation
        self._stalled_after_seconds = stalled_after_seconds

    def stuck(self) -> list[Stuck]:
        """What is overdue, the longest first (500 at most), and how its execution stands."""
        rows = repository.overdue(self._database, overdue_seconds=OVERDUE_AFTER_SECONDS, limit=_AT_ONCE)
        return [stuck for row in rows if (stuck := self._judge(row)) is not None]

    def run(self) -> dict[str, int]:
        """Does what `stuck` says, and tidies up what was broken off after its image had ended. How many of each;
        `failed_to` are those that something kept from being settled, which the next run tries again. Safe to repeat."""
        done = {"resumed": 0, "replayed": 0, "failed": 0, "cleaned": 0, "failed_to": 0}
        for stuck in self.stuck():
            with log_context(image_id=str(stuck.job.image_id), request_id=stuck.job.request_id):
                try:
                    outcome = self._settle(stuck)
                except MarketError:
                    logger.exception("the image could not be settled")
                    outcome = "failed_to"
                done[outcome] += 1
        for row in repository.uncleaned(
            self._database, compensation=COMPENSATE, overdue_seconds=OVERDUE_AFTER_SECONDS, limit=_AT_ONCE
        ):
            with log_context(image_id=str(row["id"]), request_id=row["request_id"]):
                try:
                    self._compensation.again(IngestionJob.of(row))
                    done["cleaned"] += 1
                except MarketError:
                    logger.exception("the image could not be cleaned up after")
                    done["failed_to"] += 1
        done["cleaned"] += StepRuns(self._database).reconcile()
        for outcome, number in done.items():
            if number:
                count(f"Swept.{outcome}", number)
        return done

    def _judge(self, row: Row) -> Stuck | None:
        """None for an execution that lives: it works, or it waits for its turn at a busy function."""
        job = IngestionJob.of(row)
        execution = self._executions.status(job)
        if execution is ExecutionStatus.RUNNING:
            since = row["now"] - timedelta(seconds=self._stalled_after_seconds)
            if row["last_heard"] > since:
                return None
            last_event = self._executions.last_event(job)
            if last_event is not None and last_event > since:
                return None
        if execution is None:
            action: Action = "resume"
        elif row["replays"] < MAX_REPLAYS:
            action = "replay"
        else:
            action = "fail"
        return Stuck(job, row["last_heard"], execution, action)

    def _settle(self, stuck: Stuck) -> str:
        job = stuck.job
        logger.warning("image is overdue", execution_status=stuck.execution, action=stuck.action, run=job.run)
        if stuck.action == "resume":
            with self._database.transaction() as connection:  # it is given as long as any other
                touch(connection, job.image_id)
            keep_original(self._originals, job)
            self._executions.start(job)
            return "resumed"
        if stuck.execution is ExecutionStatus.RUNNING:
            self._executions.stop(job, "Nothing was heard of any step for too long.")
        if stuck.action == "fail":
            self._compensation.run(job, FailedStep(Error="Stalled", Cause="Replays did not bring it through."))
            return "failed"
        if not repository.next_run(self._database, job):
            return "failed_to"  # somebody else went on with it meanwhile
        self._executions.start(job.model_copy(update={"run": job.run + 1}))
        return "replayed"
