"""The colours of a picture in the words people use for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
_HUE_ENDS = (15, 42, 68, 165, 195, 258, 290, 340)
"""Where each hue ends, in degrees; from the last on it is red again."""

_LEAST_SHARE = 0.12


def name_colours(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Shares 0..1 of the colours in RGB `pixels` (any shape ending in 3), the largest first, leaving out
    what covers little. A picture without any colour is `{"black and white": 1.0}`."""
    import numpy as np

    rgb = pixels.reshape(-1, 3).astype(np.float32) / 255
    value = rgb.max(axis=1)
    spread = value - rgb.min(axis=1)
    if float(np.percentile(spread, 98)) < 0.06:
        return {"black and white": 1.0}
    saturation = spread / np.maximum(value, 1e-6)
    red, green, blue = rgb.T
    safe = np.maximum(spread, 1e-6)
    sextant = np.select(
        [value == red, value == green], [((green - blue) / safe) % 6, (blue - red) / safe + 2], (red - green) / safe + 4
    )
    hue = np.searchsorted(np.asarray(_HUE_ENDS), sextant * 60, side="right") % len(_HUES)
    named = np.asarray(_HUES, dtype="<U8")[hue]
    warm_and_dark = np.isin(named, ["orange", "red"]) & (value < 0.6) & (value >= 0.2) & (saturation > 0.25)
    named = np.where(warm_and_dark & ((named == "orange") | (saturation < 0.6)), "brown", named)
    grey = (saturation < 0.15) | (spread < 0.06)
    named = np.where(grey, np.select([value > 0.85, value < 0.2], ["white", "black"], "gray"), named)
    named = np.where(value < 0.12, "black", named)
    found, counts = np.unique(named, return_counts=True)
    shares = sorted(zip(found.tolist(), (counts / len(named)).tolist(), strict=True), key=lambda pair: -pair[1])
    return {colour: float(share) for colour, share in shares if share >= _LEAST_SHARE}
