"""Colours by the words people use for them."""

from __future__ import annotations

import numpy as np
import pytest

from imagemarket.vision.colours import name_colours


def _flat(*rgb: int) -> np.ndarray:
    return np.full((8, 8, 3), rgb, dtype=np.uint8)


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((220, 20, 30), "red"),
        ((240, 140, 20), "orange"),
        ((240, 220, 40), "yellow"),
        ((40, 160, 60), "green"),
        ((30, 200, 200), "cyan"),
        ((30, 60, 200), "blue"),
        ((130, 40, 190), "purple"),
        ((240, 100, 180), "pink"),
        ((110, 70, 40), "brown"),
    ],
)
def test_a_flat_colour_has_its_name(rgb: tuple[int, int, int], name: str) -> None:
    assert name_colours(_flat(*rgb)) == {name: 1.0}


def test_shares_are_of_the_area_the_largest_first() -> None:
    picture = np.concatenate([_flat(30, 60, 200)] * 3 + [_flat(250, 250, 250)] * 2)
    assert name_colours(picture) == {"blue": pytest.approx(0.6), "white": pytest.approx(0.4)}


def test_what_covers_little_is_left_out() -> None:
    picture = np.concatenate([_flat(30, 60, 200)] * 9 + [_flat(220, 20, 30)])
    assert list(name_colours(picture)) == ["blue"]


def test_a_picture_without_colour_is_black_and_white() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert name_colours(ramp) == {"black and white": 1.0}
    assert name_colours(_flat(0, 0, 0)) == {"black and white": 1.0}
