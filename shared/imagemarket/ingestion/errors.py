"""The errors of uploads and the saga."""

from __future__ import annotations

from imagemarket.imaging.errors import ImageRejected
from imagemarket.platform.errors import Conflict, DependencyUnavailable, TooManyRequests


class UploadIncomplete(Conflict):
    """The parts of a multipart upload do not make up the promised file."""

    slug, title, status = "upload-incomplete", "The uploaded parts do not make up the file", 409


class TooManyOpenUploads(Conflict):
    """The account has announced as many uploads that have not arrived as it may."""

    slug, title, status = "too-many-open-uploads", "Too many uploads are open", 409


class JobSuperseded(Conflict):
    """A late delivery: its image has ended, or goes on in another run or with another version of its object."""

    slug, title, status = "job-superseded", "The image has gone on without this job", 409


class UploadAllowanceUsed(TooManyRequests):
    """The account has announced as many bytes today as it may; `Retry-After` is when tomorrow begins."""

    slug, title, status, retryable = "upload-allowance-used", "Enough was announced for today", 429, True


class OriginalMismatch(ImageRejected):
    """What lies in the store is not what the contributor announced (size or checksum)."""

    slug, title, status = "original-mismatch", "The uploaded bytes are not the announced ones", 422


class DuplicateImage(ImageRejected):
    """The picture is in the catalogue already."""

    slug, title, status = "duplicate-image", "The picture is in the catalogue already", 422


class StepInProgress(DependencyUnavailable):
    """Another delivery of this step is at work, or was and has not been heard of since."""

    slug, title, status, retryable = "step-in-progress", "Another delivery of this step is at work", 503, True
