"""The wire contract with the model endpoint: what `POST /invocations` takes and answers.

A request is JSON (`AnalyseRequest`), the same pictures in bytes (`JPEGS`), or one picture as `image/jpeg`; the answer
is JSON (`AnalyseResponse`).

Every container that serves the endpoint, whatever model it holds, speaks exactly this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

EMBEDDING_DIMENSIONS = 768
"""Length of every vector of every model; a model with fewer dimensions fills up with zeros."""

MAX_IMAGES = 32
"""Pictures in one request."""

JPEGS = "application/vnd.imagemarket.jpegs"
"""Media type of a request in bytes: of each picture its length, four bytes big-endian, and then the JPEG. A third
shorter than base64 in JSON, and nothing to parse."""

MAX_IMAGE_BYTES = 2 * 2**20
"""Bytes of one picture."""

MAX_BODY_BYTES = 6 * 2**20
"""Bytes of one request: SageMaker's own limit. A model input is a JPEG of some 50 kB."""

TAGS_PER_IMAGE = 30

Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class AnalyseRequest(BaseModel):
    """Pictures to look at, as base64 of JPEG files."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[str], Field(min_length=1, max_length=MAX_IMAGES)]


class Tag(BaseModel):
    """A word for what a picture shows, in lower case, and how sure the model is of it."""

    model_config = ConfigDict(frozen=True)

    tag: Annotated[str, Field(min_length=1, max_length=100)]
    confidence: Unit


class Analysis(BaseModel):
    """What the model says of one picture."""

    model_config = ConfigDict(frozen=True)

    embedding: Annotated[list[Finite], Field(min_length=EMBEDDING_DIMENSIONS, max_length=EMBEDDING_DIMENSIONS)]
    """Unit vector in the space of the same model's text vectors; compared by cosine."""
    tags: list[Tag]
    """At most `TAGS_PER_IMAGE`, each once, the surest first."""
    categories: list[str]
    """Slugs of the catalogue's taxonomy, the likeliest first; may be empty."""
    nsfw_score: Unit
    """Probability that the picture is not safe for work."""
    description: str
    """One English sentence."""
    people: bool | None
    """Whether people are in the picture; None when the model cannot tell."""


class Refusal(BaseModel):
    """What is said in place of an analysis, and the body of every answer that is not 200. `type` is also sent as
    `x-amzn-ErrorType` then, so that an AWS client raises the exception of that name."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    field: str | None = None
    """The part of the request at fault, such as `images[3]`."""


class AnalyseResponse(BaseModel):
    """The analyses in the order of the request's images; a picture that cannot be looked at has a refusal in its
    place, and the others are answered all the same."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_version: str
    """Names the embedding space: vectors compare with vectors of the same version alone."""
    analyses: list[Analysis | Refusal]
    alike_from: float | None = None
    """Cosine from which two pictures are alike in that space; None where it was not measured."""


def pack(jpegs: Sequence[bytes]) -> bytes:
    """Pictures as a body of the media type `JPEGS`."""
    return b"".join(len(jpeg).to_bytes(4, "big") + jpeg for jpeg in jpegs)


def unpack(body: bytes) -> list[bytes]:
    """The pictures of a body of the media type `JPEGS`. Raises ValueError when the lengths do not add up."""
    jpegs: list[bytes] = []
    place = 0
    while place < len(body):
        length = int.from_bytes(body[place : place + 4], "big")
        begin, place = place + 4, place + 4 + length
        if begin > len(body) or place > len(body):
            raise ValueError(f"picture {len(jpegs)} is cut off")
        jpegs.append(body[begin:place])
    return jpegs
