"""The record of each step: what makes the saga safe to deliver twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from imagemarket.catalog.repository import share_status
from imagemarket.ingestion.errors import JobSuperseded, StepInProgress
from imagemarket.ingestion.models import COMPENSATE, IngestionJob, Step, StepOutput
from imagemarket.ingestion.repository import steps as repository
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable, MarketError
from imagemarket.platform.telemetry import duration, logger

LEASE_SECONDS: dict[Step | str, int] = {
    Step.INSPECT: 110,
    Step.DETECT_DUPLICATE: 25,
    Step.MAKE_THUMBNAILS: 110,
    Step.MAKE_WATERMARK: 110,
    Step.EMBED_AND_TAG: 55,
    Step.PUBLISH: 55,
    COMPENSATE: 55,
}
"""How long a delivery has its step to itself: as long as its function may run, since after that it is not alive any
more. A delivery that ends, well or not, gives its lease back at once; only one that was killed lets others wait."""

_AT_WORK = ["processing"]
_OPEN_IN: dict[Step | str, list[str]] = {
    # The transaction that ends the image may have been committed by a delivery that died before its record was.
    Step.PUBLISH: ["processing", "approved", "pending_review"],
    COMPENSATE: ["processing", "rejected", "processing_failed"],
}

ENDED = frozenset({"rejected", "processing_failed"})
"""What compensation leaves an image in."""


class StepRuns:
    """One row per (image, step): claimed before the work with the object version it is done for, completed with
    its output after it.

    A claim holds a lease. Its number (`attempts`) fences: a delivery that outlived its lease can neither complete
    nor fail what another has claimed since. Work must be safe to repeat all the same, since a crash between its
    effect and its record runs it again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_once(
        self,
        job: IngestionJob,
        step: Step | str,
        work: Callable[[], StepOutput],
        *,
        undo: Callable[[], None] | None = None,
    ) -> StepOutput:
        """Does `work` unless it was done for this version already; returns its output either way.

        When the image has ended meanwhile (a sibling branch failed and it was compensated), `undo` removes what this
        step made after the compensation passed by; what cannot undo itself, or dies before, is found by its lease.

        Raises `StepInProgress` while another delivery has the step, and `JobSuperseded` when the image is no longer
        this job's to work on.
        """
        claim, remembered = self._claim(job, step)
        if remembered is not None:
            logger.info("step was done already", step=str(step))
            return remembered
        try:
            output = work()
        except BaseException as error:
            with suppress(DependencyUnavailable):  # then the lease ends by itself
                self._fail(job, step, claim, error)
            raise
        if not self._complete(job, step, claim, output) and undo is not None:
            logger.warning("the image has ended; undoing", step=str(step))
            undo()
            self._give_back(job, step, claim)
        return output

    def reset(self, job: IngestionJob, step: Step | str) -> None:
        """Lets a step that succeeded be done again; nothing while a delivery of it is at work."""
        with self._database.transaction() as connection:
            repository.reset(connection, job.image_id, str(step))

    def reconcile(self, image_id: UUID | None = None) -> int:
        """Settles what deliveries that died left behind a published image: the record of its publication, and
        compensations that were begun in vain. Of one image, or of all whose lease is over; how many there were."""
        with self._database.transaction() as connection:
            return repository.reconcile(connection, image_id)

    def outputs(self, job: IngestionJob) -> dict[Step, StepOutput]:
        """The outputs of the steps that succeeded for this version."""
        return repository.outputs(self._database, job)

    def _claim(self, job: IngestionJob, step: Step | str) -> tuple[int, StepOutput | None]:
        """The claim's number, or the first result."""
        open_in = _OPEN_IN.get(step, _AT_WORK)
        with self._database.transaction() as connection:
            claim = repository.claim(connection, job, str(step), open_in=open_in, lease_seconds=LEASE_SECONDS[step])
            if claim is not None:
                return claim, None
            # A statement of its own, which sees what the claim had to wait for.
            found = repository.unclaimed(connection, job, str(step), open_in=open_in)
        if found is not None and found["done"]:
            return 0, found["output"]
        if found is None or not found["ours"]:
            raise JobSuperseded("The image has ended, or goes on in another run or with another version.")
        raise StepInProgress("Another delivery of this step is at work; try again when it has ended.")

    def _complete(self, job: IngestionJob, step: Step | str, claim: int, output: StepOutput) -> bool:
        """Records the output; False when the image has ended and this delivery has to undo what it did."""
        with self._database.transaction() as connection:
            # Waits for a compensation that is about to end the image: it must not miss what this step made.
            status = share_status(connection, job.image_id)
            if status is None or (status in ENDED and step != COMPENSATE):
                return False
            milliseconds = repository.complete(connection, job, str(step), claim, output)
        if milliseconds is None:
            logger.warning("another delivery has taken the step over", step=str(step))
        else:
            duration(f"Step.{step}", milliseconds)
        return True

    def _fail(self, job: IngestionJob, step: Step | str, claim: int, error: BaseException) -> None:
        with self._database.transaction() as connection:
            repository.fail(connection, job, str(step), claim, cause_of(error))

    def _give_back(self, job: IngestionJob, step: Step | str, claim: int) -> None:
        with self._database.transaction() as connection:
            repository.end_lease(connection, job.image_id, str(step), claim)


def cause_of(error: BaseException) -> dict[str, Any]:
    """What is kept of a failure: its class, and what an error of ours says. The log has the rest."""
    if isinstance(error, MarketError):
        return {"error": type(error).__name__, "code": error.slug, "detail": error.detail, **error.extensions}
    return {"error": type(error).__name__, "code": MarketError.slug, "detail": MarketError.title}
