"""Copies are told from other pictures and from other exposures of the same scene."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from imagemarket.imaging.feature_matching import Comparison, align, compare, features
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.renditions import make_thumbnails
from imagemarket.imaging.watermark import make_watermarked
from local.pictures import paint_landscape
from tests.textures import textured


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Image.Image]:
    folder = tmp_path_factory.mktemp("pictures")
    made = []
    for seed in range(4):
        with Image.open(paint_landscape(folder / f"{seed}.jpg", seed=seed, size=(1200, 800))) as picture:
            made.append(textured(picture.convert("RGB"), seed))
    return made


def _thumbnail(picture: Image.Image) -> bytes:
    small = picture.copy()
    small.thumbnail((450, 450), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=82)
    return out.getvalue()


def _compared(copy: Image.Image, known: Image.Image) -> Comparison | None:
    return compare(features(_thumbnail(copy)), features(_thumbnail(known))[0])


def _part(picture: Image.Image, share: float) -> Image.Image:
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = (picture.width - width) // 3, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "whole": lambda picture: picture,
    "half": lambda picture: picture.reduce(2),
    "crop": lambda picture: _part(picture, 0.85),
    "mirrored": ImageOps.mirror,
    "turned": lambda picture: picture.rotate(90, expand=True),
    "tilted": lambda picture: _part(picture.rotate(5, Image.Resampling.BICUBIC), 0.85),
    "framed": lambda picture: ImageOps.expand(picture, 100, "white"),
    "brighter": lambda picture: picture.point(
        [min(255, round(255 * (level / 255) ** 0.75)) for level in range(256)] * 3
    ),
}


@pytest.mark.parametrize("made", COPIES)
def test_a_copy_agrees(pictures: list[Image.Image], made: str) -> None:
    found = _compared(COPIES[made](pictures[0]), pictures[0])
    assert found is not None
    assert found.inliers >= 30
    assert found.agreement > 0.95
    assert found.cells > 50


def test_other_pictures_have_nothing_in_common(pictures: list[Image.Image]) -> None:
    for one in range(len(pictures)):
        for other in range(one):
            found = _compared(pictures[one], pictures[other])
            assert found is None or found.inliers < 8


def test_what_moved_between_two_exposures_does_not_agree(pictures: list[Image.Image]) -> None:
    moved = pictures[1].copy()
    thing = moved.crop((300, 300, 700, 600))
    moved.paste(thing, (330, 310))
    found = _compared(moved, pictures[1])
    assert found is not None
    assert found.inliers >= 30
    assert found.agreement < 0.95


def test_a_flat_picture_matches_nothing() -> None:
    grey = Image.new("RGB", (450, 300), "grey")
    assert _compared(grey, grey) is None


def test_what_is_no_picture_is_said() -> None:
    with pytest.raises(ValueError, match="no picture"):
        features(b"nothing of the kind")


def test_a_copy_is_laid_over_the_known_picture(pictures: list[Image.Image]) -> None:
    known = pictures[2].resize((900, 600), Image.Resampling.LANCZOS)
    tilted = _part(ImageOps.mirror(known.rotate(4, Image.Resampling.BICUBIC)), 0.9).resize((700, 500))
    laid = align(tilted, known)
    assert laid is not None
    assert laid.size == known.size
    middle = (250, 150, 650, 450)
    error = np.asarray(laid.crop(middle), dtype=float) - np.asarray(known.crop(middle), dtype=float)
    assert np.abs(error).mean() < 6
    assert align(pictures[3], known) is None or _compared(pictures[3], known) is None


@pytest.mark.parametrize("sides", [(1, 64), (64, 1), (1, 100), (2, 200), (7, 700), (450, 5), (40, 4000), (64, 64)])
def test_the_narrowest_pictures_that_are_accepted_go_all_the_way(tmp_path: Path, sides: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (sides[1], sides[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    found = inspect(tmp_path / "a.png")
    made = make_thumbnails(found.master) + make_watermarked(found.master, uuid.uuid4())
    assert len(made) == 12
    compared = next(each.data for each in made if (each.long_edge, each.format) == (450, "jpeg"))
    ours = features(compared)
    compare(ours, ours[0])  # says something or nothing, and does not fail
