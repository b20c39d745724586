"""Fingerprints of how a picture looks: perceptual hash, ThumbHash, palette, colour names."""

from __future__ import annotations

import base64
import colorsys
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from imagemarket.imaging.models import PaletteColour

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

PALETTE_COLOURS = 5

COLOUR_NAMES = (
    *("red", "orange", "yellow", "green", "teal", "cyan", "blue", "navy", "purple", "pink"),
    *("brown", "beige", "black", "white", "grey"),
)
"""The names a search can filter by."""

_LEAST_PERCENTAGE = 8.0

_HASH_SIDE = 8
_DCT_SIDE = 32


@lru_cache(maxsize=1)
def _cosines() -> np.ndarray:
    import numpy as np

    position = np.arange(_DCT_SIDE)
    return np.cos(np.pi / _DCT_SIDE * np.outer(np.arange(_HASH_SIDE), position + 0.5))


def perceptual_hash(picture: Image) -> int:
    """64 bits, near for pictures that look alike.

    The DCT hash: 32 by 32 grey levels, the lowest 8 by 8 frequencies (C. Zauner, Implementation and Benchmarking of
    Perceptual Image Hash Functions, 2010), but each bit is a coefficient's sign rather than its side of their
    median: a mirror changes just the signs of the odd frequencies, so the hash of a mirrored or turned picture
    follows from this one (`orientations`).

    By hand, since ImageHash compares with the median, and needs SciPy (113 MB of the 250 that a function may have) for
    the transform, which is two matrix products; PDQ gives all eight, but of 256 bits each.
    """
    import numpy as np
    from PIL.Image import Resampling

    grey = np.asarray(picture.convert("L").resize((_DCT_SIDE, _DCT_SIDE), Resampling.LANCZOS), dtype=np.float64)
    frequencies = (_cosines() @ grey @ _cosines().T).ravel()
    return int("".join("1" if frequency > 0 else "0" for frequency in frequencies), 2)


ODD_COLUMNS = 0x5555555555555555
"""Bits of the frequencies that change their sign in a mirror; a row of frequencies is a byte, the lowest first."""
ODD_ROWS = 0x00FF00FF00FF00FF
"""Those that change it where the picture is laid upside down."""


def transposed(phash: int) -> int:
    """The hash of the picture with its rows for columns: turned by 90 degrees and mirrored."""
    return sum(
        (phash >> (63 - 8 * row - column) & 1) << (63 - 8 * column - row)
        for row in range(_HASH_SIDE)
        for column in range(_HASH_SIDE)
    )


def orientations(phash: int) -> tuple[int, ...]:
    """The hashes of the picture as it is, mirrored, upside down and both, and of each of these turned by 90
    degrees and mirrored: all eight ways to lay it."""
    return tuple(
        laid ^ mirror ^ flip
        for laid in (phash, transposed(phash))
        for flip in (0, ODD_ROWS)
        for mirror in (0, ODD_COLUMNS)
    )


def palette(picture: Image) -> tuple[PaletteColour, ...]:
    """The dominant colours, most frequent first; the percentages sum to 100."""
    small = picture.resize(_within(picture.size, 96))
    few = small.quantize(PALETTE_COLOURS, kmeans=2)
    levels = few.getpalette() or []
    counts = sorted(((count, cast("int", index)) for count, index in few.getcolors() or []), reverse=True)
    total = sum(count for count, _ in counts)
    shares = [round(100 * count / total, 1) for count, _ in counts]
    shares[0] = round(shares[0] + 100 - sum(shares), 1)
    return tuple(
        PaletteColour(hex="#{:02x}{:02x}{:02x}".format(*levels[3 * index : 3 * index + 3]), percentage=share)
        for (_, index), share in zip(counts, shares, strict=True)
    )


def prominent(colours: tuple[PaletteColour, ...]) -> tuple[PaletteColour, ...]:
    """Those of a palette that a person would name: 8 percent of the picture or more, and the first always."""
    return colours[:1] + tuple(colour for colour in colours[1:] if colour.percentage >= _LEAST_PERCENTAGE)


def colour_names(colours: tuple[PaletteColour, ...]) -> tuple[str, ...]:
    """What people call the colours that stand out in a picture."""
    return tuple(dict.fromkeys(colour_name(colour.hex) for colour in prominent(colours)))


def colour_name(hex_colour: str) -> str:
    """One of `COLOUR_NAMES` for `#rrggbb`, by hue where there is enough of one."""
    red, green, blue = (int(hex_colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    chroma = max(red, green, blue) - min(red, green, blue)
    degrees = hue * 360
    if lightness < 0.09 or (lightness < 0.18 and chroma < 0.12):
        return "black"
    if lightness > 0.93 or (lightness > 0.85 and chroma < 0.08):
        return "white"
    if 20 <= degrees < 66 and lightness > 0.65 and 0.07 <= chroma < 0.35:
        return "beige"
    if chroma < 0.1 or saturation < 0.08:
        return "grey"
    if 12 <= degrees < 48 and (lightness < 0.38 or chroma < 0.35):
        return "brown"
    if degrees >= 295 and lightness > 0.6:
        return "pink"
    if 160 <= degrees < 195 and lightness >= 0.4 and (chroma >= 0.35 or lightness > 0.7):
        return "cyan"
    if 200 <= degrees < 255 and lightness < 0.3:
        return "navy"
    edges = ((14, "red"), (44, "orange"), (68, "yellow"), (160, "green"), (195, "teal"), (255, "blue"), (312, "purple"))
    return next((name for edge, name in edges if degrees < edge), "pink" if degrees < 340 else "red")


def _within(size: tuple[int, int], long_edge: int) -> tuple[int, int]:
    scale = min(1.0, long_edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def thumbhash(picture: Image) -> str:
    """Base64 of the picture's ThumbHash.

    Written after the format's description by Evan Wallace (https://evanw.github.io/thumbhash/, MIT): luminance
    and two colour differences as a few DCT coefficients of four bits each. For pictures without alpha. By hand, since
    the packages either go through the pixels one by one in Python or have only just begun.
    """
    import numpy as np

    small = picture.convert("RGB").resize(_within(picture.size, 100))
    width, height = small.size
    pixels = np.asarray(small, dtype=np.float64) / 255
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    luminance_side = 7
    columns = max(1, round(luminance_side * width / max(width, height)))
    rows = max(1, round(luminance_side * height / max(width, height)))
    luminance = _encode_channel((red + green + blue) / 3, max(3, columns), max(3, rows))
    yellow_blue = _encode_channel((red + green) / 2 - blue, 3, 3)
    red_green = _encode_channel(red - green, 3, 3)
    landscape = width > height

    def level(value: float, top: int) -> int:
        return min(top, max(0, math.floor(value + 0.5)))

    header = (
        level(63 * luminance[0], 63)
        | level(31.5 + 31.5 * yellow_blue[0], 63) << 6
        | level(31.5 + 31.5 * red_green[0], 63) << 12
        | level(31 * luminance[2], 31) << 18
    )
    shape = (
        (rows if landscape else columns)
        | level(63 * yellow_blue[2], 63) << 3
        | level(63 * red_green[2], 63) << 9
        | (1 if landscape else 0) << 15
    )
    data = bytearray([*header.to_bytes(3, "little"), *shape.to_bytes(2, "little")])
    nibbles = [level(15 * value, 15) for _, values, _ in (luminance, yellow_blue, red_green) for value in values]
    nibbles += [0] * (len(nibbles) % 2)
    data += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return base64.b64encode(bytes(data)).decode()


def _encode_channel(channel: Any, columns: int, rows: int) -> tuple[float, list[float], float]:
    """A channel's mean, its low frequencies scaled to 0..1, and their largest size."""
    import numpy as np

    height, width = channel.shape
    across = np.cos(np.pi / width * np.outer(np.arange(columns), np.arange(width) + 0.5))
    down = np.cos(np.pi / height * np.outer(np.arange(rows), np.arange(height) + 0.5))
    frequencies = (down @ channel @ across.T) / (width * height)
    kept = [
        float(frequencies[row, column])
        for row in range(rows)
        for column in range(columns)
        if (row or column) and column * rows < columns * (rows - row)
    ]
    largest = max((abs(value) for value in kept), default=0.0)
    scaled = [0.5 + 0.5 / largest * value for value in kept] if largest else [0.5 for _ in kept]
    return float(frequencies[0, 0]), scaled, largest
