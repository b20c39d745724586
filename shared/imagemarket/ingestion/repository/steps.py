"""The records of the saga's steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from imagemarket.ingestion.models import COMPENSATE, IngestionJob, Step, StepOutput
from imagemarket.platform.database import Connection, Database, Row


def claim(
    connection: Connection, job: IngestionJob, step: str, *, open_in: Sequence[str], lease_seconds: int
) -> int | None:
    """The number of the claim on a step, leased for so long; None where the step is not to be done, or not now."""
    claimed = connection.execute(
        """
        INSERT INTO processing_steps AS s (image_id, step, input_version, status, started_at, lease_until)
        SELECT i.id, %(step)s, i.object_version, 'running', clock_timestamp(),
               clock_timestamp() + make_interval(secs => %(lease)s)
          FROM images i JOIN uploads u ON u.image_id = i.id
         WHERE i.id = %(image)s AND i.object_version = %(version)s AND u.run = %(run)s
           AND i.status = ANY(%(open)s)
        ON CONFLICT (image_id, step) DO UPDATE
           SET status = 'running', attempts = s.attempts + 1, started_at = excluded.started_at,
               lease_until = excluded.lease_until, finished_at = NULL, output = NULL, error = NULL,
               input_version = excluded.input_version
         WHERE NOT (s.status = 'succeeded' AND s.input_version = excluded.input_version)
           AND (s.lease_until IS NULL OR s.lease_until <= clock_timestamp())
        RETURNING attempts
        """,
        {**_of_job(job, step, open_in), "lease": lease_seconds},
    ).fetchone()
    return None if claimed is None else claimed["attempts"]


def unclaimed(connection: Connection, job: IngestionJob, step: str, *, open_in: Sequence[str]) -> Row | None:
    """Why a step could not be claimed: whether the image is still `ours`, whether the step is `done`, its `output`."""
    return connection.execute(
        """
        SELECT i.object_version = %(version)s AND u.run = %(run)s AND i.status = ANY(%(open)s) AS ours,
               s.status = 'succeeded' AND s.input_version = %(version)s AS done, s.output
          FROM images i JOIN uploads u ON u.image_id = i.id
          LEFT JOIN processing_steps s ON s.image_id = i.id AND s.step = %(step)s
         WHERE i.id = %(image)s
        """,
        _of_job(job, step, open_in),
    ).fetchone()


def _of_job(job: IngestionJob, step: str, open_in: Sequence[str]) -> dict[str, Any]:
    return {
        "image": job.image_id,
        "step": step,
        "version": job.version_id,
        "run": job.run,
        "open": list(open_in),
    }


def complete(connection: Connection, job: IngestionJob, step: str, claim: int, output: StepOutput) -> float | None:
    """Records a step's output; the milliseconds that it took, or None where another claim has been made since."""
    from psycopg.types.json import Jsonb

    row = connection.execute(
        "UPDATE processing_steps"
        "   SET status = 'succeeded', output = %s, finished_at = clock_timestamp(), lease_until = NULL"
        " WHERE image_id = %s AND step = %s AND input_version = %s AND attempts = %s"
        " RETURNING extract(epoch FROM finished_at - started_at) * 1000 AS milliseconds",
        (Jsonb(output), job.image_id, step, job.version_id, claim),
    ).fetchone()
    return None if row is None else float(row["milliseconds"])


def fail(connection: Connection, job: IngestionJob, step: str, claim: int, cause: dict[str, Any]) -> None:
    """Records why a step failed, unless another claim has been made since."""
    from psycopg.types.json import Jsonb

    connection.execute(
        "UPDATE processing_steps"
        "   SET status = 'failed', error = %s, finished_at = clock_timestamp(), lease_until = NULL"
        " WHERE image_id = %s AND step = %s AND input_version = %s AND attempts = %s",
        (Jsonb(cause), job.image_id, step, job.version_id, claim),
    )


def end_lease(connection: Connection, image_id: UUID, step: str, claim: int) -> None:
    """Gives back the lease of a claim."""
    connection.execute(
        "UPDATE processing_steps SET lease_until = NULL WHERE image_id = %s AND step = %s AND attempts = %s",
        (image_id, step, claim),
    )


def end_leases(connection: Connection, image_id: UUID, *, over_by: datetime) -> None:
    """Gives back the leases of the steps, but for the compensation's, that were over by a time."""
    connection.execute(
        "UPDATE processing_steps SET lease_until = NULL WHERE image_id = %s AND step <> %s AND lease_until <= %s",
        (image_id, COMPENSATE, over_by),
    )


def interrupt(connection: Connection, image_id: UUID, cause: dict[str, Any]) -> None:
    """The steps under way, but for the compensation, have failed. Their leases stay: a step that is still at work
    notices when it completes, and undoes itself."""
    from psycopg.types.json import Jsonb

    connection.execute(
        "UPDATE processing_steps SET status = 'failed', error = %s, finished_at = clock_timestamp()"
        " WHERE image_id = %s AND status = 'running' AND step <> %s",
        (Jsonb(cause), image_id, COMPENSATE),
    )


def reset(connection: Connection, image_id: UUID, step: str) -> None:
    """Lets a step that succeeded be done again; nothing while a delivery of it is at work."""
    connection.execute(
        "UPDATE processing_steps SET status = 'failed', output = NULL"
        " WHERE image_id = %s AND step = %s AND status = 'succeeded'",
        (image_id, step),
    )


def reconcile(connection: Connection, image_id: UUID | None) -> int:
    """Settles what deliveries that died left behind a published image: the record of its publication, and
    compensations that were begun in vain. Of one image, or of all whose lease is over; how many there were."""
    return connection.execute(
        """
        UPDATE processing_steps s
           SET status = CASE s.step WHEN 'publish' THEN 'succeeded' ELSE 'failed' END,
               output = CASE s.step WHEN 'publish' THEN jsonb_build_object('status', i.status) END,
               error = NULL, finished_at = clock_timestamp(), lease_until = NULL
          FROM images i
         WHERE i.id = s.image_id AND s.step IN ('publish', 'compensate') AND s.status <> 'succeeded'
           AND i.status IN ('approved', 'pending_review')
           AND CASE WHEN %(image)s::uuid IS NULL THEN s.lease_until <= now()
                    ELSE s.image_id = %(image)s AND coalesce(s.lease_until <= now(), true) END
        """,
        {"image": image_id},
    ).rowcount


def outputs(database: Database, job: IngestionJob) -> dict[Step, StepOutput]:
    """The outputs of the steps that succeeded for this version."""
    rows = database.fetch_all(
        "SELECT step, output FROM processing_steps"
        " WHERE image_id = %s AND input_version = %s AND status = 'succeeded' AND step <> %s",
        (job.image_id, job.version_id, COMPENSATE),
    )
    return {Step(row["step"]): row["output"] for row in rows}


def first_failure(connection: Connection, image_id: UUID, error: str) -> dict[str, Any] | None:
    """What the step that failed first with an error of this class told of it."""
    row = connection.execute(
        "SELECT error FROM processing_steps WHERE image_id = %s AND status = 'failed'"
        " AND error ->> 'error' = %s ORDER BY finished_at LIMIT 1",
        (image_id, error),
    ).fetchone()
    return None if row is None else row["error"]


def is_cleaned_up(connection: Connection, image_id: UUID) -> bool:
    """Whether the image was compensated, and nothing of its last run may still be at work."""
    row = connection.execute(
        "SELECT bool_or(step = %s AND status = 'succeeded') AS cleaned, count(lease_until) AS leases"
        " FROM processing_steps WHERE image_id = %s",
        (COMPENSATE, image_id),
    ).fetchone()
    assert row is not None
    return bool(row["cleaned"]) and not row["leases"]


def delete(connection: Connection, image_id: UUID, *, but: str | None = None) -> None:
    """Forgets what the steps of earlier runs found, but for the record of one step."""
    connection.execute("DELETE FROM processing_steps WHERE image_id = %s AND step IS DISTINCT FROM %s", (image_id, but))


def forget_suggestions(connection: Connection, image_id: UUID) -> None:
    """Forgets who made the image, as its file has it."""
    connection.execute(
        "UPDATE processing_steps SET output = output - 'suggestions' WHERE image_id = %s AND step = 'inspect'",
        (image_id,),
    )
