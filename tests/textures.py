"""Painted pictures with the fine detail that photos have."""

from __future__ import annotations

import numpy as np
from PIL import Image


def textured(picture: Image.Image, seed: int) -> Image.Image:
    """The picture under bumps of some 20 pixels."""
    noise = np.random.default_rng(seed).normal(0, 30, (picture.height // 20, picture.width // 20))
    layer = Image.fromarray(noise.astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.float32) + np.asarray(layer)[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
