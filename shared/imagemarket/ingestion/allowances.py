"""What one account may announce: so many uploads open at a time, so many bytes a day."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from imagemarket.ingestion.errors import TooManyOpenUploads, UploadAllowanceUsed
from imagemarket.platform.database import Connection

GIB = 1024**3

# Whoever waits for the row may have begun before midnight and those who come before it after, so a day never goes back.
_ADD = """
    INSERT INTO upload_allowances AS a (account_id, day, announced_bytes)
    VALUES (%(account)s, (now() AT TIME ZONE 'UTC')::date, %(bytes)s)
    ON CONFLICT (account_id) DO UPDATE
       SET announced_bytes = excluded.announced_bytes
                           + CASE WHEN a.day >= excluded.day THEN a.announced_bytes ELSE 0 END,
           day = greatest(a.day, excluded.day)
    RETURNING announced_bytes, ceil(extract(epoch FROM
                  (day + 1)::timestamp - (clock_timestamp() AT TIME ZONE 'UTC')))::int AS seconds_left
"""


@dataclass(frozen=True)
class UploadAllowance:
    """`open_uploads` are announced and have not arrived; `gib_a_day` are announced in one day of UTC, whatever became
    of them."""

    open_uploads: int = 1000
    gib_a_day: int = 200

    def take(self, connection: Connection, account_id: UUID, size_bytes: int) -> None:
        """Counts one more upload of `size_bytes` in the caller's transaction, which opens it. The account's other
        announcements wait until that has ended, so that no two find the same place free.

        Raises `TooManyOpenUploads` and `UploadAllowanceUsed`.
        """
        counted = connection.execute(_ADD, {"account": account_id, "bytes": size_bytes}).fetchone()
        assert counted is not None
        if counted["announced_bytes"] > self.gib_a_day * GIB:
            left = max(0, self.gib_a_day * GIB - (counted["announced_bytes"] - size_bytes))
            seconds = max(1, counted["seconds_left"])
            raise UploadAllowanceUsed(
                f"An account may announce {self.gib_a_day:,} GiB a day (UTC), and {left:,} bytes of that are left; try"
                f" again in {seconds} seconds.",
                retry_after=seconds,
            )
        row = connection.execute(
            "SELECT count(*) AS open FROM images"
            " WHERE contributor_id = %s AND status = 'processing' AND object_version IS NULL",
            (account_id,),
        ).fetchone()
        assert row is not None
        if row["open"] >= self.open_uploads:
            raise TooManyOpenUploads(
                f"An account may have {self.open_uploads:,} uploads open; send the bytes of some, or give some up with"
                " DELETE /v1/images/{id}/upload."
            )
