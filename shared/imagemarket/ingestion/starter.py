"""An object arrived: start the saga for it, once."""

from __future__ import annotations

import re
from typing import Any, Literal
from uuid import UUID

from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.database import Database
from imagemarket.platform.errors import ImageNotFound, InvalidRequest
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import annotate, logger

_KEY = re.compile(r"originals/(?P<contributor>[0-9a-f-]{36})/(?P<image>[0-9a-f-]{36})\.[a-z0-9]{2,5}")

Outcome = Literal["started", "ignored"]


class IngestionStarter:
    """Starts one execution of `ingest_image` per image.

    Which version of the object an image is made of is decided once, atomically: the one that is
    current when its first event is handled. It is written to the image's row, every later reader
    names it, and events of other versions (or the same one again) start it again at most, which the
    execution's name makes no second one of. So a picture can never be changed under a licence by a second
    upload to the same presigned form.
    """

    def __init__(self, *, database: Database, originals: ObjectStore, executions: Executions) -> None:
        self._database = database
        self._originals = originals
        self._executions = executions

    def handle(self, event: dict[str, Any]) -> Outcome:
        """Handles one EventBridge event `Object Created` of the originals bucket.

        Raises `InvalidRequest` for an event of another form, and what `begin` raises.
        """
        try:
            key = event["detail"]["object"]["key"]
        except (KeyError, TypeError):
            raise InvalidRequest("detail.object.key is missing from the event.") from None
        match = _KEY.fullmatch(str(key))
        if match is None:
            raise InvalidRequest("detail.object.key is not originals/{contributor}/{image}.{extension}.")
        return self.begin(UUID(match["image"]), key)

    def begin(self, image_id: UUID, key: str) -> Outcome:
        """Starts the saga of an image whose object has arrived; safe to repeat.

        Raises `ImageNotFound` for an object that nobody announced, `NotFound` for one that is gone,
        `DependencyUnavailable`.
        """
        annotate(image_id=str(image_id))
        current = self._originals.head(key)
        # "null" is S3's own name for the version of an object in a bucket without versioning.
        claimed = self._claim(image_id, key, current.version_id or "null")
        if claimed is None:
            logger.info("nothing to start: the image has ended, or waits for other bytes than these")
            return "ignored"
        self._executions.start(claimed)
        return "started"

    def _claim(self, image_id: UUID, key: str, version_id: str) -> IngestionJob | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE images SET"
                " object_version = coalesce(object_version, nullif(%(version)s, refused_version)),"
                " updated_at = CASE WHEN object_version IS NULL AND refused_version IS DISTINCT FROM %(version)s"
                "                   THEN now() ELSE updated_at END,"
                " rejection = CASE WHEN object_version IS NULL AND refused_version IS DISTINCT FROM %(version)s"
                "                  THEN NULL ELSE rejection END"
                " WHERE id = %(image)s AND s3_original_key = %(key)s"
                " RETURNING id, contributor_id, s3_original_key, object_version, run, status, request_id",
                {"version": version_id, "image": image_id, "key": key},
            ).fetchone()
        if row is None:
            raise ImageNotFound("No image was announced for this object.")
        if row["status"] != "processing" or row["object_version"] is None:
            return None
        # The version that was decided upon, whichever this event tells of: the start that should have followed
        # the decision may have failed, and starting is safe to repeat.
        return IngestionJob.of(row)
