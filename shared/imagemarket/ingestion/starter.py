"""An object arrived: start the saga for it, once."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from imagemarket.catalog.keys import image_of_original
from imagemarket.catalog.repository import pin_version
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import IngestionJob
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.errors import InvalidRequest, NotFound
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import add_log_context, count, logger

Outcome = Literal["started", "ignored", "discarded"]
"""`discarded`: the bytes belong to no image any more, and were deleted."""


class IngestionStarter:
    """Starts one execution of `ingest_image` per image.

    Which version of the object an image is made of is decided once: the one that is current when its first event is
    handled. It is pinned in the image's row, and every later reader names it. An event of any other version deletes
    that version, so that the pinned one is current again: a form that is posted twice changes no picture under a
    licence, and leaves none that only a version id finds.
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
            told = event["detail"]["object"]
            key = told["key"]
        except (KeyError, TypeError):
            raise InvalidRequest("detail.object.key is missing from the event.") from None
        image_id = image_of_original(str(key))
        if image_id is None:
            raise InvalidRequest("detail.object.key is not originals/{contributor}/{image}.{extension}.")
        return self.begin(image_id, key, version_id=told.get("version-id"))

    def begin(self, image_id: UUID, key: str, *, version_id: str | None = None) -> Outcome:
        """Starts the saga of an image whose object has arrived; safe to repeat.

        `version_id` is the version that arrived; None stands for the current one. Where no image waits for the object
        (its upload was aborted or has expired), that version is deleted.

        Raises `NotFound` where an announced object is not there, `DependencyUnavailable`.
        """
        add_log_context(image_id=str(image_id), request_id=None)  # of the image before, where one call begins several
        with self._database.transaction() as connection:
            # Locked until the store has answered: no retry and no other event decides on a version meanwhile.
            row = repository.lock(connection, image_id, key=key)
            if row is None:
                self._discard(key, version_id)
                return "discarded"
            add_log_context(request_id=row["request_id"])
            arrived = version_id or self._current(key)
            pinned = row["object_version"] or self._pin(connection, row)
            if pinned is not None and arrived != pinned:
                self._originals.delete_version(key, arrived)
                logger.warning("a version that the image is not made of was deleted", version_id=arrived)
                count("OriginalVersionsDeleted")
        if pinned is None or row["status"] != "processing":
            logger.info("nothing to start: the image has ended, or waits for other bytes than these")
            return "ignored"
        # The pinned version, whichever this event tells of: the start that should have followed the decision may have
        # failed, and starting is safe to repeat.
        self._executions.start(IngestionJob.of({**row, "object_version": pinned}))
        return "started"

    def _current(self, key: str) -> str:
        # "null" is S3's own name for the version of an object in a bucket without versioning.
        return self._originals.head(key).version_id or "null"

    def _pin(self, connection: Connection, row: Row) -> str | None:
        """Decides on the version that is current; None where that is the one that was refused."""
        version = self._current(row["s3_original_key"])
        if version == row["refused_version"]:
            return None
        pin_version(connection, row["id"], version)
        return version

    def _discard(self, key: str, version_id: str | None) -> None:
        try:
            self._originals.delete_version(key, version_id or self._current(key))
        except NotFound:
            return
        logger.warning("bytes that no image waits for were deleted")
        count("OriginalsDiscarded")
