"""The clean renditions of a picture, in the three formats that browsers ask for."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imagemarket.imaging.models import Rendition, RenditionFormat, RenditionKind

if TYPE_CHECKING:
    from PIL.Image import Image

    from imagemarket.imaging.xmp_rights import Rights

THUMBNAIL_LONG_EDGES = (150, 450)
CLEAN_LONG_EDGE = 1000

_ENCODERS: dict[RenditionFormat, tuple[str, dict[str, Any]]] = {
    # AVIF at speed 8 takes a third of the default's time for a few percent more bytes; one thread, because
    # the steps of many images run side by side
    "avif": ("AVIF", {"quality": 60, "speed": 8, "max_threads": 1}),
    "webp": ("WEBP", {"quality": 80, "method": 3}),
    "jpeg": ("JPEG", {"quality": 82, "optimize": True, "progressive": True}),
}
_PREVIEW_AVIF_SPEED = 9
"""The marks are hard to compress at any speed: 8 takes three times the CPU."""


def make_thumbnails(master: bytes, rights: Rights | None = None) -> list[Rendition]:
    """150 and 450 px ("thumbnail") and 1000 px ("clean") on the long edge, each as AVIF, WebP and JPEG.

    A master smaller than a size is not enlarged to it. The bytes carry the rights as XMP and no other metadata;
    their colours are sRGB.
    """
    made = []
    for long_edge, picture in ladder(open_master(master)):
        made += encode_all(picture, "clean" if long_edge == CLEAN_LONG_EDGE else "thumbnail", long_edge, rights)
    return made


def ladder(picture: Image) -> Iterator[tuple[int, Image]]:
    """Every size class and the picture in it, from the largest down, each made from the one before."""
    for long_edge in sorted({CLEAN_LONG_EDGE, *THUMBNAIL_LONG_EDGES}, reverse=True):
        picture = _scaled(picture, long_edge)
        yield long_edge, picture


def encoder_settings(kind: RenditionKind = "clean") -> dict[str, dict[str, Any]]:
    """Pillow's encoder names and the options that renditions of the kind are written with."""
    settings = {encoder: dict(options) for encoder, options in _ENCODERS.values()}
    if kind == "preview":
        settings["AVIF"]["speed"] = _PREVIEW_AVIF_SPEED
    return settings


def open_master(master: bytes) -> Image:
    """The decoded picture of `Inspection.master`: RGB, or RGBA."""
    from PIL import Image

    with Image.open(io.BytesIO(master), formats=("TIFF",)) as picture:
        picture.load()
        return picture if picture.mode in {"RGB", "RGBA"} else picture.convert("RGB")


def flattened(picture: Image) -> Image:
    """The picture as it looks on white."""
    from PIL import Image

    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture).convert("RGB")


def encode_all(picture: Image, kind: RenditionKind, long_edge: int, rights: Rights | None = None) -> list[Rendition]:
    """The picture in every format."""
    made = []
    metadata = {"xmp": rights.xmp()} if rights else {}
    settings = encoder_settings(kind)
    for name, (encoder, _) in _ENCODERS.items():
        out = io.BytesIO()
        (flattened(picture) if name == "jpeg" else picture).save(out, encoder, **settings[encoder], **metadata)
        data = out.getvalue()
        made.append(
            Rendition(
                kind=kind,
                long_edge=long_edge,
                width=picture.width,
                height=picture.height,
                format=name,
                data=data,
                content_hash=hashlib.sha256(data).hexdigest()[:16],
            )
        )
    return made


def _scaled(picture: Image, long_edge: int) -> Image:
    from PIL.Image import Resampling

    scale = long_edge / max(picture.size)
    if scale >= 1:
        return picture
    sides = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if picture.mode == "RGBA":  # a colour weighs as much as it is seen
        return picture.convert("RGBa").resize(sides, Resampling.LANCZOS).convert("RGBA")
    return picture.resize(sides, Resampling.LANCZOS)
