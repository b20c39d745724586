"""Fractals of the demo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local.demo.canvas import Array, Random, colour, grid, illustration, picture, ramp

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
