"""The marks of a preview: one that people see, and one that carries the image's identity unseen.

The unseen mark is spread-spectrum in the DCT domain (Cox, Kilian, Leighton and Shamoon, 1997), with the host's
own correlation taken out while embedding (improved spread spectrum: Malvar and Florencio, 2003) and a
convolutional code over the payload. It carries all 128 bits of the image's id and a check of 24. It is laid over
a square canvas whatever the picture's shape, so a resized copy still reads; a cropped or turned one has to be
aligned to the original first. Pictures below some 300 px have no room for it. It tells where a copy came from;
it does not resist someone who reads this file and wants it gone.
"""

from __future__ import annotations

import binascii
import hashlib
import io
import math
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING

from imagemarket.imaging.models import Rendition, WatermarkReading
from imagemarket.imaging.renditions import CLEAN_LONG_EDGE, encode_all, flattened, open_master

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

MARK_TEXT = "imagemarket"

_SLANT = 30
"""Degrees by which the visible text rises."""
_LETTER_OPACITY, _EDGE_OPACITY = 105, 85
"""Of 255: enough to spoil a copy, little enough to judge the picture by."""

_CANVAS = 512
"""Side of the square, in pixels, on which the unseen mark is laid."""
_BLOCK = 8
_FREQUENCIES = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1), (1, 2), (2, 1), (2, 2))
"""Coefficients of each block that carry it: low enough to live through halving, high enough to stay unseen."""
_ID_BYTES = 16
_CHECK_BYTES = 3
"""One unmarked picture in 2**24 passes for a marked one."""
_POLYNOMIALS = (0o171, 0o133, 0o165)
"""The convolutional code of rate 1/3 and constraint length 7 with the greatest free distance (15)."""
_STATES = 64
_TAIL_BITS = 6
_INFORMATION_BITS = 8 * (_ID_BYTES + _CHECK_BYTES) + _TAIL_BITS
_CODE_BITS = _INFORMATION_BITS * len(_POLYNOMIALS)
_CLIP = 10.0
"""A busy block would drown the others: what goes this far beyond the mark's own size is cut."""
_STRENGTHS = (2.6, 3.4, 4.6, 6.0)
"""Correlations, in grey levels, that code bits are brought to: the first that lives through `_TRIAL_QUALITY`.
The first gives about 45 dB PSNR; flat and white pictures, where encoders drop small changes, need more."""
_TRIAL_QUALITY = 35
"""JPEG quality that a fresh mark has to be readable through."""
_PASSES = 2
"""Laying the mark on the picture's own pixels loses some of it (resampling, clipping); the second pass makes up."""
_LABEL = b"imagemarket.watermark.v1"


def make_watermarked(master: bytes, image_id: uuid.UUID) -> list[Rendition]:
    """The 1000 px preview with both marks, as AVIF, WebP and JPEG ("preview"); on white, so that nobody can take
    the marks off by what is seen through."""
    picture = flattened(open_master(master))
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
    from PIL import ImageChops

    letters = max(10, round(max(size) * 0.042))
    fill, edge = _label(letters)
    width, height = size
    sine, cosine = math.sin(math.radians(_SLANT)), math.cos(math.radians(_SLANT))
    step_along, step_across = letters * 8.2, letters * 3.1
    reach_along = math.ceil(math.hypot(width, height) / step_along / 2) + 1
    reach_across = math.ceil(math.hypot(width, height) / step_across / 2) + 1
    masks = PIL.Image.new("L", size), PIL.Image.new("L", size)
    for row in range(-reach_across, reach_across + 1):
        for column in range(-reach_along, reach_along + 1):
            along, across = (column + row % 2 / 2) * step_along, row * step_across
            left = round(width / 2 + along * cosine + across * sine - fill.width / 2)
            top = round(height / 2 - along * sine + across * cosine - fill.height / 2)
            box = (left, top, left + fill.width, top + fill.height)
            if left < width and top < height and box[2] > 0 and box[3] > 0:
                for mask, label in zip(masks, (fill, edge), strict=True):
                    # the labels' corners overlap, their letters do not
                    mask.paste(ImageChops.lighter(mask.crop(box), label), box)
    return masks


@lru_cache(maxsize=4)
def _label(letters: int) -> tuple[Image, Image]:
    """Masks of one slanted label: letters of so many pixels, and their outline."""
    import PIL.Image
    from PIL import ImageChops, ImageDraw, ImageFont

    font = ImageFont.load_default(letters)
    stroke = max(1, letters // 16)
    left, top, right, bottom = font.getbbox(MARK_TEXT, stroke_width=stroke)
    size = math.ceil(right - left) + 2, math.ceil(bottom - top) + 2
    place = (1 - left, 1 - top)
    fill, edge = PIL.Image.new("L", size), PIL.Image.new("L", size)
    ImageDraw.Draw(fill).text(place, MARK_TEXT, font=font, fill=_LETTER_OPACITY)
    ImageDraw.Draw(edge).text(
        place, MARK_TEXT, font=font, fill=_EDGE_OPACITY, stroke_width=stroke, stroke_fill=_EDGE_OPACITY
    )
    edge = ImageChops.subtract(edge, fill)
    bicubic = PIL.Image.Resampling.BICUBIC
    return fill.rotate(_SLANT, bicubic, expand=True), edge.rotate(_SLANT, bicubic, expand=True)


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
    """Which code bit each coefficient carries, and the sign it carries it with. Fixed by `_LABEL` for ever."""
    import numpy as np

    chips = (_CANVAS // _BLOCK) ** 2 * len(_FREQUENCIES)
    noise = np.frombuffer(hashlib.shake_256(_LABEL).digest(chips * 9), dtype=np.uint8)
    order = np.argsort(noise[: chips * 8].view(np.uint64), kind="stable")
    bit_of = np.empty(chips, dtype=np.int64)
    bit_of[order] = np.arange(chips) % _CODE_BITS
    signs = np.where(noise[chips * 8 :] & 1, 1.0, -1.0).astype(np.float32)
    return bit_of, signs


def _code_bits_of(image_id: uuid.UUID) -> np.ndarray:
    """The identity and its check, coded: one of -1 and 1 for each code bit."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(image_id.bytes + _check(image_id.bytes), dtype=np.uint8))
    _, outputs = _trellis()
    register, coded = 0, []
    for bit in [*bits.tolist(), *[0] * _TAIL_BITS]:
        register = (register << 1 | bit) & (2 * _STATES - 1)
        coded.append(outputs[register])
    return np.concatenate(coded)


def _check(identity: bytes) -> bytes:
    return binascii.crc32(identity).to_bytes(4, "big")[:_CHECK_BYTES]


@lru_cache(maxsize=1)
def _trellis() -> tuple[np.ndarray, np.ndarray]:
    """For every content of the code's register: the state it came from, and what it sends."""
    import numpy as np

    registers = np.arange(2 * _STATES)
    ones = [[(register & taps).bit_count() & 1 for taps in _POLYNOMIALS] for register in registers.tolist()]
    return registers >> 1, np.array(ones, dtype=np.float32) * 2 - 1


def _decode(soft: np.ndarray) -> bytes:
    """The most likely identity and check behind noisy code bits (Viterbi's algorithm on soft values)."""
    import numpy as np

    before, outputs = _trellis()
    gains = soft.reshape(_INFORMATION_BITS, -1) @ outputs.T
    score = np.full(_STATES, -np.inf)
    score[0] = 0.0
    chosen = np.empty((_INFORMATION_BITS, _STATES), dtype=np.int64)
    for step in range(_INFORMATION_BITS):
        lower, upper = (score[before] + gains[step]).reshape(2, _STATES)
        chosen[step] = upper > lower
        score = np.maximum(lower, upper)
    state, bits = 0, []
    for step in range(_INFORMATION_BITS - 1, -1, -1):
        bits.append(state & 1)
        state = (state | int(chosen[step, state]) << _TAIL_BITS) >> 1
    return np.packbits(np.array(bits[::-1], dtype=np.uint8)[:-_TAIL_BITS]).tobytes()


def _coefficients(luma: np.ndarray) -> np.ndarray:
    """The carrying coefficients of a canvas, one flat array."""
    import numpy as np

    blocks = luma.reshape(_CANVAS // _BLOCK, _BLOCK, _CANVAS // _BLOCK, _BLOCK).transpose(0, 2, 1, 3)
    dct = _block_dct()
    spectrum = dct @ blocks @ dct.T
    return np.stack([spectrum[..., row, column] for row, column in _FREQUENCIES], axis=-1).ravel()


def _correlations(coefficients: np.ndarray) -> np.ndarray:
    """Mean of the coefficients that carry a code bit, each by its sign; one value a code bit."""
    import numpy as np

    bit_of, signs = _spreading()
    sums = np.bincount(bit_of, weights=np.clip(coefficients, -_CLIP, _CLIP) * signs, minlength=_CODE_BITS)
    return sums / np.bincount(bit_of, minlength=_CODE_BITS)


def _canvas(picture: Image) -> np.ndarray:
    import numpy as np
    from PIL.Image import Resampling

    return np.asarray(picture.convert("L").resize((_CANVAS, _CANVAS), Resampling.BICUBIC), dtype=np.float32)


def embed_identity(picture: Image, image_id: uuid.UUID) -> Image:
    """The picture with the id in it, unseen, and no stronger than it needs to be read back."""
    code = _code_bits_of(image_id)
    marked = picture
    for strength in _STRENGTHS:
        marked = picture
        for _ in range(_PASSES):
            marked = _push(marked, code, strength)
        if _lives(marked, image_id):
            break
    return marked


def _lives(marked: Image, image_id: uuid.UUID) -> bool:
    import PIL.Image

    out = io.BytesIO()
    marked.save(out, "JPEG", quality=_TRIAL_QUALITY)
    with PIL.Image.open(out) as worn:
        return read_identity(worn).image_id == str(image_id)


def _push(picture: Image, code: np.ndarray, strength: float) -> Image:
    """Bring every code bit's correlation nearer to `strength`; what has it already is left alone."""
    import numpy as np
    from PIL import Image
    from PIL.Image import Resampling

    bit_of, signs = _spreading()
    held = _correlations(_coefficients(_canvas(picture)))
    push = np.maximum(strength - held * code, 0.0) * code
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
    data = _decode(found)
    identity, check = data[:_ID_BYTES], data[_ID_BYTES:]
    readable = _check(identity) == check
    return WatermarkReading(
        image_id=str(uuid.UUID(bytes=identity)) if readable else None, strength=round(float(np.abs(found).mean()), 2)
    )
