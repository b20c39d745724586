"""Renditions and their marks, made from real pixels."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagemarket.imaging import watermark
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.models import Rendition
from imagemarket.imaging.renditions import make_thumbnails, open_master
from local.pictures import paint_landscape

IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return inspect(paint_landscape(tmp_path_factory.mktemp("a") / "a.jpg", seed=3)).master


@pytest.fixture(scope="module")
def previews(master: bytes) -> list[Rendition]:
    return watermark.make_watermarked(master, IMAGE_ID)


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
    Image.new("RGB", (200, 100), "green").save(out, "PNG")
    sizes = {each.long_edge: (each.width, each.height) for each in make_thumbnails(out.getvalue())}
    assert sizes == {150: (150, 75), 450: (200, 100), 1000: (200, 100)}


@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_visible_mark_stands_out_on_dark_and_on_light(level: int) -> None:
    plain = Image.new("RGB", (900, 600), (level, level, level))
    marked = np.asarray(watermark.draw_visible_mark(plain), dtype=int)
    changed = np.abs(marked - level).max(axis=2) > 40
    assert 0.02 < changed.mean() < 0.4
    for part in np.array_split(changed, 4, axis=0):  # no quarter can be cut out unmarked
        assert all(quarter.any() for quarter in np.array_split(part, 4, axis=1))


def test_the_unseen_mark_is_read_back_from_every_format(previews: list[Rendition]) -> None:
    assert {each.format for each in previews} == {"avif", "webp", "jpeg"}
    for each in previews:
        assert watermark.read_watermark(each.data).image_id == str(IMAGE_ID), each.format


@pytest.mark.parametrize("wear", ["JPEG at quality 50", "WebP at quality 60", "half size"])
def test_the_unseen_mark_lives_through_wear(previews: list[Rendition], wear: str) -> None:
    picture = next(_opened(each.data) for each in previews if each.format == "jpeg")
    out = io.BytesIO()
    if wear == "half size":
        picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS).save(out, "PNG")
    else:
        picture.save(out, wear.split()[0].upper(), quality=int(wear.split()[-1]))
    assert watermark.read_watermark(out.getvalue()).image_id == str(IMAGE_ID)


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_drawing_on_a_flat_ground_carries_the_mark(colour: str) -> None:
    drawing = Image.new("RGB", (1000, 700), colour)
    drawing.paste("crimson", (300, 200, 600, 500))
    out = io.BytesIO()
    drawing.save(out, "PNG")
    for each in watermark.make_watermarked(out.getvalue(), IMAGE_ID):
        assert watermark.read_watermark(each.data).image_id == str(IMAGE_ID), each.format


def test_a_picture_too_small_for_the_unseen_mark_still_gets_its_preview() -> None:
    out = io.BytesIO()
    Image.new("RGB", (70, 50), "olive").save(out, "PNG")
    assert {_opened(each.data).size for each in watermark.make_watermarked(out.getvalue(), IMAGE_ID)} == {(70, 50)}


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (1000, 3)])
def test_a_thread_of_a_picture_goes_through(shape: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("RGB", shape, "olive").save(out, "PNG")
    assert len(make_thumbnails(out.getvalue())) == 9
    assert len(watermark.make_watermarked(out.getvalue(), IMAGE_ID)) == 3


def test_an_unmarked_picture_carries_nothing(master: bytes) -> None:
    assert watermark.read_watermark(master).image_id is None
    random = np.random.default_rng(7)
    for _ in range(20):
        noise = Image.fromarray(random.integers(0, 256, (60, 90, 3), dtype=np.uint8)).resize((900, 600))
        assert watermark.read_identity(noise).image_id is None


def test_the_unseen_mark_stays_unseen(master: bytes) -> None:
    picture = open_master(master)
    marked = watermark.embed_identity(picture, IMAGE_ID)
    error = (np.asarray(picture, dtype=float) - np.asarray(marked, dtype=float)) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 43


@settings(max_examples=15, deadline=None)
@given(st.uuids())
def test_any_identity_comes_back(identity: uuid.UUID) -> None:
    assert watermark.read_identity(watermark.embed_identity(_plain(), identity)).image_id == str(identity)


def _plain() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(60, 190, (300, 400, 3), dtype=np.uint8)).resize((800, 600))


def test_previews_of_unlike_pictures_are_marked_alike(tmp_path: Path) -> None:
    for seed in (21, 22):
        data = watermark.make_watermarked(inspect(paint_landscape(tmp_path / "b.jpg", seed=seed)).master, IMAGE_ID)
        assert watermark.read_watermark(data[-1].data).image_id == str(IMAGE_ID)
