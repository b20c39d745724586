"""The mark that people see: tiled, slanted, half transparent text.

Where it stands and how it slants follows from the image, so a mask made for one preview does not fit the next.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MARK_TEXT = "imagemarket"

_SLANTS = (18, 42)
"""Degrees by which the text rises, or falls."""
_LETTERS = 0.042
"""Height of the letters, as a share of the long edge."""
_STEP_ALONG, _STEP_ACROSS = 7.8, 3.0
"""From one label to the next, in letter heights."""
_LETTER_OPACITY, _EDGE_OPACITY = 0.36, 0.26
"""Enough to spoil a copy, little enough to judge the picture by."""
_LIGHT_FROM = 150
"""Grey level from which the ground counts as light. No ink lies between: on some ground it would vanish."""
_GROUND_CELL = 16
"""Pixels a side over which the ground is judged: a letter keeps its ink across small details."""


def draw_visible_watermark(picture: Image, image_id: uuid.UUID) -> Image:
    """A copy under tiled text: light on dark ground, dark on light, with an outline of the other ink for the
    grounds between."""
    import PIL.Image
    from PIL import ImageChops, ImageFilter
    from PIL.Image import Resampling

    letters, outlines = _tiled(picture.size, image_id)
    cells = max(1, picture.width // _GROUND_CELL), max(1, picture.height // _GROUND_CELL)
    ground = picture.convert("L").resize(cells, Resampling.BOX).filter(ImageFilter.GaussianBlur(1.5))
    lightness = [255 if level >= _LIGHT_FROM else 0 for level in range(256)]
    light = ground.resize(picture.size, Resampling.BILINEAR).point(lightness)
    marked = picture.copy()
    for mask, opacity, ink in ((outlines, _EDGE_OPACITY, light), (letters, _LETTER_OPACITY, ImageChops.invert(light))):
        faded = mask.point([round(level * opacity) for level in range(256)])
        marked.paste(PIL.Image.merge("RGB", (ink, ink, ink)), mask=faded)
    return marked


def _tiled(size: tuple[int, int], image_id: uuid.UUID) -> tuple[Image, Image]:
    """Masks of the tiled text over a whole picture: letters, and their outlines."""
    import PIL.Image
    from PIL import ImageChops

    by_slant, by_along, by_across, falls = hashlib.shake_256(b"imagemarket.visible_mark.v1" + image_id.bytes).digest(4)
    slant = _SLANTS[0] + (_SLANTS[1] - _SLANTS[0]) * by_slant / 255
    slant = -slant if falls & 1 else slant
    height_of_letters = max(10, round(max(size) * _LETTERS))
    labels = _label(height_of_letters, slant)
    width, height = size
    sine, cosine = math.sin(math.radians(slant)), math.cos(math.radians(slant))
    step_along, step_across = height_of_letters * _STEP_ALONG, height_of_letters * _STEP_ACROSS
    reach_along = math.ceil(math.hypot(width, height) / step_along / 2) + 1
    reach_across = math.ceil(math.hypot(width, height) / step_across / 2) + 1
    masks = PIL.Image.new("L", size), PIL.Image.new("L", size)
    for row in range(-reach_across, reach_across + 1):
        for column in range(-reach_along, reach_along + 1):
            along = (column + by_along / 256 + row % 2 / 2) * step_along
            across = (row + by_across / 256) * step_across
            left = round(width / 2 + along * cosine + across * sine - labels[0].width / 2)
            top = round(height / 2 - along * sine + across * cosine - labels[0].height / 2)
            box = (left, top, left + labels[0].width, top + labels[0].height)
            if left < width and top < height and box[2] > 0 and box[3] > 0:
                for mask, label in zip(masks, labels, strict=True):
                    # the labels' corners overlap, their letters do not
                    mask.paste(ImageChops.lighter(mask.crop(box), label), box)
    return masks


def _label(height: int, slant: float) -> tuple[Image, Image]:
    """Masks of one slanted label: letters of so many pixels, and their outline."""
    import PIL.Image
    from PIL import ImageChops, ImageDraw, ImageFont

    font = ImageFont.load_default(height)
    stroke = max(1, height // 18)
    left, top, right, bottom = font.getbbox(MARK_TEXT, stroke_width=stroke)
    size = math.ceil(right - left) + 2, math.ceil(bottom - top) + 2
    place = (1 - left, 1 - top)
    letters, thick = PIL.Image.new("L", size), PIL.Image.new("L", size)
    ImageDraw.Draw(letters).text(place, MARK_TEXT, font=font, fill=255)
    ImageDraw.Draw(thick).text(place, MARK_TEXT, font=font, fill=255, stroke_width=stroke, stroke_fill=255)
    outline = ImageChops.subtract(thick, letters)
    bicubic = PIL.Image.Resampling.BICUBIC
    return letters.rotate(slant, bicubic, expand=True), outline.rotate(slant, bicubic, expand=True)
