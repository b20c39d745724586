"""Colours near a colour, in a form that every engine can look up: cells of a grid in CIELAB.

Each colour of a palette is rounded to the nearest point of the grid, and a wanted colour becomes the list
of the points within its tolerance, so that an engine compares whole numbers alone. The rounding moves a
colour by 4.3 at most (half the diagonal of a cell).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

from imagemarket.imaging.hashes import prominent
from imagemarket.imaging.lab import lab_of
from imagemarket.imaging.models import PaletteColour

STEP = 5
"""Distance of neighbouring points of the grid."""

_OFFSET, _SIDE = 32, 64  # a* and b* from -160 to 155: more than sRGB has
_LIGHTEST = 100 // STEP


def cells_of(palette: Iterable[PaletteColour]) -> tuple[int, ...]:
    """The cells of the colours that stand out in a picture, sorted."""
    return tuple(sorted({_number(*_rounded(lab_of(colour.hex))) for colour in prominent(tuple(palette))}))


@lru_cache(maxsize=256)
def cells_near(hex_colour: str, tolerance: float) -> tuple[int, ...]:
    """The cells whose middle is at most `tolerance` from the colour `#rrggbb`, sorted."""
    return tuple(sorted(_ball(lab_of(hex_colour), tolerance)))


def _ball(centre: tuple[float, float, float], radius: float) -> Iterator[int]:
    ranges = [range(math.ceil((each - radius) / STEP), math.floor((each + radius) / STEP) + 1) for each in centre]
    for lightness in ranges[0]:
        if not 0 <= lightness <= _LIGHTEST:
            continue
        for a in ranges[1]:
            for b in ranges[2]:
                if math.dist(centre, (lightness * STEP, a * STEP, b * STEP)) <= radius:
                    yield _number(lightness, a, b)


def _rounded(lab: tuple[float, float, float]) -> tuple[int, int, int]:
    lightness, a, b = (round(each / STEP) for each in lab)
    return lightness, a, b


def _number(lightness: int, a: int, b: int) -> int:
    return (lightness * _SIDE + a + _OFFSET) * _SIDE + b + _OFFSET
