"""Pictures painted for tests and benchmarks: no two alike to a perceptual hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def paint_landscape(path: Path, *, seed: int, size: tuple[int, int] = (1600, 1067)) -> Path:
    """Hills under a sky, saved as a JPEG; another seed gives another picture."""
    _landscape(seed, size).save(path, quality=90)
    return path


def paint_photo(path: Path, *, seed: int, size: tuple[int, int]) -> Path:
    """The same with the grain, and so about the bytes, of a camera's file: half a byte a pixel as a JPEG of quality
    95, three bytes as an uncompressed TIFF, as the path's suffix says."""
    smooth = np.asarray(_landscape(seed, (1500, 1000)).resize(size, Image.Resampling.BICUBIC), dtype=np.int16)
    grain = np.random.default_rng(seed).integers(-24, 25, (size[1], size[0], 1), dtype=np.int8)
    picture = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
    if path.suffix == ".jpg":
        picture.save(path, quality=95)
    else:
        picture.save(path)
    return path


def _landscape(seed: int, size: tuple[int, int]) -> Image.Image:
    width, height = size
    random = np.random.default_rng(seed)
    sky, ground = random.integers(90, 256, 3), random.integers(0, 140, 3)
    rows = np.linspace(0, 1, height)[:, None, None]
    pixels = sky * (1 - 0.6 * rows) + np.zeros((1, width, 1))
    across = np.linspace(0, 2 * np.pi, width)
    for layer in range(4):
        waves = sum(
            random.uniform(0.02, 0.14) * np.sin(random.uniform(0.5, 6) * across + random.uniform(0, 6))
            for _ in range(4)
        )
        ridge = (0.3 + 0.15 * layer + waves) * height
        below = np.greater.outer(np.arange(height), ridge)
        pixels[below] = ground * (1 - 0.2 * layer) + random.integers(0, 60, 3)
    noise = random.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
