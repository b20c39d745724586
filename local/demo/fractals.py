"""Fractals of the demo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local.demo.canvas import LANDSCAPE, PORTRAIT, Array, Paper, Random, colour, grid, illustration, picture, ramp

Size = tuple[int, int]


def _escapes(start: NDArray[np.complex64], add: NDArray[np.complex64], most: int) -> Array:
    """How many rounds of z -> z² + c each point takes to run away, smoothed; `most` where it stays."""
    rounds = np.full(start.size, float(most))
    z, c, where = start.ravel(), np.broadcast_to(add, start.shape).ravel(), np.arange(start.size)
    for number in range(most):
        z = z * z + c
        far = z.real**2 + z.imag**2
        gone = far > 256
        if gone.any():
            rounds[where[gone]] = number + 1 - np.log2(np.log2(far[gone]) / 8)
            z, c, where = z[~gone], c[~gone], where[~gone]
    return rounds.reshape(start.shape)


@illustration(
    "Spirals of the Mandelbrot set",
    "The seahorse valley of the Mandelbrot set from near: spirals in blue, white and gold between brown and black.",
    "mandelbrot, fractal, spirals, seahorse valley, mathematics, chaos, blue, gold",
    "abstract science",
)
def mandelbrot_spirals(size: Size, _random: Random) -> Image.Image:
    x, y = grid(size)
    points = (x * 0.0048 - 0.7462 + 1j * (y * 0.0048 + 0.1102)).astype(np.complex64)
    most = 260
    rounds = _escapes(np.zeros_like(points), points, most)
    shade = (np.log(rounds) * 1.6 + 0.35) % 1
    pixels = ramp(shade, "061a4a", "1f66b8", "e8f6ff", "f7b733", "6b2b06", "061a4a")
    pixels[rounds >= most] = colour("05060c")
    return picture(pixels)


@illustration(
    "Julia set in violet and green",
    "A Julia set of curling, lightning-like branches glowing green on violet, the same when turned upside down.",
    "julia set, fractal, mathematics, symmetry, violet, green, glow, chaos",
    "abstract science",
)
def julia_set(size: Size, _random: Random) -> Image.Image:
    x, y = grid(size)
    upper = size[1] // 2
    points = (x[:upper] + 1j * y[:upper]).astype(np.complex64) * np.complex64(1.08)
    rounds = _escapes(points, np.array(-0.8 + 0.156j, dtype=np.complex64), 220)
    # the set is its own half turn
    rounds = np.concatenate([rounds, rounds[::-1, ::-1]])
    shade = np.clip(np.log(rounds / 3) / np.log(70), 0, 1)
    return picture(ramp(shade, "1b0f3a", "3a1d6e", "6a3fa0", "2f9f86", "b6f09c", "fbfff0"))


@illustration(
    "Fern grown by a fractal",
    "A single green fern frond, each leaflet a smaller copy of the whole, on cream paper.",
    "fern, fractal, leaf, barnsley, botanical, green, plant, mathematics",
    "plants science",
    PORTRAIT,
)
def fractal_fern(size: Size, random: Random) -> Image.Image:
    width, height = size
    walkers = 12_000
    maps = np.array(
        [
            (0, 0, 0, 0.16, 0, 0),
            (0.85, 0.04, -0.04, 0.85, 0, 1.6),
            (0.2, -0.26, 0.23, 0.22, 0, 1.6),
            (-0.15, 0.28, 0.26, 0.24, 0, 0.44),
        ]
    )
    x, y = np.zeros(walkers), np.zeros(walkers)
    hits = np.zeros(width * height)
    scale = 0.09 * height
    for step in range(140):
        a, b, c, d, e, f = maps[random.choice(4, walkers, p=[0.01, 0.85, 0.07, 0.07])].T
        x, y = a * x + b * y + e, c * x + d * y + f
        if step > 20:
            columns = (width * 0.47 + x * scale).astype(int)
            rows = (height * 0.955 - y * scale).astype(int)
            hits += np.bincount(
                np.clip(rows, 0, height - 1) * width + np.clip(columns, 0, width - 1), minlength=hits.size
            )
    density = np.clip(np.log1p(hits.reshape(height, width)) / 2.4, 0, 1)
    down = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    leaf = ramp(down, "8fbf4d", "3f8f46", "14532d")
    paper = ramp(np.hypot(*grid(size)) / 1.8, "fbf6e6", "efe4c8")
    return picture(paper * (1 - density[..., None]) + leaf * density[..., None], random)


@illustration(
    "Dragon curve",
    "The dragon curve, one unbroken line folded fourteen times, running from red through orange to yellow.",
    "dragon curve, fractal, line, folding, mathematics, red, orange, geometric",
    "abstract science",
    LANDSCAPE,
)
def dragon_curve(size: Size, _random: Random) -> Image.Image:
    width, height = size
    folds = 14
    line = np.array([0, 1], dtype=np.complex128)
    for _ in range(folds):
        end = line[-1]
        line = np.concatenate([line, (end + (line[:-1] - end) * 1j)[::-1]])
    line *= np.exp(1j * np.pi * folds / 4)
    across, down = np.ptp(line.real), np.ptp(line.imag)
    scale = min(width * 0.88 / across, height * 0.88 / down)
    x = (line.real - line.real.min() - across / 2) * scale + width / 2
    y = (line.imag - line.imag.min() - down / 2) * scale + height / 2
    paper = Paper(size, "1c1b29")
    tones = ramp(np.linspace(0, 1, len(line)), "d7263d", "f46036", "ffb627", "fff1a8")
    stride = 16
    for start in range(0, len(line) - 1, stride):
        points = list(zip(x[start : start + stride + 1].tolist(), y[start : start + stride + 1].tolist(), strict=True))
        paper.line(points, tones[start], scale * 0.55)
    return paper.finished()
