"""Uploads that were announced a day ago and never became a picture."""

from __future__ import annotations

from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.platform.database import Database, Row
from imagemarket.platform.errors import ImageNotFound, NotFound
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import count, logger

ABANDONED_AFTER_HOURS = 24
"""An upload's form and URLs end after an hour, so nothing can arrive any more."""

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
        for row in self._abandoned():
            try:
                self._starter.begin(row["id"], row["s3_original_key"])
            except ImageNotFound:
                logger.info("its contributor took the upload back meanwhile", image_id=str(row["id"]))
            except NotFound:
                done["removed"] += self._remove(row)
            else:
                done["started"] += 1
        for outcome, number in done.items():
            if number:
                count(f"AbandonedUploads.{outcome}", number)
        return done

    def _abandoned(self) -> list[Row]:
        return self._database.fetch_all(
            "SELECT id, s3_original_key, multipart_id FROM images"
            " WHERE status = 'processing' AND object_version IS NULL"
            " AND created_at < now() - make_interval(hours => %s) ORDER BY id LIMIT %s",
            (ABANDONED_AFTER_HOURS, _AT_ONCE),
        )

    def _remove(self, row: Row) -> int:
        if row["multipart_id"] is not None:
            self._originals.abort_multipart(row["s3_original_key"], row["multipart_id"])
        with self._database.transaction() as connection:
            return connection.execute(
                "DELETE FROM images WHERE id = %s AND object_version IS NULL", (row["id"],)
            ).rowcount
