"""The record of each step: what makes the saga safe to deliver twice."""

from __future__ import annotations

from collections.abc import Callable

from imagemarket.ingestion.models import IngestionJob, Step, StepOutput
from imagemarket.platform.database import Database
from imagemarket.platform.errors import MarketError
from imagemarket.platform.telemetry import duration, logger


class StepRecords:
    """One row per (image, step): claimed before the work, completed with its output after it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def once(
        self,
        job: IngestionJob,
        step: Step,
        work: Callable[[], StepOutput],
        *,
        undo: Callable[[], None] | None = None,
    ) -> StepOutput:
        """Does `work` unless it was done for this version already; returns its output either way.

        Work must be safe to repeat: a crash between its effect and its record runs it again. When
        the image has ended meanwhile (a sibling branch failed and it was compensated), `undo`
        removes what this step made after the compensation passed by.
        """
        remembered = self._claim(job, step)
        if remembered is not None:
            logger.info("step was done already", step=step.value)
            return remembered
        try:
            output = work()
        except MarketError as error:
            self._fail(job, step, error)
            raise
        if not self._complete(job, step, output) and undo is not None:
            logger.warning("the image has ended; undoing", step=step.value)
            undo()
        return output

    def outputs(self, job: IngestionJob) -> dict[Step, StepOutput]:
        """The outputs of the steps that succeeded for this version."""
        rows = self._database.fetch_all(
            "SELECT step, output FROM processing_steps"
            " WHERE image_id = %s AND input_version = %s AND status = 'succeeded'",
            (job.image_id, job.version_id),
        )
        return {Step(row["step"]): row["output"] for row in rows}

    def _claim(self, job: IngestionJob, step: Step) -> StepOutput | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                """
                WITH claim AS (
                    INSERT INTO processing_steps AS s (image_id, step, input_version, status, started_at)
                    VALUES (%(image)s, %(step)s, %(version)s, 'running', clock_timestamp())
                    ON CONFLICT (image_id, step) DO UPDATE
                       SET status = 'running', attempts = s.attempts + 1, started_at = clock_timestamp(),
                           finished_at = NULL, output = NULL, error = NULL,
                           input_version = excluded.input_version
                     WHERE NOT (s.status = 'succeeded' AND s.input_version = excluded.input_version)
                    RETURNING 1
                )
                SELECT (SELECT count(*) FROM claim) AS claimed,
                       (SELECT output FROM processing_steps
                         WHERE image_id = %(image)s AND step = %(step)s) AS output
                """,
                {"image": job.image_id, "step": step.value, "version": job.version_id},
            ).fetchone()
        assert row is not None
        # The second select sees the row as it was before the claim: the first result, if any.
        return None if row["claimed"] else row["output"]

    def _complete(self, job: IngestionJob, step: Step, output: StepOutput) -> bool:
        from psycopg.types.json import Jsonb

        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE processing_steps s"
                "   SET status = 'succeeded', output = %s, finished_at = clock_timestamp()"
                "  FROM images i WHERE i.id = s.image_id AND s.image_id = %s AND s.step = %s AND s.input_version = %s"
                " RETURNING i.status, extract(epoch FROM s.finished_at - s.started_at) * 1000 AS milliseconds",
                (Jsonb(output), job.image_id, step.value, job.version_id),
            ).fetchone()
        if row is None:
            return False
        duration(f"Step.{step.value}", float(row["milliseconds"]))
        return row["status"] not in {"rejected", "processing_failed"}

    def _fail(self, job: IngestionJob, step: Step, error: MarketError) -> None:
        from psycopg.types.json import Jsonb

        record = {
            "error": type(error).__name__,
            "code": error.slug,
            "detail": error.detail,
            **error.extensions,
        }
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE processing_steps SET status = 'failed', error = %s, finished_at = clock_timestamp()"
                " WHERE image_id = %s AND step = %s AND input_version = %s",
                (Jsonb(record), job.image_id, step.value, job.version_id),
            )
