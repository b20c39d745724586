"""The rows of uploads, read beside those of their images.

Whoever changes an upload holds the lock of its image: see `lock`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.catalog.repository import touch
from imagemarket.platform.database import Connection, Database, Row

if TYPE_CHECKING:
    from imagemarket.ingestion.models import IngestionJob

_UPLOAD = (
    "u.filename, u.content_type, u.announced_bytes, u.announced_sha256, u.multipart_id, u.refused_version, u.run,"
    " u.replays, u.request_id, u.trace_header"
)
_IMAGE = "i.id, i.contributor_id, i.status, i.rejection, i.s3_original_key, i.object_version"
_JOB = "i.id, i.contributor_id, i.s3_original_key, i.object_version, u.run, u.request_id, u.trace_header"


@dataclass(frozen=True)
class NewUpload:
    """What was announced of a file, and by which request in which trace."""

    image_id: UUID
    filename: str
    content_type: str
    announced_bytes: int
    announced_sha256: bytes | None
    multipart_id: str | None
    request_id: str | None
    trace_header: str | None


def add(connection: Connection, upload: NewUpload) -> None:
    """Writes the upload of an image that was added in the same transaction."""
    connection.execute(
        "INSERT INTO uploads (image_id, filename, content_type, announced_bytes, announced_sha256, multipart_id,"
        " request_id, trace_header) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            upload.image_id,
            upload.filename,
            upload.content_type,
            upload.announced_bytes,
            upload.announced_sha256,
            upload.multipart_id,
            upload.request_id,
            upload.trace_header,
        ),
    )


def lock(
    connection: Connection, image_id: UUID, *, contributor_id: UUID | None = None, key: str | None = None
) -> Row | None:
    """The rows of an image and its upload, locked until the transaction ends, and when that `began`; None where there
    is none of this contributor, or with this key of an original."""
    return connection.execute(
        f"SELECT {_IMAGE}, {_UPLOAD}, now() AS began FROM images i JOIN uploads u ON u.image_id = i.id"
        " WHERE i.id = %(image)s"
        " AND (%(contributor)s::uuid IS NULL OR i.contributor_id = %(contributor)s)"
        " AND (%(key)s::text IS NULL OR i.s3_original_key = %(key)s) FOR UPDATE",
        {"image": image_id, "contributor": contributor_id, "key": key},
    ).fetchone()


def own(database: Database, contributor_id: UUID, image_id: UUID) -> Row | None:
    """The same rows of a contributor's own image, not locked."""
    return database.fetch_one(
        f"SELECT {_IMAGE}, {_UPLOAD} FROM images i JOIN uploads u ON u.image_id = i.id"
        " WHERE i.id = %s AND i.contributor_id = %s",
        (image_id, contributor_id),
    )


def announced(database: Database, image_id: UUID) -> Row | None:
    """`announced_bytes` and `announced_sha256`."""
    return database.fetch_one("SELECT announced_bytes, announced_sha256 FROM uploads WHERE image_id = %s", (image_id,))


def wait_for_other_bytes(
    connection: Connection,
    image_id: UUID,
    *,
    refused_version: str,
    announced_bytes: int,
    announced_sha256: bytes | None,
    multipart_id: str | None,
) -> None:
    """The file that was announced anew is another one than the version that was refused."""
    connection.execute(
        "UPDATE uploads SET refused_version = %s, announced_bytes = %s, announced_sha256 = %s, multipart_id = %s"
        " WHERE image_id = %s",
        (refused_version, announced_bytes, announced_sha256, multipart_id, image_id),
    )


def next_run(database: Database, job: IngestionJob) -> bool:
    """Numbers the next run of an image in processing, once: False where another was quicker. Its steps find the
    records of those before; a crash before its start is resumed by the sweeper."""
    with database.transaction() as connection:
        found = lock(connection, job.image_id)
        if found is None or (found["run"], found["object_version"], found["status"]) != (
            job.run,
            job.version_id,
            "processing",
        ):
            return False
        connection.execute(
            "UPDATE uploads SET run = run + 1, replays = replays + 1 WHERE image_id = %s", (job.image_id,)
        )
        touch(connection, job.image_id)
        return True


def next_requested_run(connection: Connection, image_id: UUID, *, trace_header: str | None = None) -> None:
    """Numbers a run that somebody asked for, in the trace of the request if one is given: replays are counted anew."""
    connection.execute(
        "UPDATE uploads SET run = run + 1, replays = 0, trace_header = coalesce(%s, trace_header) WHERE image_id = %s",
        (trace_header, image_id),
    )


def write_suggestions(connection: Connection, image_id: UUID, suggestions: dict[str, Any] | None) -> None:
    """Keeps what the file says of itself, for its contributor."""
    from psycopg.types.json import Jsonb

    connection.execute(
        "UPDATE uploads SET suggestions = %s WHERE image_id = %s",
        (Jsonb(suggestions) if suggestions else None, image_id),
    )


def waiting(database: Database, *, overdue_seconds: int, abandoned_hours: int, limit: int) -> list[Row]:
    """Uploads that nobody has heard of for too long, the oldest first, and whether they are `abandoned`."""
    return database.fetch_all(
        "SELECT i.id, i.s3_original_key, u.multipart_id, u.refused_version,"
        " i.updated_at < now() - make_interval(hours => %s) AS abandoned"
        " FROM images i JOIN uploads u ON u.image_id = i.id"
        " WHERE i.status = 'processing' AND i.object_version IS NULL"
        " AND i.updated_at < now() - make_interval(secs => %s) ORDER BY i.id LIMIT %s",
        (abandoned_hours, overdue_seconds, limit),
    )


def overdue(database: Database, *, overdue_seconds: int, limit: int) -> list[Row]:
    """Jobs in processing with no lease running that nothing was heard of for too long, the longest first; `replays`
    so far, and when anything was `last_heard` of them."""
    return database.fetch_all(
        f"""
        SELECT {_JOB}, u.replays,
               greatest(i.updated_at, max(s.started_at), max(s.finished_at)) AS last_heard, now() AS now
          FROM images i JOIN uploads u ON u.image_id = i.id LEFT JOIN processing_steps s ON s.image_id = i.id
         WHERE i.status = 'processing' AND i.object_version IS NOT NULL
         GROUP BY i.id, u.image_id
        HAVING greatest(i.updated_at, max(s.started_at), max(s.finished_at)) < now() - make_interval(secs => %s)
           AND coalesce(max(s.lease_until) <= now(), true)
         ORDER BY last_heard LIMIT %s
        """,
        (overdue_seconds, limit),
    )


def uncleaned(database: Database, *, compensation: str, overdue_seconds: int, limit: int) -> list[Row]:
    """Jobs of images that ended and were not cleaned up after. Of the last days: older ones were seen then, and
    `imagemarket verify` looks at all."""
    return database.fetch_all(
        f"""
        SELECT {_JOB}
          FROM images i JOIN uploads u ON u.image_id = i.id
          LEFT JOIN processing_steps c ON c.image_id = i.id AND c.step = %s
         WHERE i.status IN ('rejected', 'processing_failed') AND i.object_version IS NOT NULL
           AND i.updated_at BETWEEN now() - interval '2 days' AND now() - make_interval(secs => %s)
           AND coalesce(c.lease_until <= now(), true)
           AND (c.status IS DISTINCT FROM 'succeeded'
                OR EXISTS (SELECT 1 FROM processing_steps s WHERE s.image_id = i.id AND s.lease_until <= now()))
         ORDER BY i.updated_at LIMIT %s
        """,
        (compensation, overdue_seconds, limit),
    )


def progress(database: Database, image_id: UUID, *, contributor_id: UUID | None) -> Row | None:
    """How an image fares, with the records of its steps as JSON; of any contributor where None is given."""
    return database.fetch_one(
        """
        SELECT i.id, i.contributor_id, i.status, i.title, i.rejection, i.version, u.suggestions, i.object_version,
               u.run, i.created_at, i.updated_at, earlier.contributor_id AS earlier_contributor_id,
               (SELECT json_agg(s) FROM processing_steps s WHERE s.image_id = i.id) AS steps
          FROM images i JOIN uploads u ON u.image_id = i.id
          LEFT JOIN images earlier ON earlier.id = (i.rejection ->> 'duplicate_of')::uuid
         WHERE i.id = %s AND (%s::uuid IS NULL OR i.contributor_id = %s)
        """,
        (image_id, contributor_id, contributor_id),
    )


def processed(database: Database, *, after: UUID, limit: int) -> list[Row]:
    """What is kept of images that are not in processing, in the order of their ids behind `after`: the columns of an
    `IngestionJob`, the hashes, whether there is a fingerprint, the length of the vector, and the rows of renditions."""
    return database.fetch_all(
        """
        SELECT i.id, i.contributor_id, i.status, i.s3_original_key, u.run, u.request_id, u.trace_header,
               i.sha256, i.phash, coalesce(i.object_version, 'null') AS object_version, i.model_version,
               f.image_id IS NOT NULL AS has_fingerprint,
               (SELECT l2_norm(e.embedding) FROM image_embeddings e
                 WHERE e.image_id = i.id AND e.model_version = i.model_version) AS vector_length,
               (SELECT json_agg(r) FROM image_renditions r WHERE r.image_id = i.id) AS renditions
          FROM images i JOIN uploads u ON u.image_id = i.id LEFT JOIN image_fingerprints f ON f.image_id = i.id
         WHERE i.id > %s AND i.status <> 'processing' ORDER BY i.id LIMIT %s
        """,
        (after, limit),
    )


def objects(database: Database, image_ids: Iterable[UUID]) -> list[Row]:
    """Which objects belong to images, by their status: the keys of originals and renditions, and versions."""
    return database.fetch_all(
        "SELECT i.id, i.status, i.s3_original_key, i.object_version, u.refused_version,"
        " array(SELECT key FROM image_renditions r WHERE r.image_id = i.id) AS keys"
        " FROM images i JOIN uploads u ON u.image_id = i.id WHERE i.id = ANY(%s)",
        (list(image_ids),),
    )


def count_announced(connection: Connection, account_id: UUID, size_bytes: int) -> tuple[int, int]:
    """Counts bytes that an account announces: how many it has announced today (UTC), and how many seconds are left of
    the day. The account's other announcements wait until the transaction has ended."""
    # Whoever waits for the row may have begun before midnight and those who come before it after, so a day never goes
    # back.
    row = connection.execute(
        """
    INSERT INTO upload_allowances AS a (account_id, day, announced_bytes)
    VALUES (%(account)s, (now() AT TIME ZONE 'UTC')::date, %(bytes)s)
    ON CONFLICT (account_id) DO UPDATE
       SET announced_bytes = excluded.announced_bytes
                           + CASE WHEN a.day >= excluded.day THEN a.announced_bytes ELSE 0 END,
           day = greatest(a.day, excluded.day)
    RETURNING announced_bytes, ceil(extract(epoch FROM
                  (day + 1)::timestamp - (clock_timestamp() AT TIME ZONE 'UTC')))::int AS seconds_left
    """,
        {"account": account_id, "bytes": size_bytes},
    ).fetchone()
    assert row is not None
    return row["announced_bytes"], row["seconds_left"]


def open_uploads(connection: Connection, account_id: UUID) -> int:
    """How many of an account's uploads have not arrived."""
    row = connection.execute(
        "SELECT count(*) AS open FROM images"
        " WHERE contributor_id = %s AND status = 'processing' AND object_version IS NULL",
        (account_id,),
    ).fetchone()
    assert row is not None
    return row["open"]
