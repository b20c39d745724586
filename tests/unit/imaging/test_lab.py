"""Colours as the eye tells them apart."""

from __future__ import annotations

import pytest

from imagemarket.imaging.lab import lab_of


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        # B. Lindbloom's CIE colour calculator, sRGB under D65
        ("#ffffff", (100.0, 0.0, 0.0)),
        ("#000000", (0.0, 0.0, 0.0)),
        ("#ff0000", (53.24, 80.09, 67.20)),
        ("#00ff00", (87.73, -86.18, 83.18)),
        ("#0000ff", (32.30, 79.19, -107.86)),
        ("#808080", (53.59, 0.0, 0.0)),
    ],
)
def test_known_colours(colour: str, lab: tuple[float, float, float]) -> None:
    assert lab_of(colour) == pytest.approx(lab, abs=0.05)
