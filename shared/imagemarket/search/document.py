"""What search engines hold of one approved image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isclose
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.imaging.models import PaletteColour

DIMENSIONS = 768
"""Length of every embedding; shorter ones are padded with zeros."""


class DocumentRendition(BaseModel):
    """A public thumbnail of a search document; its `key` is in the bucket that the CDN serves."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    format: str
    key: str


class SearchDocument(BaseModel):
    """What search engines know of one approved image, made from the truth by `documents`."""

    model_config = ConfigDict(frozen=True)

    image_id: UUID
    version: int
    """Grows with every change of the image; an engine never replaces a newer one."""
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    """The contributor's first, then the model's, surest first."""
    categories: tuple[str, ...] = ()
    contributor_id: UUID
    contributor_name: str
    image_type: ImageType
    license_types: tuple[LicenseType, ...]
    orientation: str
    colours: tuple[str, ...] = ()
    """What the colours that stand out are called."""
    palette: tuple[PaletteColour, ...] = ()
    """The dominant colours, the most frequent first."""
    width: int
    height: int
    people: bool | None = None
    safe: bool = True
    """Whether a safe search may show it."""
    published_at: datetime
    popularity: float = 0
    """See `popularity`; 0 for what nobody has looked at."""
    thumbhash: str | None = None
    renditions: tuple[DocumentRendition, ...] = ()
    model_version: str | None = None
    embedding: tuple[float, ...] | None = Field(default=None, min_length=DIMENSIONS, max_length=DIMENSIONS, repr=False)
    """A unit vector of `model_version`; None in a document that was read back for a page."""


def same_vector(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    """Whether two vectors are the same to the half precision that engines keep: eleven bits of each component, rounded
    again where an engine brings the vector to unit length."""
    if one is None or other is None:
        return one is other
    pairs = zip(one, other, strict=True)
    return len(one) == len(other) and all(isclose(mine, theirs, rel_tol=2e-3, abs_tol=1e-6) for mine, theirs in pairs)


@dataclass(frozen=True)
class Removal:
    """An image that must not be found any more, as of `version`."""

    image_id: UUID
    version: int
