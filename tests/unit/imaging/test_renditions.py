"""Renditions, made from real pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.renditions import make_thumbnails, open_master
from local.pictures import paint_landscape


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return inspect(paint_landscape(tmp_path_factory.mktemp("a") / "a.jpg", seed=3)).master


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def _difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def test_three_sizes_in_three_formats(master: bytes) -> None:
    made = make_thumbnails(master)
    assert sorted((each.kind, each.long_edge, each.format) for each in made) == sorted(
        (kind, edge, name)
        for kind, edge in (("thumbnail", 150), ("thumbnail", 450), ("clean", 1000))
        for name in ("avif", "jpeg", "webp")
    )
    for each in made:
        picture = _opened(each.data)
        assert picture.size == (each.width, each.height)
        assert max(picture.size) == each.long_edge
        assert _difference(picture, open_master(master).resize(picture.size, Image.Resampling.LANCZOS)) < 6
    assert len({each.content_hash for each in made}) == 9
    assert make_thumbnails(master) == made


def test_a_small_master_is_not_enlarged() -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 100), "green").save(out, "TIFF")
    sizes = {each.long_edge: (each.width, each.height) for each in make_thumbnails(out.getvalue())}
    assert sizes == {150: (150, 75), 450: (200, 100), 1000: (200, 100)}


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (1000, 3)])
def test_a_thread_of_a_picture_goes_through(shape: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", shape, "olive").save(out, "TIFF")
    assert len(make_thumbnails(out.getvalue())) == 9
