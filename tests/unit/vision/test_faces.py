"""Faces are found where they are, and nowhere else."""

from __future__ import annotations

import pytest
from PIL import Image

from imagemarket.vision.faces import FaceFinder
from tests.unit.vision.kit import lite_bundle, photo


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(lite_bundle())


def test_finds_the_face_where_it_is(finder: FaceFinder) -> None:
    boxes = finder.find(photo("astronaut.png"))
    left, top, right, bottom, score = boxes[0]
    assert score > 0.99
    assert not (boxes[1:, 4] > 0.98).any()
    # The face of the astronaut lies around (222, 110) of 512 x 512.
    assert left < 222 < right
    assert top < 110 < bottom
    assert 60 < right - left < 150


def test_follows_the_face_when_the_picture_is_mirrored(finder: FaceFinder) -> None:
    turned = photo("astronaut.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, _, right, _, _ = finder.find(turned)[0]
    assert left < 512 - 222 < right


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png"])
def test_finds_none_where_there_is_none(finder: FaceFinder, name: str) -> None:
    picture = photo(name)
    picture.thumbnail((450, 450))
    assert not (finder.find(picture)[:, 4] > 0.98).any()


@pytest.mark.parametrize("size", [(1, 1), (11, 400), (20, 20), (300, 300)])
def test_takes_any_shape(finder: FaceFinder, size: tuple[int, int]) -> None:
    assert finder.find(Image.new("RGB", size, (200, 180, 160))).shape == (0, 5)
