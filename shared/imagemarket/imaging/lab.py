"""CIELAB: colours as the eye tells them apart, so that distances between them mean something."""

from __future__ import annotations

from functools import lru_cache

_WHITE = (0.95047, 1.0, 1.08883)  # D65, 2 degree observer
_EPSILON = 216 / 24389
_KAPPA = 24389 / 27


@lru_cache(maxsize=16384)
def lab_of(hex_colour: str) -> tuple[float, float, float]:
    """`(L*, a*, b*)` of the sRGB colour `#rrggbb`: L* from 0 (black) to 100 (white), a* and b* about -110 to 110.

    IEC 61966-2-1 for sRGB to CIEXYZ under D65, CIE 15 for CIEXYZ to CIELAB. The Euclidean distance of two
    is the colour difference of 1976; about 2.3 is just noticeable.
    """
    red, green, blue = (_linear(int(hex_colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    x, y, z = (
        _cube_root(value / white)
        for value, white in zip(
            (
                0.4124564 * red + 0.3575761 * green + 0.1804375 * blue,
                0.2126729 * red + 0.7151522 * green + 0.0721750 * blue,
                0.0193339 * red + 0.1191920 * green + 0.9503041 * blue,
            ),
            _WHITE,
            strict=True,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _cube_root(value: float) -> float:
    return value ** (1 / 3) if value > _EPSILON else (_KAPPA * value + 16) / 116
