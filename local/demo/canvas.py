"""What the demo's illustrations are drawn with: colours, gradients, noise, and an edge that is smooth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.float64]
Random = np.random.Generator
Point = tuple[float, float]

LANDSCAPE, PORTRAIT, SQUARE = (1500, 1000), (1000, 1500), (1200, 1200)
_FINER = 2
"""Shapes are drawn this many times larger and scaled down, which smooths their edges."""


@dataclass(frozen=True)
class Illustration:
    """A drawing and what is true of it."""

    name: str
    title: str
    description: str
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    size: tuple[int, int]
    paint: Callable[[tuple[int, int], Random], Image.Image]


GALLERY: list[Illustration] = []


def illustration(
    title: str,
    description: str,
    tags: str,
    categories: str,
    size: tuple[int, int] = LANDSCAPE,
) -> Callable[[Callable[[tuple[int, int], Random], Image.Image]], Callable[[tuple[int, int], Random], Image.Image]]:
    """Hangs a painter in the gallery; `tags` by commas, `categories` by spaces."""

    def hang(
        paint: Callable[[tuple[int, int], Random], Image.Image],
    ) -> Callable[[tuple[int, int], Random], Image.Image]:
        words = tuple(word.strip() for word in tags.split(","))
        name = paint.__name__.replace("_", "-")
        GALLERY.append(Illustration(name, title, description, words, tuple(categories.split()), size, paint))
        return paint

    return hang


def colour(text: str) -> Array:
    """`rrggbb` as three numbers from 0 to 1."""
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)]) / 255


def ink(value: Array, alpha: float = 1.0) -> tuple[int, int, int, int]:
    """A colour as Pillow's drawing takes it."""
    red, green, blue = (int(v) for v in np.clip(value * 255, 0, 255))
    return red, green, blue, int(alpha * 255)


def mix(first: Array, second: Array, share: float) -> Array:
    return first * (1 - share) + second * share


def ramp(values: Array, *stops: str) -> Array:
    """Maps numbers from 0 to 1 onto the colours `stops`, evenly spaced: shape (..., 3)."""
    colours = np.array([colour(stop) for stop in stops])
    places = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(values, places, colours[:, channel]) for channel in range(3)], axis=-1)


def sky(size: tuple[int, int], *stops: str) -> Array:
    """A vertical gradient, top to bottom: (height, width, 3)."""
    width, height = size
    column = ramp(np.linspace(0, 1, height), *stops)
    return np.repeat(column[:, None, :], width, axis=1)


def grid(size: tuple[int, int]) -> tuple[Array, Array]:
    """x and y of each pixel; the shorter edge runs from -1 to 1."""
    width, height = size
    half = min(width, height) / 2
    x = (np.arange(width) - width / 2 + 0.5) / half
    y = (np.arange(height) - height / 2 + 0.5) / half
    return np.meshgrid(x, y)  # pyright: ignore[reportReturnType] - a tuple of two


def noise(size: tuple[int, int], random: Random, cells: float, octaves: int = 4) -> Array:
    """Soft noise from 0 to 1: octaves of random grids, the first of about `cells` cells along the width."""
    width, height = size
    total, weight, sum_of_weights = np.zeros((height, width)), 1.0, 0.0
    for octave in range(octaves):
        columns = max(2, round(cells * 2**octave))
        rows = max(2, round(columns * height / width))
        coarse = Image.fromarray(random.random((rows, columns)).astype(np.float32))
        total += weight * np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
        sum_of_weights += weight
        weight /= 2
    total /= sum_of_weights
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def ridge(width: int, random: Random, roughness: float, waves: int = 9) -> Array:
    """The outline of hills along a width, around 0, about from -1 to 1."""
    across = np.linspace(0, 2 * np.pi, width)
    line = np.zeros(width)
    for number in range(1, waves + 1):
        line += random.normal() * number ** (-1 / roughness) * np.sin(number * across * 0.6 + random.uniform(0, 7))
    return line / max(1e-9, np.abs(line).max())


def glow(size: tuple[int, int], centre: Point, radius: float) -> Array:
    """1 at `centre` (shares of width and height), falling off softly: (height, width)."""
    width, height = size
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(x - centre[0] * width, y - centre[1] * height) / radius
    return np.exp(-(distance**1.2))


def disc(size: tuple[int, int], centre: Point, radius: float) -> Array:
    """1 inside, 0 outside, smooth over the last pixels."""
    width, height = size
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(x - centre[0] * width, y - centre[1] * height)
    return np.clip(radius - distance + 0.5, 0, 1)


def lay(under: Array, over: Array, mask: Array) -> Array:
    """`over` on `under` where `mask` is 1."""
    return under * (1 - mask[..., None]) + over * mask[..., None]


def below(size: tuple[int, int], line: Array) -> Array:
    """1 below a line given in pixels from the top, for each column."""
    rows = np.arange(size[1])[:, None]
    return np.clip(rows - line[None, :] + 0.5, 0, 1)


def picture(pixels: Array, random: Random | None = None, grain: float = 0.008) -> Image.Image:
    """Numbers from 0 to 1 as an image, with a little grain, which keeps gradients from banding."""
    if random is not None and grain:
        pixels = pixels + random.normal(0, grain, (*pixels.shape[:2], 1))
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


class Paper:
    """A sheet to draw shapes on in the units of the finished picture."""

    def __init__(self, size: tuple[int, int], background: str | Array | Image.Image) -> None:
        self.size = size
        large = (size[0] * _FINER, size[1] * _FINER)
        if isinstance(background, Image.Image):
            self._sheet = background.convert("RGB").resize(large, Image.Resampling.BILINEAR)
        else:
            plain = colour(background) if isinstance(background, str) else background
            self._sheet = Image.new("RGB", large, ink(plain)[:3])
        self._draw = ImageDraw.Draw(self._sheet, "RGBA")

    def polygon(self, points: Sequence[Point], fill: Array, alpha: float = 1.0) -> None:
        self._draw.polygon([(x * _FINER, y * _FINER) for x, y in points], fill=ink(fill, alpha))

    def ellipse(
        self, centre: Point, across: float, down: float | None = None, *, fill: Array, alpha: float = 1.0
    ) -> None:
        (x, y), down = centre, across if down is None else down
        box = [(x - across) * _FINER, (y - down) * _FINER, (x + across) * _FINER, (y + down) * _FINER]
        self._draw.ellipse(box, fill=ink(fill, alpha))

    def ring(self, centre: Point, radius: float, line: Array, width: float, alpha: float = 1.0) -> None:
        x, y = centre
        box = [(x - radius) * _FINER, (y - radius) * _FINER, (x + radius) * _FINER, (y + radius) * _FINER]
        self._draw.ellipse(box, outline=ink(line, alpha), width=round(width * _FINER))

    def rectangle(
        self, x: float, y: float, width: float, height: float, fill: Array, *, alpha: float = 1.0, round_by: float = 0
    ) -> None:
        box = [x * _FINER, y * _FINER, (x + width) * _FINER - 1, (y + height) * _FINER - 1]
        if box[2] < box[0] or box[3] < box[1]:
            return
        self._draw.rounded_rectangle(box, radius=round_by * _FINER, fill=ink(fill, alpha))

    def line(self, points: Sequence[Point], stroke: Array, width: float, alpha: float = 1.0) -> None:
        at = [(x * _FINER, y * _FINER) for x, y in points]
        self._draw.line(at, fill=ink(stroke, alpha), width=max(1, round(width * _FINER)), joint="curve")

    def finished(self) -> Image.Image:
        return self._sheet.reduce(_FINER)
