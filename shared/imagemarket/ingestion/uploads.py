"""Announcing an upload, finishing it in parts, and asking how it goes."""

from __future__ import annotations

import base64
from uuid import UUID

from imagemarket.catalog import repository as catalog
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.images import ABANDON_RETRY, change_status
from imagemarket.catalog.keys import original_key
from imagemarket.catalog.models import ImageStatus
from imagemarket.ingestion.allowances import UploadAllowance
from imagemarket.ingestion.errors import UploadIncomplete
from imagemarket.ingestion.models import (
    MULTIPART_ABOVE_BYTES,
    PART_BYTES,
    UPLOAD_EXPIRES_SECONDS,
    MultipartUpload,
    PostUpload,
    PresignedPart,
    UploadedPart,
    UploadRequest,
    UploadTicket,
)
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.errors import Conflict, NotFound
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.ids import new_id
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.telemetry import add_log_context, count, current_request_id, current_trace_header

_ABORTED = "The multipart upload was aborted"


class Uploads:
    """The upload use cases. No image byte passes through here: clients talk to the object store."""

    def __init__(
        self,
        *,
        database: Database,
        originals: ObjectStore,
        idempotency: IdempotencyKeys,
        public_base_url: str,
        allowance: UploadAllowance | None = None,
    ) -> None:
        self._database = database
        self._originals = originals
        self._idempotency = idempotency
        self._public_base_url = public_base_url
        self.allowance = allowance or UploadAllowance()

    def announce(self, contributor_id: UUID, request: UploadRequest, *, idempotency_key: str | None) -> UploadTicket:
        """Writes the image and its upload and says where its bytes go; of a key that announced one already, again and
        for another hour, unless the bytes are there.

        Raises `Conflict` where that one was given up or waits for other bytes, `TooManyOpenUploads`,
        `UploadAllowanceUsed`, and what `IdempotencyKeys.run` raises.
        """
        made: list[UploadTicket] = []

        def work(connection: Connection) -> dict[str, object]:
            made.append(self._create(connection, contributor_id, request))
            return {"image_id": str(made[-1].image_id)}  # the form is signed anew: the first lasts for an hour

        answer = self._idempotency.run(
            account_id=contributor_id,
            operation="upload",
            key=idempotency_key,
            request=request.model_dump(mode="json"),
            work=work,
        )
        ticket = made[-1] if made else self._announced(contributor_id, UUID(answer["image_id"]), request)
        add_log_context(image_id=str(ticket.image_id))
        count("UploadsAnnounced")
        return ticket

    def _create(self, connection: Connection, contributor_id: UUID, request: UploadRequest) -> UploadTicket:
        self.allowance.take(connection, contributor_id, request.size_bytes)
        image_id = new_id()
        key = original_key(contributor_id, image_id, request.extension)
        multipart_id = self.start_multipart(key, content_type=request.content_type, size_bytes=request.size_bytes)
        catalog.add(
            connection,
            catalog.NewImage(
                id=image_id,
                contributor_id=contributor_id,
                title=request.title,
                description=request.description,
                image_type=request.image_type,
                license_types=request.license_types,
                tags=request.tags,
                categories=request.categories,
                s3_original_key=key,
            ),
        )
        repository.add(
            connection,
            repository.NewUpload(
                image_id=image_id,
                filename=request.filename,
                content_type=request.content_type,
                announced_bytes=request.size_bytes,
                announced_sha256=bytes.fromhex(request.sha256) if request.sha256 else None,
                multipart_id=multipart_id,
                request_id=current_request_id(),
                trace_header=current_trace_header(),
            ),
        )
        return UploadTicket(
            image_id=image_id,
            upload=self.upload_target(
                image_id,
                key,
                content_type=request.content_type,
                size_bytes=request.size_bytes,
                sha256=request.sha256,
                multipart_id=multipart_id,
            ),
        )

    def _announced(self, contributor_id: UUID, image_id: UUID, request: UploadRequest) -> UploadTicket:
        def over(stands: str) -> Conflict:
            return Conflict(f"The upload that this Idempotency-Key announced {stands}.", image_id=str(image_id))

        try:
            image = self.own(contributor_id, image_id)
        except ImageNotFound:
            raise over("was given up; send a new key to announce another") from None
        if image["announced_bytes"] != request.size_bytes:
            raise over("waits for other bytes now, which a retry announced")
        upload = self.way_up_again(image_id, image)
        return UploadTicket(
            image_id=image_id,
            status=ImageStatus(image["status"]),
            upload=upload,
            expires_in=UPLOAD_EXPIRES_SECONDS if upload else None,
        )

    def way_up_again(self, image_id: UUID, image: Row) -> PostUpload | MultipartUpload | None:
        """Where the bytes of an announced image go, by its row; None where they are there already, be it unnoticed.

        Raises `Conflict` where the parts were thrown away, whose addresses would lead nowhere.
        """
        if self._has_arrived(image):
            return None
        if image["multipart_id"] is not None:
            try:
                self._originals.list_parts(image["s3_original_key"], image["multipart_id"])
            except NotFound:
                if self._has_arrived(image):  # joined a moment ago
                    return None
                raise Conflict(f"{_ABORTED}; announce it again with a new key.", image_id=str(image_id)) from None
        sha256 = image["announced_sha256"]
        return self.upload_target(
            image_id,
            image["s3_original_key"],
            content_type=image["content_type"],
            size_bytes=image["announced_bytes"],
            sha256=bytes(sha256).hex() if sha256 else None,
            multipart_id=image["multipart_id"],
        )

    def start_multipart(self, key: str, *, content_type: str, size_bytes: int) -> str | None:
        """Opens a multipart upload for a file that is sent in parts; its id."""
        if size_bytes <= MULTIPART_ABOVE_BYTES:
            return None
        return self._originals.start_multipart(key, content_type=content_type)

    def upload_target(
        self,
        image_id: UUID,
        key: str,
        *,
        content_type: str,
        size_bytes: int,
        sha256: str | None,
        multipart_id: str | None,
    ) -> PostUpload | MultipartUpload:
        """Where the bytes go: by a form of exactly this size, type and checksum (hex), or in parts."""
        if multipart_id:
            return self._multipart(image_id, key, multipart_id, size_bytes)
        fields = {"Content-Type": content_type}
        if sha256:
            fields["x-amz-checksum-algorithm"] = "SHA256"
            fields["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        form = self._originals.presign_post(
            key, fields=fields, size_bytes=size_bytes, expires_in=UPLOAD_EXPIRES_SECONDS
        )
        return PostUpload(url=form["url"], fields=form["fields"])

    def _multipart(self, image_id: UUID, key: str, multipart_id: str, size_bytes: int) -> MultipartUpload:
        parts = [
            PresignedPart(
                number=number,
                url=self._originals.presign_part(
                    key, multipart_id, number, size_bytes=size, expires_in=UPLOAD_EXPIRES_SECONDS
                ),
            )
            for number, size in part_sizes(size_bytes)
        ]
        base = f"{self._public_base_url}/v1/images/{image_id}/upload"
        return MultipartUpload(part_size=PART_BYTES, parts=parts, complete_url=f"{base}/complete", abort_url=base)

    def complete(self, contributor_id: UUID, image_id: UUID, parts: list[UploadedPart]) -> None:
        """Joins a multipart upload once its parts make up the announced size.

        Asking again after it was joined is fine. Raises `ImageNotFound`, `Conflict` when there is no
        multipart upload, `UploadIncomplete` naming what is missing.
        """
        image = self.own(contributor_id, image_id)
        key, multipart_id = image["s3_original_key"], image["multipart_id"]
        if multipart_id is None:
            raise Conflict("This image is not uploaded in parts.")
        try:
            arrived = {number: (etag, size) for number, etag, size in self._originals.list_parts(key, multipart_id)}
        except NotFound:
            if self._exists(key, other_than=image["refused_version"]):
                return
            raise Conflict(f"{_ABORTED}; announce the image again.") from None
        expected = dict(part_sizes(image["announced_bytes"]))
        named = {part.number: part.etag.strip('"') for part in parts}
        wrong = [
            number
            for number, size in expected.items()
            if number not in named
            or number not in arrived
            or arrived[number][1] != size
            or arrived[number][0].strip('"') != named[number]
        ]
        if wrong or set(named) - set(expected):
            raise UploadIncomplete(
                f"The file has {len(expected)} parts of {PART_BYTES} bytes (the last one the rest);"
                " send those listed in `parts` again.",
                parts=wrong or sorted(set(named) - set(expected)),
            )
        try:
            self._originals.complete_multipart(key, multipart_id, sorted((n, arrived[n][0]) for n in expected))
        except NotFound:
            if not self._exists(key, other_than=image["refused_version"]):
                raise

    def _has_arrived(self, image: Row) -> bool:
        return image["object_version"] is not None or self._exists(
            image["s3_original_key"], other_than=image["refused_version"]
        )

    def _exists(self, key: str, *, other_than: str | None) -> bool:
        """Whether there is a current version, other than the one that was refused."""
        try:
            current = self._originals.head(key)
        except NotFound:
            return False
        return other_than is None or current.version_id != other_than

    def abort(self, contributor_id: UUID, image_id: UUID) -> None:
        """Gives up an upload whose bytes have not all arrived: the parts and the row go away, or the image is refused
        again for the reason that other bytes were to mend.

        Raises `ImageNotFound`, and `Conflict` once processing has begun.
        """
        image = self.own(contributor_id, image_id)
        if self._has_arrived(image):
            raise _arrived(image["status"])
        if image["multipart_id"] is not None:
            self._originals.abort_multipart(image["s3_original_key"], image["multipart_id"])
        with self._database.transaction() as connection:
            if image["refused_version"] is None:
                # Bytes that arrive from here on belong to no image; their event deletes them.
                if not catalog.remove_unsent(connection, image_id) and (left := repository.lock(connection, image_id)):
                    raise _arrived(left["status"])
            else:
                refuse_again(connection, image_id, actor=f"contributor {contributor_id}")

    def own(self, contributor_id: UUID, image_id: UUID) -> Row:
        """The rows of a contributor's own image and its upload. Raises `ImageNotFound`."""
        row = repository.own(self._database, contributor_id, image_id)
        if row is None:
            raise ImageNotFound("None of your images has this id.")
        return row


def _arrived(status: str) -> Conflict:
    stands = "is being processed" if status == "processing" else f"is {status}"
    return Conflict(f"The upload has arrived already, and the image {stands}.")


def refuse_again(connection: Connection, image_id: UUID, *, actor: str) -> None:
    """The other bytes that a refused image waited for do not come: it is refused for the reason it was."""
    waits = repository.lock(connection, image_id)
    if waits is not None and waits["object_version"] is None and waits["refused_version"] is not None:
        change_status(
            connection,
            image_id,
            ABANDON_RETRY,
            ImageStatus.REJECTED,
            actor=actor,
            reason="The bytes that its retry announced did not come.",
            columns={"object_version": waits["refused_version"]},
        )


def part_sizes(size_bytes: int) -> list[tuple[int, int]]:
    """`(number from 1, bytes)` of each part of a file of `size_bytes` bytes."""
    starts = range(0, size_bytes, PART_BYTES)
    return [(number, min(PART_BYTES, size_bytes - start)) for number, start in enumerate(starts, start=1)]
