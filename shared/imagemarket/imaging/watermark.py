"""The marks of a preview: one that people see, and one that carries the image's identity unseen."""

from __future__ import annotations

import io
import uuid
from typing import TYPE_CHECKING

from imagemarket.imaging.invisible_watermark import embed_identity, read_identity
from imagemarket.imaging.models import Rendition, WatermarkReading
from imagemarket.imaging.renditions import CLEAN_LONG_EDGE, encode_all, flattened, open_master
from imagemarket.imaging.visible_watermark import draw_visible_watermark

if TYPE_CHECKING:
    from imagemarket.imaging.xmp_rights import Rights


def make_watermarked(master: bytes, image_id: uuid.UUID, rights: Rights | None = None) -> list[Rendition]:
    """The 1000 px preview with both marks, as AVIF, WebP and JPEG ("preview"); on white, so that nobody can take
    the marks off by what is seen through."""
    marked = draw_visible_watermark(flattened(open_master(master)), image_id)
    return encode_all(embed_identity(marked, image_id), "preview", CLEAN_LONG_EDGE, rights)


def read_watermark(picture: bytes) -> WatermarkReading:
    """Read the unseen mark of a preview, or of a copy of one: see `invisible_watermark` for what it lives through.

    Raises:
        PIL.UnidentifiedImageError: The bytes are no picture.
    """
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        return read_identity(opened.convert("RGB"))
