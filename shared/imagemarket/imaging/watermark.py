"""The marks of a preview: one that people see, and one that carries the image's identity unseen.

The unseen mark is spread-spectrum in the DCT domain (Cox, Kilian, Leighton and Shamoon, 1997), with the host's
own correlation taken out while embedding (improved spread spectrum: Malvar and Florencio, 2003). It is laid over
a square canvas whatever the picture's shape, so a resized copy still reads; a cropped one has to be aligned to
the original first.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING

from imagemarket.imaging.models import Rendition, WatermarkReading
from imagemarket.imaging.renditions import CLEAN_LONG_EDGE, encode_all, open_master

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

MARK_TEXT = "imagemarket"

_CANVAS = 512
"""Side of the square, in pixels, on which the unseen mark is laid."""
_BLOCK = 8
_FREQUENCIES = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1), (1, 2), (2, 1), (2, 2))
"""Coefficients of each block that carry it: low enough to live through halving, high enough to stay unseen."""
_PAYLOAD_BITS = 128
_CHECK_BITS = 16
_BITS = _PAYLOAD_BITS + _CHECK_BITS
_STRENGTH = 4.0
"""Correlation that every bit is brought to, in grey levels: about 43 dB PSNR."""
_PASSES = 2
"""Laying the mark on the picture's own pixels loses some of it (resampling, clipping); the second pass makes up."""
_LEAST_STRENGTH = 1.3
"""Below it a reading is noise: unmarked photos show 1.1 in the median. Above it the checksum decides."""
_LABEL = b"imagemarket.watermark.v1"


def make_watermarked(master: bytes, image_id: uuid.UUID) -> list[Rendition]:
    """The 1000 px preview with both marks, as AVIF, WebP and JPEG ("preview")."""
    picture = open_master(master)
    marked = draw_visible_mark(picture)
    return encode_all(embed_identity(marked, image_id), "preview", CLEAN_LONG_EDGE)


def read_watermark(picture: bytes) -> WatermarkReading:
    """Read the unseen mark of a preview, or of a recompressed or resized copy of one.

    Raises:
        PIL.UnidentifiedImageError: The bytes are no picture.
    """
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        return read_identity(opened.convert("RGB"))


# --- the mark that people see ----------------------------------------------------------------------


def draw_visible_mark(picture: Image) -> Image:
    """A copy under tiled, slanted text."""
    marked = picture.copy()
    light, dark = _overlay(picture.size)
    # dark outline first, light letters over it: legible on light and on dark pictures alike
    marked.paste((0, 0, 0), mask=dark)
    marked.paste((255, 255, 255), mask=light)
    return marked


@lru_cache(maxsize=4)
def _overlay(size: tuple[int, int]) -> tuple[Image, Image]:
    """Masks of the tiled text for one picture size: letters, and their outline."""
    import PIL.Image
    from PIL import ImageChops, ImageDraw, ImageFont

    width, height = size
    letters = max(10, round(max(size) * 0.042))
    font = ImageFont.load_default(letters)
    side = int((width**2 + height**2) ** 0.5) + 4 * letters
    fill = PIL.Image.new("L", (side, side))
    edge = PIL.Image.new("L", (side, side))
    stroke = max(1, letters // 16)
    step_x, step_y = round(letters * 8.2), round(letters * 3.1)
    for row, top in enumerate(range(0, side, step_y)):
        for left in range(-step_x * (row % 2) // 2, side, step_x):
            place = (left, top)
            ImageDraw.Draw(fill).text(place, MARK_TEXT, font=font, fill=105)
            ImageDraw.Draw(edge).text(place, MARK_TEXT, font=font, fill=85, stroke_width=stroke, stroke_fill=85)
    outline = ImageChops.subtract(edge, fill)

    def turned(mask: PIL.Image.Image) -> PIL.Image.Image:
        rotated = mask.rotate(30, PIL.Image.Resampling.BICUBIC)
        left, top = (side - width) // 2, (side - height) // 2
        return rotated.crop((left, top, left + width, top + height))

    return turned(fill), turned(outline)


# --- the mark that carries the identity ------------------------------------------------------------


@lru_cache(maxsize=1)
def _block_dct() -> np.ndarray:
    """The orthonormal 8 by 8 DCT-II."""
    import numpy as np

    index = np.arange(_BLOCK)
    matrix = np.cos(np.pi / _BLOCK * np.outer(index, index + 0.5)) * np.sqrt(2 / _BLOCK)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


@lru_cache(maxsize=1)
def _spreading() -> tuple[np.ndarray, np.ndarray]:
    """Which bit each coefficient carries, and the sign it carries it with. Fixed by `_LABEL` for ever."""
    import numpy as np

    chips = (_CANVAS // _BLOCK) ** 2 * len(_FREQUENCIES)
    noise = np.frombuffer(hashlib.shake_256(_LABEL).digest(chips * 9), dtype=np.uint8)
    order = np.argsort(noise[: chips * 8].view(np.uint64), kind="stable")
    bit_of = np.empty(chips, dtype=np.int64)
    bit_of[order] = np.arange(chips) % _BITS
    signs = np.where(noise[chips * 8 :] & 1, 1.0, -1.0).astype(np.float32)
    return bit_of, signs


def _bits_of(image_id: uuid.UUID) -> np.ndarray:
    import numpy as np

    data = image_id.bytes + binascii.crc_hqx(image_id.bytes, 0xFFFF).to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(data, dtype=np.uint8)).astype(np.float32) * 2 - 1


def _coefficients(luma: np.ndarray) -> np.ndarray:
    """The carrying coefficients of a canvas, one flat array."""
    import numpy as np

    blocks = luma.reshape(_CANVAS // _BLOCK, _BLOCK, _CANVAS // _BLOCK, _BLOCK).transpose(0, 2, 1, 3)
    dct = _block_dct()
    spectrum = dct @ blocks @ dct.T
    return np.stack([spectrum[..., row, column] for row, column in _FREQUENCIES], axis=-1).ravel()


def _correlations(coefficients: np.ndarray) -> np.ndarray:
    """Mean of the coefficients that carry a bit, each by its sign; one value a bit."""
    import numpy as np

    bit_of, signs = _spreading()
    # a busy block would drown the others: what goes far beyond the mark's own size is cut
    clipped = np.clip(coefficients, -40, 40)
    sums = np.bincount(bit_of, weights=clipped * signs, minlength=_BITS)
    return sums / np.bincount(bit_of, minlength=_BITS)


def _canvas(picture: Image) -> np.ndarray:
    import numpy as np
    from PIL.Image import Resampling

    return np.asarray(picture.convert("L").resize((_CANVAS, _CANVAS), Resampling.BICUBIC), dtype=np.float32)


def embed_identity(picture: Image, image_id: uuid.UUID) -> Image:
    """The picture with the id in it, unseen."""
    marked = picture
    for _ in range(_PASSES):
        marked = _push(marked, image_id)
    return marked


def _push(picture: Image, image_id: uuid.UUID) -> Image:
    """Bring every bit's correlation nearer to `_STRENGTH`; what has it already is left alone."""
    import numpy as np
    from PIL import Image
    from PIL.Image import Resampling

    bits = _bits_of(image_id)
    bit_of, signs = _spreading()
    held = _correlations(_coefficients(_canvas(picture)))
    push = np.maximum(_STRENGTH - held * bits, 0.0) * bits
    blocks = _CANVAS // _BLOCK
    spectrum = np.zeros((blocks, blocks, _BLOCK, _BLOCK), dtype=np.float32)
    change = (push[bit_of] * signs).reshape(blocks, blocks, len(_FREQUENCIES))
    for place, (row, column) in enumerate(_FREQUENCIES):
        spectrum[..., row, column] = change[..., place]
    dct = _block_dct()
    delta = (dct.T @ spectrum @ dct).transpose(0, 2, 1, 3).reshape(_CANVAS, _CANVAS)
    laid = Image.fromarray(delta).resize(picture.size, Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.float32) + np.asarray(laid, dtype=np.float32)[..., None]
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def read_identity(picture: Image) -> WatermarkReading:
    """What the picture carries; see `read_watermark`."""
    import numpy as np

    found = _correlations(_coefficients(_canvas(picture)))
    strength = float(np.abs(found).mean())
    data = np.packbits(found > 0).tobytes()
    identity, check = data[:16], int.from_bytes(data[16:], "big")
    readable = strength >= _LEAST_STRENGTH and binascii.crc_hqx(identity, 0xFFFF) == check
    return WatermarkReading(str(uuid.UUID(bytes=identity)) if readable else None, round(strength, 2))
