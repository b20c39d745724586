"""The one tree of errors.

Each class knows its problem `slug`, `title`, HTTP `status` and whether trying again can help. Its
class name is also the token that a Step Functions Retry or Catch names in `ErrorEquals`, so renaming
a class changes the saga; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID


class MarketError(Exception):
    """Something the marketplace refuses or cannot do, said so that the reader can act on it.

    `detail` names the field, the limit and the way out; it never carries a key, a path, a token or
    another user's data. `extensions` become members of the RFC 9457 problem document.
    """

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions


# --- What a caller got wrong -------------------------------------------------------------------


class InvalidRequest(MarketError):
    """A parameter or body field is missing, malformed or out of its limits."""

    slug, title, status = "invalid-request", "The request is not valid", 422

    def __init__(self, detail: str, *, errors: Sequence[Mapping[str, Any]] = (), **extensions: Any) -> None:
        super().__init__(detail, **({"errors": [dict(e) for e in errors]} if errors else {}), **extensions)


class InvalidCursor(InvalidRequest):
    """A cursor was tampered with, is too old, or belongs to another query."""

    slug, title, status = "invalid-cursor", "The cursor cannot be used", 422


class IdempotencyKeyReused(InvalidRequest):
    """The same Idempotency-Key came with another body."""

    slug, title, status = "idempotency-key-reused", "The idempotency key belongs to another request", 422


class InvalidMailToken(InvalidRequest):
    """The token of an e-mail is unknown, was used, or is over."""

    slug, title, status = "invalid-mail-token", "The token of the e-mail cannot be used", 422


class Unauthenticated(MarketError):
    """The caller did not prove who they are."""

    slug, title, status = "unauthenticated", "Sign in to do this", 401

    def __init__(self, detail: str, *, challenge: str = "Bearer", **extensions: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": challenge}, **extensions)


class TokenExpired(Unauthenticated):
    """The access token was real and is over."""

    slug, title, status = "token-expired", "The access token has expired", 401


class InvalidCredentials(Unauthenticated):
    """Unknown e-mail or wrong password: deliberately one answer for both."""

    slug, title, status = "invalid-credentials", "E-mail or password is wrong", 401


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, over, revoked, or was used before."""

    slug, title, status = "invalid-refresh-token", "The refresh token cannot be used", 401


class Forbidden(MarketError):
    """The caller is known and may not do this."""

    slug, title, status = "forbidden", "This account may not do that", 403


class NotFound(MarketError):
    """There is no such thing, or the caller may not know that there is."""

    slug, title, status = "not-found", "There is nothing here", 404


class MethodNotAllowed(MarketError):
    """The path is one of this API, the method is not one of the path's."""

    slug, title, status = "method-not-allowed", "The path does not take this method", 405

    def __init__(self, detail: str, *, allowed: Sequence[str], **extensions: Any) -> None:
        super().__init__(detail, headers={"Allow": ", ".join(allowed)}, **extensions)


class ImageNotFound(NotFound):
    """No image with this id is visible to the caller."""

    slug, title, status = "image-not-found", "There is no such image", 404


class ImageGone(NotFound):
    """The image was here and was taken down or deleted; it is not coming back under this address by itself."""

    slug, title, status = "image-gone", "The image was taken down", 410


class QueryImageNotFound(NotFound):
    """No picture to search by came by this form, or it was used already."""

    slug, title, status = "query-image-not-found", "There is no such picture to search by", 404


class Conflict(MarketError):
    """The request is right but the state of things is against it."""

    slug, title, status = "conflict", "The state of things is against this", 409


class EmailTaken(Conflict):
    """An account with this e-mail exists."""

    slug, title, status = "email-taken", "An account with this e-mail exists", 409


class IdempotencyInFlight(Conflict):
    """The first request with this Idempotency-Key has not ended yet."""

    slug, title, status = "idempotency-in-flight", "The first request with this key is still under way", 409


class UploadIncomplete(Conflict):
    """The parts of a multipart upload do not make up the promised file."""

    slug, title, status = "upload-incomplete", "The uploaded parts do not make up the file", 409


class TooManyOpenUploads(Conflict):
    """The account has announced as many uploads that have not arrived as it may."""

    slug, title, status = "too-many-open-uploads", "Too many uploads are open", 409


class JobSuperseded(Conflict):
    """A late delivery: its image has ended, or goes on in another run or with another version of its object."""

    slug, title, status = "job-superseded", "The image has gone on without this job", 409


class PicturesMissing(Conflict):
    """Pictures without a vector of a model keep it from being used."""

    slug, title, status = "pictures-missing", "Some pictures have no vector of this model yet", 409


class TooManyRequests(MarketError):
    """A limit on attempts or requests was reached; `Retry-After` says when to come back."""

    slug, title, status, retryable = "too-many-requests", "Too many requests", 429, True

    def __init__(self, detail: str, *, retry_after: int, **extensions: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)}, **extensions)


class UploadAllowanceUsed(TooManyRequests):
    """The account has announced as many bytes today as it may; `Retry-After` is when tomorrow begins."""

    slug, title, status, retryable = "upload-allowance-used", "Enough was announced for today", 429, True


# --- Why a picture is refused ------------------------------------------------------------------


class ImageRejected(MarketError):
    """The picture itself is the reason; trying again with the same bytes cannot help.

    `slug` doubles as the machine code that a contributor reads in the image's status.
    """

    slug, title, status = "image-rejected", "The picture was rejected", 422


class UnsupportedFormat(ImageRejected):
    """The bytes are not of a format on the allow-list."""

    slug, title, status = "unsupported-format", "The file format is not accepted", 422


class UnreadableImage(ImageRejected):
    """The bytes claim a format but do not decode: truncated, corrupt or lying."""

    slug, title, status = "unreadable-image", "The picture cannot be read", 422


class ImageTooLarge(ImageRejected):
    """More pixels, bytes or metadata than the limit; found by arithmetic before decoding."""

    slug, title, status = "image-too-large", "The picture is too large", 422


class ImageTooSmall(ImageRejected):
    """Fewer pixels than a buyer can use."""

    slug, title, status = "image-too-small", "The picture is too small", 422


class ImageTooNarrow(ImageRejected):
    """One side is so much longer than the other that a thumbnail of it shows nothing."""

    slug, title, status = "image-too-narrow", "The picture is too narrow", 422


class ImageNotProcessable(ImageRejected):
    """A library failed on this picture, though its file could be read: a bug of ours, which the log reports. The same
    bytes would fail the same way again."""

    slug, title, status = "image-not-processable", "The picture cannot be processed", 422


DECODE_REFUSALS = (
    UnsupportedFormat,
    UnreadableImage,
    ImageTooLarge,
    ImageTooSmall,
    ImageTooNarrow,
    ImageNotProcessable,
)
"""All that the decode of a picture may refuse it by, wherever one comes from."""


class OriginalMismatch(ImageRejected):
    """What lies in the store is not what the contributor announced (size or checksum)."""

    slug, title, status = "original-mismatch", "The uploaded bytes are not the announced ones", 422


class DuplicateImage(ImageRejected):
    """The picture is in the catalogue already."""

    slug, title, status = "duplicate-image", "The picture is in the catalogue already", 422


# --- What may pass -----------------------------------------------------------------------------


class DependencyUnavailable(MarketError):
    """A database, store, queue or engine did not answer in its time."""

    slug, title, status, retryable = (
        "dependency-unavailable",
        "A part of the service is not answering",
        503,
        True,
    )


class StepUnderWay(DependencyUnavailable):
    """Another delivery of this step is at work, or was and has not been heard of since."""

    slug, title, status, retryable = "step-under-way", "Another delivery of this step is at work", 503, True


class ModelNotReady(DependencyUnavailable):
    """The embedding endpoint is scaled to zero or still loading its model."""

    slug, title, status, retryable = "model-not-ready", "The model is not ready yet", 503, True


class IndexingIncomplete(DependencyUnavailable):
    """A search engine did not take every document; `image_ids` names the images to try again."""

    slug, title, status, retryable = "indexing-incomplete", "Some documents were not indexed", 503, True

    def __init__(self, image_ids: Iterable[UUID]) -> None:
        self.image_ids = frozenset(image_ids)
        super().__init__(f"{len(self.image_ids)} documents were not indexed; try them again.")


class SearchUnavailable(DependencyUnavailable):
    """No search engine could answer."""

    slug, title, status, retryable = "search-unavailable", "Search is not answering", 503, True


def walk(root: type[MarketError] = MarketError) -> list[type[MarketError]]:
    """Every error class from `root` down, each once, parents first."""
    found: list[type[MarketError]] = []
    queue = [root]
    while queue:
        error = queue.pop(0)
        if error not in found:
            found.append(error)
            queue.extend(error.__subclasses__())
    return found
