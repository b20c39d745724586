"""What the imaging path takes and gives: facts about a picture, and its renditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

RenditionKind = Literal["thumbnail", "clean", "preview"]
RenditionFormat = Literal["webp", "avif", "jpeg"]


class TechnicalMetadata(BaseModel):
    """How a picture was taken. Nothing here tells who took it or where: no position, name or serial number."""

    model_config = ConfigDict(frozen=True)

    camera: str | None = None
    lens: str | None = None
    iso: int | None = None
    exposure: str | None = None
    """Seconds, as photographers write them: `1/250` or `2.5`."""
    aperture: float | None = None
    """f-number."""
    focal_length_mm: float | None = None
    taken_at: datetime | None = None
    """As the camera's clock had it; without a time zone where the file names no distance from UTC."""
    decoded_from: Literal["embedded preview"] | None = None
    """Set where a RAW file's own data could not be read: its renditions show the JPEG that the camera put into it."""


@dataclass(frozen=True)
class EmbeddedDescription:
    """What a file says of itself in XMP, IPTC or EXIF. For its uploader's eyes: `creator` is a personal field."""

    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    creator: str | None = None
    copyright: str | None = None
    credit: str | None = None
    """The line to print beside the picture."""


@dataclass(frozen=True)
class PaletteColour:
    """One dominant colour: `#rrggbb` and the share of the picture it stands for, in percent."""

    hex: str
    percentage: float


@dataclass(frozen=True)
class Inspection:
    """Everything that one decode of an original gives."""

    format: str
    """jpeg, png, tiff, dng, cr2, cr3, nef, arw, orf, rw2 or raf, from the bytes."""
    width: int
    height: int
    """Pixels of the original, upright."""
    sha256: str
    phash: int
    """64-bit perceptual hash of the picture on white, 0 to 2**64 - 1."""
    thumbhash: str
    """Base64 of a ThumbHash: a blurred placeholder in some 25 bytes."""
    palette: tuple[PaletteColour, ...]
    """Up to five, most frequent first; the percentages sum to 100."""
    colours: tuple[str, ...]
    """Names of the colours that a search can filter by."""
    technical: TechnicalMetadata
    described: EmbeddedDescription
    """What the file says of itself: suggestions to its contributor, shown to nobody else."""
    master: bytes
    """PNG: sRGB, upright, no metadata, long edge at most `MASTER_LONG_EDGE`; with alpha where the original has any."""
    model_input: bytes
    """JPEG that the models see, on white; short edge at most `MODEL_INPUT_SHORT_EDGE`."""


@dataclass(frozen=True)
class Rendition:
    """One encoded picture. `long_edge` names its size class: a small original is not enlarged to reach it."""

    kind: RenditionKind
    long_edge: int
    width: int
    height: int
    format: RenditionFormat
    data: bytes
    content_hash: str
    """First 16 hex digits of the data's sha256: the object's key carries it."""


@dataclass(frozen=True)
class WatermarkReading:
    """What was read from a picture's unseen mark."""

    image_id: str | None
    """The identity it carries; None where there is no mark, or too little of it is left."""
    agreement: float
    """How well the mark's pilots agree on one place, in standard deviations of chance: 8 to 18 with a mark, up to
    6 without one. `image_id` alone says whether there is one."""
    scale: float | None = None
    """Pixels of the picture to one of the preview it was made from."""
    upright: bool = True
    """Whether it is neither mirrored nor turned by quarters."""
