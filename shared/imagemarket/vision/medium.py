"""Photograph or illustration, from the pixels alone.

A camera leaves noise on every surface; a drawn surface is flat or a clean ramp with sharp edges. Three things are
measured on the model's small rendition: how much of it is flat to within what JPEG does to a plain surface, how few
colours cover most of it, and how much of the rest is sharp edges. Renderings with film grain or paintings full of
texture look like photographs to this, and an overexposed photograph can look drawn, so the middle is left unknown.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Medium = Literal["photo", "illustration"]

_FLAT = 2
"""Steps of 255 between neighbours: JPEG at quality 90 stays within them on a plain surface."""
_COVERED = 0.8
_PHOTO_FLAT, _DRAWN_FLAT = 0.35, 0.62
_PHOTO_COLOURS = 20
_DRAWN_COLOURS = range(2, 41)
"""One colour for nearly everything is a scanned page or a lens cap as well."""
_SHARP, _DRAWN_SHARP = 32, 0.05


def tell_medium(pixels: NDArray[np.uint8]) -> Medium | None:
    """What made an RGB picture (height, width, 3); None where the pixels do not say."""
    if min(pixels.shape[:2]) < 2:
        return None
    flat, sharp = flat_and_sharp(pixels)
    colours = colours_needed(pixels)
    if flat >= _DRAWN_FLAT and sharp >= _DRAWN_SHARP and colours in _DRAWN_COLOURS:
        return "illustration"
    return "photo" if flat <= _PHOTO_FLAT and colours > _PHOTO_COLOURS else None


def flat_and_sharp(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """The share of the pixels that differ from both their neighbours, right and below, by next to nothing; and of
    the others, the share that differ by much."""
    values = pixels.astype(np.int16)
    across = np.abs(values[:-1, 1:] - values[:-1, :-1]).max(axis=2)
    down = np.abs(values[1:, :-1] - values[:-1, :-1]).max(axis=2)
    steps = np.maximum(across, down)
    changing = steps > _FLAT
    return float(1 - changing.mean()), float((steps > _SHARP).sum() / max(int(changing.sum()), 1))


def colours_needed(pixels: NDArray[np.uint8]) -> int:
    """How many colours, of 4,096 alike wide ones, cover four fifths of the picture."""
    steps = (pixels >> 4).astype(np.int32)
    counts = np.bincount((steps[..., 0] * 256 + steps[..., 1] * 16 + steps[..., 2]).ravel())
    covered = np.cumsum(np.sort(counts)[::-1]) / pixels[..., 0].size
    return int(np.searchsorted(covered, _COVERED)) + 1
