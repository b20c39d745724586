"""Search by image: the query image is looked at once, and not kept.

A query image comes by a presigned form into `queries/` of the work bucket, up to 10 MB, or in the request
itself, up to 4 MiB: API Gateway takes 10 MB, but Lambda's own limit is 6 MiB of JSON, in which a binary body
is base64 and a third longer.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from imagemarket.catalog.keys import query_image_key
from imagemarket.imaging.errors import UnreadableImage, UnsupportedFormat
from imagemarket.imaging.picture_faults import picture_work
from imagemarket.platform.errors import DependencyUnavailable, InvalidRequest, NotFound, TooManyRequests
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.ratelimits import Policy, RateLimiter
from imagemarket.platform.resilience import Dependency, DependencyError, TimeBudget, retried
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.errors import QueryImageNotFound
from imagemarket.search.request import Fields, Filters
from imagemarket.search.result import SearchPage
from imagemarket.search.service import Search
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import AnalyseResponse, Refusal

if TYPE_CHECKING:
    from imagemarket.imaging.models import Inspection

MAX_QUERY_IMAGE_BYTES = 10 * 1000 * 1000
MAX_DIRECT_BYTES = 4 * 1024 * 1024
FORM_SECONDS = 600

_UNIT_BYTES = 1000 * 1000
PER_NETWORK = Policy("forms", 100, 600)
"""Megabytes that one network is given forms for. Nobody signs in to search, so what is sent and not searched by is
bounded here: it lies in the bucket for a day."""
IN_ALL = Policy("all-forms", 3000, 600)
"""Megabytes that all are given forms for, 430 GB a day at most."""

DECODE_SECONDS = 6.0
"""Somebody waits for the answer; a decode of 24 megapixels takes less than one."""
_MODEL_SECONDS = 15.0
_LOOKING_SECONDS = 20.0

_EVERYBODY = "everybody"
QueryImageType = Literal["image/jpeg", "image/png", "image/tiff"]
_ACCEPTED = "JPEG, PNG or TIFF"


class ImageAnalyser(Protocol):
    """What is needed of the model endpoint."""

    def analyse(self, jpegs: Sequence[bytes]) -> AnalyseResponse:
        """Raises `ModelNotReady` or `DependencyUnavailable`."""
        ...


class Decoder(Protocol):
    """A safe decode of what anybody may have sent."""

    def inspect(self, path: Path) -> Inspection:
        """Raises one of `DECODE_REFUSALS` for what is no picture of ours, `DependencyUnavailable` where none was tried,
        and whatever a library raises."""
        ...


class QueryImageUploadRequest(BaseModel):
    """A query image that is going to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    content_type: QueryImageType
    size_bytes: int = Field(
        ge=1, le=MAX_QUERY_IMAGE_BYTES, strict=True, description="Exactly as many bytes as will come."
    )


class QueryImageUpload(BaseModel):
    """A form to send the bytes with: every field as it is, the file last."""

    upload: UUID = Field(description="Names the picture in `POST /v1/search/by-image`, once.")
    url: str
    fields: dict[str, str]
    expires_in: int = Field(description="Seconds.")


class ByUpload(BaseModel):
    """A query image that was uploaded."""

    model_config = ConfigDict(extra="forbid")

    upload: UUID


class ImageQuery(Filters):
    """What the pictures found must be, and how many are wanted. There is one page: the picture is not kept."""

    limit: int = Field(default=20, ge=1, le=100, description="Results on the page.")
    min_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Leave out results whose `score`, the cosine, is lower; in place of the model's own least.",
    )
    fields: Fields = Field(default=[])


class ImageSearch:
    """The use cases of searching by image."""

    def __init__(
        self, *, search: Search, work: ObjectStore, decoder: Decoder, model: ImageAnalyser, forms: RateLimiter
    ) -> None:
        """`forms` counts megabytes by `PER_NETWORK` and `IN_ALL`."""
        self._search = search
        self._work = work
        self._decoder = decoder
        self._model = model
        self._forms = forms
        self._asked = Dependency(
            "model", seconds=_MODEL_SECONDS, workers=2, waiting=4, passthrough_errors=(ModelNotReady,)
        )

    def create_upload(self, requested: QueryImageUploadRequest, *, address: str) -> QueryImageUpload:
        """A form that takes exactly this picture for ten minutes. Raises `TooManyRequests` where the network of
        `address`, or everybody together, was given forms enough."""
        megabytes = -(-requested.size_bytes // _UNIT_BYTES)
        decision = self._forms.acquire(address=address, account=_EVERYBODY, cost=megabytes)
        if not decision.allowed:
            raise TooManyRequests(
                f"Forms for {PER_NETWORK.quota} MB in ten minutes are given to one network and for {IN_ALL.quota} MB to"
                f" all together; try again in {decision.retry_after} seconds, or send a picture of up to"
                f" {MAX_DIRECT_BYTES} bytes as the body of POST /v1/search/by-image.",
                retry_after=decision.retry_after,
            )
        upload = uuid4()  # not to be guessed: who knows it may search by the picture
        form = self._work.presign_post(
            query_image_key(upload),
            fields={"Content-Type": requested.content_type},
            size_bytes=requested.size_bytes,
            expires_in=FORM_SECONDS,
        )
        return QueryImageUpload(upload=upload, url=form["url"], fields=form["fields"], expires_in=FORM_SECONDS)

    def by_upload(self, upload: UUID, query: ImageQuery) -> SearchPage:
        """Pictures like the one that was sent by its form; it is deleted, whatever comes of it.

        Raises `QueryImageNotFound`, and what `by_bytes` raises.
        """
        key = query_image_key(upload)
        try:
            stored = self._work.head(key)
            if stored.size_bytes > MAX_QUERY_IMAGE_BYTES:
                detail = f"names a picture of more than {MAX_QUERY_IMAGE_BYTES} bytes"
                told = {"in": "body", "field": "upload", "detail": detail}
                raise InvalidRequest(f"upload: {detail}.", errors=[told])
            data = self._work.get(key)
        except NotFound as error:
            raise QueryImageNotFound(
                "upload: no picture came by this form, or it was searched by already; get a new form at"
                " POST /v1/search/by-image/upload."
            ) from error
        try:
            return self.by_bytes(data, query)
        finally:
            self._delete(key)

    def by_bytes(self, data: bytes, query: ImageQuery) -> SearchPage:
        """Pictures like this one, the nearest first.

        Raises one of `DECODE_REFUSALS` for what is no picture or cannot be read, `ModelNotReady` or `SearchUnavailable`
        where nobody can look at it or search.
        """
        looked = self._look(self._model_input(data))
        analysis = looked.analyses[0]
        if isinstance(analysis, Refusal):
            raise UnreadableImage("The model could not look at the picture; save it anew as JPEG.")
        count("SearchesByImage")
        return self._search.like_vector(
            analysis.embedding,
            looked.model_version,
            query.filters(),
            limit=query.limit,
            alike_from=looked.alike_from,
            min_score=query.min_score,
        )

    def _model_input(self, data: bytes) -> bytes:
        """The picture as the models read it, by the same decode as an original's."""
        with tempfile.NamedTemporaryFile(prefix="query-") as file:
            file.write(data)
            file.flush()
            with picture_work("inspect"):
                _check_kind(data)
                return self._decoder.inspect(Path(file.name)).model_input

    def _look(self, jpeg: bytes) -> AnalyseResponse:
        """Looking is idempotent, so a model that is still waking up is asked again."""
        try:
            return retried(
                lambda: self._asked.call(lambda: self._model.analyse([jpeg])),
                budget=TimeBudget(_LOOKING_SECONDS),
                errors=(ModelNotReady,),
            )
        except ModelNotReady as error:
            raise _not_ready(30) from error
        except DependencyError as error:
            raise _not_ready(max(5, int(error.retry_after) + 1)) from error

    def _delete(self, key: str) -> None:
        try:
            self._work.delete([key])
        except DependencyUnavailable:
            # The bucket's lifecycle does it within a day.
            logger.warning("a picture that was searched by could not be deleted yet")
            count("QueryPicturesLeft")


def _check_kind(data: bytes) -> None:
    """Raises `UnsupportedFormat` for what is not searched by. A contributor may send camera RAW; here anybody asks,
    and one costs two starts of a decoder."""
    from imagemarket.imaging.formats import RAW_FORMATS, sniff
    from imagemarket.imaging.other_kinds import what_is_wrong

    found = sniff(io.BytesIO(data))
    if found in RAW_FORMATS:
        raise UnsupportedFormat(
            f"The file's content is camera RAW ({found.upper()}), not {_ACCEPTED}: send a JPEG made from it."
        )
    if found is None:
        raise UnsupportedFormat(what_is_wrong(io.BytesIO(data), _ACCEPTED))


def _not_ready(seconds: int) -> ModelNotReady:
    headers: dict[str, Any] = {"Retry-After": str(seconds)}
    return ModelNotReady(f"The model is not answering; try again in {seconds} seconds.", headers=headers)
