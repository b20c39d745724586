"""Decoding what the models look at: small JPEGs, from whoever calls the endpoint."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

_MAX_PIXELS = 40_000_000

SHORT_EDGE = 300
"""Pixels of the short edge that the models see; larger pictures are made smaller."""


class UnreadableImage(Exception):
    """The bytes are no picture that a tower can look at; the message says why, for people."""


def decode(jpeg: bytes) -> Image.Image:
    """The picture upright, in RGB, its short edge at most `SHORT_EDGE`. Raises `UnreadableImage`."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise UnreadableImage(f"it has {opened.width} x {opened.height} pixels, more than 40 million")
            opened.draft("RGB", (2 * SHORT_EDGE, 2 * SHORT_EDGE))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise UnreadableImage("it is no JPEG") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"it cannot be decoded: {str(error)[:120]}") from error
    return shrunk(upright, SHORT_EDGE)


def shrunk(picture: Image.Image, short_edge: int) -> Image.Image:
    """`picture`, made smaller until its short edge is `short_edge` pixels; never larger."""
    share = short_edge / min(picture.size)
    if share >= 1:
        return picture
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
