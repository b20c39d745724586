"""Colours near a colour, by cells."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from imagemarket.imaging.lab import lab_of
from imagemarket.imaging.models import PaletteColour
from imagemarket.search.engines.colours import STEP, cells_near, cells_of

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
ROUNDING = STEP * math.sqrt(3) / 2


@given(colours, colours, st.floats(5, 50))
def test_a_colour_is_found_within_the_tolerance_and_not_beyond_but_for_the_rounding(
    wanted: str, there: str, tolerance: float
) -> None:
    (cell,) = cells_of([PaletteColour(there, 100)])
    distance = math.dist(lab_of(wanted), lab_of(there))
    if cell in cells_near(wanted, tolerance):
        assert distance <= tolerance + ROUNDING
    else:
        assert distance > tolerance - ROUNDING


@given(colours, st.floats(5, 50))
def test_a_colour_is_always_near_itself(colour: str, tolerance: float) -> None:
    assert set(cells_of([PaletteColour(colour, 100)])) <= set(cells_near(colour, tolerance))


def test_what_hardly_shows_is_not_looked_at() -> None:
    palette = [PaletteColour("#ff0000", 5), PaletteColour("#00ff00", 5), PaletteColour("#0000ff", 90)]
    assert cells_of(palette) == cells_of([palette[0], palette[2]])
    assert cells_of([]) == ()
