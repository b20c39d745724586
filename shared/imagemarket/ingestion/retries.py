"""A contributor's next try with an image that did not make it."""

from __future__ import annotations

from uuid import UUID

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.images import RETRY, change_status
from imagemarket.catalog.models import ImageStatus
from imagemarket.imaging.errors import ImageNotProcessable, UnreadableImage
from imagemarket.ingestion.errors import OriginalMismatch
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import (
    COMPENSATE,
    UPLOAD_EXPIRES_SECONDS,
    IngestionJob,
    RetryRequest,
    RetryTicket,
)
from imagemarket.ingestion.originals import keep_original
from imagemarket.ingestion.repository import steps
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.database import Connection, Row
from imagemarket.platform.errors import Conflict, DependencyUnavailable, NotFound
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import current_trace_header, logger

BYTES_AT_FAULT = {OriginalMismatch.slug, UnreadableImage.slug, ImageNotProcessable.slug}
"""Rejections that other bytes of the same picture can mend: it was cut short, is not the file that was meant, or is
saved in a way that a library fails on."""

_TRY_AGAIN_SECONDS = 60


class Retries:
    """The use case behind `POST /v1/images/{id}/retry`."""

    def __init__(
        self, *, uploads: Uploads, originals: ObjectStore, executions: Executions, idempotency: IdempotencyKeys
    ) -> None:
        self._uploads = uploads
        self._originals = originals
        self._executions = executions
        self._idempotency = idempotency

    def retry(
        self, contributor_id: UUID, image_id: UUID, request: RetryRequest, *, idempotency_key: str | None
    ) -> RetryTicket:
        """Starts an image that is `processing_failed` again from the file that was kept, as the next run. Where the
        bytes were at fault, or are no longer kept, the ticket says where to send others.

        Raises `ImageNotFound`; `Conflict` for an image in another status or rejected for what it shows, and with
        `Retry-After` while its last run is still being cleaned up after; for other bytes `TooManyOpenUploads` and
        `UploadAllowanceUsed`; what `IdempotencyKeys.run` raises. Of a key that was used already the ticket says how
        the image stands now, with another hour for its bytes; `Conflict` where that try has come to nothing.
        """
        made: list[tuple[RetryTicket, IngestionJob | None]] = []

        def work(connection: Connection) -> dict[str, object]:
            ticket, job, run = self._again(connection, contributor_id, image_id, request)
            made.append((ticket, job))
            return {"image_id": str(image_id), "run": run}  # a form is signed anew: the first lasts for an hour

        answer = self._idempotency.run(
            account_id=contributor_id,
            operation="retry",
            key=idempotency_key,
            request={"image_id": str(image_id), **request.model_dump(mode="json")},
            work=work,
        )
        if not made:
            return self._asked_for(contributor_id, image_id, run=answer.get("run"))
        ticket, job = made[-1]
        if job is not None:  # after the commit: the steps look for the new run
            self._start(job)
        return ticket

    def _asked_for(self, contributor_id: UUID, image_id: UUID, *, run: int | None) -> RetryTicket:
        image = self._uploads.own(contributor_id, image_id)
        status = ImageStatus(image["status"])
        if status in {ImageStatus.REJECTED, ImageStatus.PROCESSING_FAILED}:
            raise Conflict(
                f"The try that this Idempotency-Key asked for is over: the image is {status}; send a new key."
            )
        if image["object_version"] is not None:
            return RetryTicket(image_id=image_id, status=status)
        if run is not None and image["run"] != run:
            raise Conflict("The try that this Idempotency-Key asked for is over: another one waits for its bytes.")
        upload = self._uploads.way_up_again(image_id, image)
        return RetryTicket(
            image_id=image_id, status=status, upload=upload, expires_in=UPLOAD_EXPIRES_SECONDS if upload else None
        )

    def _start(self, job: IngestionJob) -> None:
        try:
            keep_original(self._originals, job)
            self._executions.start(job)
        except DependencyUnavailable:
            logger.warning("the sweeper starts it", image_id=str(job.image_id))

    def _again(
        self, connection: Connection, contributor_id: UUID, image_id: UUID, request: RetryRequest
    ) -> tuple[RetryTicket, IngestionJob | None, int]:
        """The ticket, what is to be started now, and the number of the run."""
        image = self._may_be_tried_again(connection, contributor_id, image_id)
        # That all was cleaned up holds until other bytes are there, too.
        steps.delete(connection, image_id, but=COMPENSATE)
        key, version, run = image["s3_original_key"], image["object_version"], image["run"] + 1
        other_bytes = request.size_bytes is not None or request.sha256 is not None
        if image["status"] == "processing_failed" and not other_bytes and self._is_kept(key, version):
            steps.delete(connection, image_id)
            self._retried(connection, contributor_id, image, {"rejection": None})
            job = IngestionJob.of({**image, "run": run, "trace_header": _trace(image)})
            return RetryTicket(image_id=image_id, status=ImageStatus.PROCESSING), job, run
        size = request.size_bytes or image["announced_bytes"]
        announced = image["announced_sha256"]
        same_file = request.size_bytes is None and image["status"] == "processing_failed"
        sha256 = request.sha256 or (bytes(announced).hex() if announced and same_file else None)
        self._uploads.allowance.take(connection, contributor_id, size)
        multipart_id = self._uploads.start_multipart(key, content_type=image["content_type"], size_bytes=size)
        # The reason stands until other bytes are there; should they never come, it is the reason again.
        self._retried(connection, contributor_id, image, {"object_version": None})
        repository.wait_for_other_bytes(
            connection,
            image_id,
            refused_version=version,
            announced_bytes=size,
            announced_sha256=bytes.fromhex(sha256) if sha256 else None,
            multipart_id=multipart_id,
        )
        upload = self._uploads.upload_target(
            image_id,
            key,
            content_type=image["content_type"],
            size_bytes=size,
            sha256=sha256,
            multipart_id=multipart_id,
        )
        return (
            RetryTicket(
                image_id=image_id, status=ImageStatus.PROCESSING, upload=upload, expires_in=UPLOAD_EXPIRES_SECONDS
            ),
            None,
            run,
        )

    @staticmethod
    def _retried(connection: Connection, contributor_id: UUID, image: Row, columns: dict[str, object]) -> None:
        change = change_status(
            connection,
            image["id"],
            RETRY,
            ImageStatus.PROCESSING,
            actor=f"contributor {contributor_id}",
            reason="Its contributor asked for it.",
            columns=columns,
        )
        assert change is not None, "the row is locked"
        repository.next_requested_run(connection, image["id"], trace_header=current_trace_header())

    @staticmethod
    def _may_be_tried_again(connection: Connection, contributor_id: UUID, image_id: UUID) -> Row:
        image = repository.lock(connection, image_id, contributor_id=contributor_id)
        if image is None:
            raise ImageNotFound("None of your images has this id.")
        code = (image["rejection"] or {}).get("code")
        if image["status"] == "rejected" and code not in BYTES_AT_FAULT:
            raise Conflict("The picture itself was refused; upload another one.")
        if image["status"] not in {"rejected", "processing_failed"}:
            raise Conflict(f"The image is {image['status']}; only one that is processing_failed can be tried again.")
        # What of the last run may still be at work would disturb the next one.
        if not steps.is_cleaned_up(connection, image_id):
            raise Conflict(
                f"Its last run is still being cleaned up after; try again in {_TRY_AGAIN_SECONDS} seconds.",
                headers={"Retry-After": str(_TRY_AGAIN_SECONDS)},
            )
        return image

    def _is_kept(self, key: str, version: str) -> bool:
        try:
            self._originals.head(key, version_id=None if version == "null" else version)
        except NotFound:
            return False
        return True


def _trace(image: Row) -> str | None:
    """The trace that its next run belongs to."""
    return current_trace_header() or image["trace_header"]
