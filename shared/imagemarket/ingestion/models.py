"""What an upload is, what the saga passes between its steps, and how progress is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from imagemarket.catalog.executions import execution_name, version_digest
from imagemarket.catalog.keys import Folder
from imagemarket.catalog.models import ImageStatus, ImageType, LicenseType
from imagemarket.catalog.taxonomy import SLUGS
from imagemarket.ingestion.review import ReviewReason
from imagemarket.platform.text import Text, as_it_looks
from imagemarket.platform.validation import BeyondLimit

if TYPE_CHECKING:
    from imagemarket.imaging.models import EmbeddedDescription

MIB = 1024 * 1024
MAX_UPLOAD_BYTES = 200 * MIB
MULTIPART_ABOVE_BYTES = 100 * MIB
PART_BYTES = 16 * MIB
MAX_PARTS = -(-MAX_UPLOAD_BYTES // PART_BYTES)
UPLOAD_EXPIRES_SECONDS = 3600
RETRY_WINDOW_DAYS = 30
"""How long the original of an image that did not make it is kept for another try."""
ENDED_TAG = {"state": "ended"}
"""Tags of such an original, which a lifecycle rule of the bucket goes by."""
MAX_TAGS = 50
MAX_CATEGORIES = 5

_RAW = "application/octet-stream"
CONTENT_TYPES: dict[str, tuple[str, ...]] = {
    "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",),
    "jpe": ("image/jpeg",),
    "jfif": ("image/jpeg",),
    "png": ("image/png",),
    "tif": ("image/tiff",),
    "tiff": ("image/tiff",),
    "dng": ("image/x-adobe-dng", "image/dng", _RAW),
    "cr2": ("image/x-canon-cr2", _RAW),
    "cr3": ("image/x-canon-cr3", _RAW),
    "nef": ("image/x-nikon-nef", _RAW),
    "arw": ("image/x-sony-arw", _RAW),
    "orf": ("image/x-olympus-orf", _RAW),
    "rw2": ("image/x-panasonic-rw2", "image/x-panasonic-raw", _RAW),
    "raf": ("image/x-fuji-raf", _RAW),
}
"""Accepted file name extensions and the content types each may be announced with. What the file
really is, the first step of the saga decides from its bytes."""


def _known_category(slug: str) -> str:
    if slug not in SLUGS:
        raise BeyondLimit("not a category; GET /v1/categories lists them", allowed=sorted(SLUGS))
    return slug


def _extension(filename: str) -> str:
    return filename.rpartition(".")[2].lower()


def _deduplicated(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def distinct_tags(tags: Iterable[str]) -> list[str]:
    """The tags in their order, the first of those that look alike."""
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(as_it_looks(tag), tag)
    return list(found.values())


Tag = Annotated[str, Text(least=1, most=100, lower=True)]


class UploadRequest(BaseModel):
    """What a contributor says of a picture before its bytes arrive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Text(least=1, most=255)] = Field(examples=["Golden sunset over the Pacific"])
    description: Annotated[str, Text(most=2000, lines=True)] = ""
    categories: Annotated[
        list[Annotated[str, AfterValidator(_known_category)]],
        Field(max_length=MAX_CATEGORIES),
        AfterValidator(_deduplicated),
    ] = Field(default=[], examples=[["nature"]])
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(distinct_tags)] = Field(
        default=[], examples=[["sunset", "ocean"]]
    )
    filename: Annotated[str, Text(least=1, most=255)] = Field(
        examples=["sunset.jpg"],
        description=f"Its extension says the format: {', '.join(CONTENT_TYPES)}. Never shown to others.",
    )
    content_type: Annotated[str, Text(most=100)] = Field(examples=["image/jpeg"])
    size_bytes: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES)] = Field(examples=[8388608])
    sha256: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Lowercase hex; when given, other bytes are refused."
    )
    image_type: ImageType
    license_types: Annotated[list[LicenseType], Field(min_length=1, max_length=3), AfterValidator(_deduplicated)]

    @property
    def extension(self) -> str:
        """The file name's extension, lower case, without the dot."""
        return _extension(self.filename)

    @field_validator("filename")
    @classmethod
    def _is_a_bare_name_of_a_format(cls, value: str) -> str:
        if "/" in value or "\\" in value:
            raise ValueError("must be a bare name without folders")
        if "." not in value or _extension(value) not in CONTENT_TYPES:
            raise ValueError(f"must end in one of {', '.join('.' + e for e in CONTENT_TYPES)}")
        return value

    @field_validator("content_type")
    @classmethod
    def _agrees_with_the_name(cls, value: str, info: ValidationInfo) -> str:
        ending = _extension(info.data.get("filename", ""))
        if ending in CONTENT_TYPES and value not in CONTENT_TYPES[ending]:
            kinds = list(CONTENT_TYPES[ending])
            raise BeyondLimit(f"must be {' or '.join(kinds)}, as filename ends in .{ending}", allowed=kinds)
        return value


class PostUpload(BaseModel):
    """A presigned POST: send `fields`, then the file as the last field `file`, to `url`."""

    method: Literal["POST"] = "POST"
    url: str
    fields: dict[str, str]


class PresignedPart(BaseModel):
    """Where one part goes by PUT."""

    number: int
    url: str


class MultipartUpload(BaseModel):
    """Above 100 MiB: PUT each part of `part_size` bytes (the last one the rest), then POST
    `complete_url` with the ETags; DELETE `abort_url` gives up."""

    method: Literal["multipart"] = "multipart"
    part_size: int
    parts: list[PresignedPart]
    complete_url: str
    abort_url: str


class UploadTicket(BaseModel):
    """Where the bytes go, and for how many seconds. Of an `Idempotency-Key` whose picture has arrived there is nothing
    to send: how it fares tells `GET /v1/images/{image_id}/status`."""

    image_id: UUID
    status: ImageStatus = ImageStatus.PROCESSING
    upload: Annotated[PostUpload | MultipartUpload, Field(discriminator="method")] | None = Field(
        description="null where the bytes are there already."
    )
    expires_in: int | None = UPLOAD_EXPIRES_SECONDS


class RetryRequest(BaseModel):
    """What is different about the file this time; what is not said stays as it was announced."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size_bytes: Annotated[int, Field(strict=True, ge=1, le=MAX_UPLOAD_BYTES)] | None = Field(
        default=None, examples=[8388608]
    )
    sha256: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Lowercase hex; when given, other bytes are refused."
    )


class RetryTicket(BaseModel):
    """The image is in processing again: from the file that was kept, or as soon as `upload` brings another."""

    image_id: UUID
    status: ImageStatus
    upload: Annotated[PostUpload | MultipartUpload, Field(discriminator="method")] | None = None
    expires_in: int | None = None


class UploadedPart(BaseModel):
    """A part the store took, with the ETag it answered."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(strict=True, ge=1, le=MAX_PARTS)]
    etag: Annotated[str, Text(least=1, most=200)]


class CompleteUpload(BaseModel):
    """All parts of a multipart upload."""

    model_config = ConfigDict(extra="forbid")

    parts: Annotated[list[UploadedPart], Field(min_length=1, max_length=MAX_PARTS)]


class StatusQuery(BaseModel):
    """How an image's status is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wait: int = Field(
        default=0, ge=0, le=30, description="Answer when processing has ended, or after so many seconds, 20 at most."
    )


class Step(StrEnum):
    """The steps of the saga that leave a record, in the order a reader expects them."""

    INSPECT = "inspect"
    DETECT_DUPLICATE = "detect_duplicate"
    MAKE_THUMBNAILS = "make_thumbnails"
    MAKE_WATERMARK = "make_watermark"
    EMBED_AND_TAG = "embed_and_tag"
    PUBLISH = "publish"


COMPENSATE = "compensate"
"""The record of a compensation stands beside those of the steps; nobody waits to see it."""


class StepProgress(BaseModel):
    """How far one step is."""

    step: str
    status: Literal["pending", "running", "succeeded", "failed"]
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Rejection(BaseModel):
    """Why an image did not make it: a machine `code` and a sentence."""

    code: str
    detail: str
    duplicate_of: UUID | None = Field(
        default=None, description="The earlier image, told only when it belongs to the same contributor."
    )


class Suggestions(BaseModel):
    """What the file says of itself in XMP, IPTC or EXIF. Nothing of it is published: it is there to be taken over."""

    title: str | None = None
    description: str | None = None
    keywords: list[str] = []
    creator: str | None = None
    copyright: str | None = None
    credit: str | None = Field(default=None, description="The line to print beside the picture.")

    @classmethod
    def of(cls, described: EmbeddedDescription) -> Suggestions:
        """The same as an answer."""
        return cls(
            title=described.title,
            description=described.description,
            keywords=list(described.keywords),
            creator=described.creator,
            copyright=described.copyright,
            credit=described.credit,
        )


class ImageProgress(BaseModel):
    """Where an upload stands."""

    image_id: UUID
    status: ImageStatus
    title: str
    steps: list[StepProgress]
    rejection: Rejection | None = None
    review: list[ReviewReason] = Field(default=[], description="Why it is held, while it is `pending_review`.")
    suggestions: Suggestions | None = Field(
        default=None,
        description="What the file says of itself, once it is processed; for its contributor alone, and not published.",
    )
    created_at: datetime
    updated_at: datetime


class IngestionJob(BaseModel):
    """The saga's state: which version of which object becomes which image. Everything larger that
    a step finds is kept in its record or in the work bucket, never in the state."""

    model_config = ConfigDict(frozen=True)

    image_id: UUID
    contributor_id: UUID
    key: str
    version_id: str
    run: int = 1
    """Which execution for this version it is: a replay or a retry is the next one."""
    execution: str = ""
    request_id: str | None = None
    """The request that announced the image, for the log."""
    trace_header: str | None = Field(default=None, exclude=True)
    """The trace that the execution goes on with; no part of its input."""

    @classmethod
    def of(cls, image: Mapping[str, Any]) -> IngestionJob:
        """The job of an image's row: its id, contributor_id, s3_original_key, object_version, run, request_id and
        trace_header."""
        return cls(
            image_id=image["id"],
            contributor_id=image["contributor_id"],
            key=image["s3_original_key"],
            version_id=image["object_version"],
            run=image["run"],
            request_id=image["request_id"],
            trace_header=image["trace_header"],
        )

    @property
    def work_prefix(self) -> str:
        """Where the steps keep what passes between them."""
        return f"{Folder.WORK.of(self.image_id)}{version_digest(self.version_id)}/"

    @property
    def execution_name(self) -> str:
        """See `catalog.executions.execution_name`."""
        return execution_name(self.image_id, self.version_id, self.run)


class FailedStep(BaseModel):
    """What Step Functions hands to a Catch."""

    Error: str = "States.Unknown"
    Cause: str = ""


StepOutput = dict[str, Any]
