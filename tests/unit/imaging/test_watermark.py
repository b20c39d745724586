"""Both marks of a preview, on real pixels, and how much wear the unseen one lives through."""

from __future__ import annotations

import io
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imagemarket.imaging import invisible_watermark
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.invisible_watermark import MOST_READINGS, PSNR_DB, embed_identity, read_identity
from imagemarket.imaging.models import Rendition
from imagemarket.imaging.renditions import open_master
from imagemarket.imaging.visible_watermark import draw_visible_watermark
from imagemarket.imaging.watermark import make_watermarked, read_watermark
from local.pictures import paint_landscape

IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")
OTHER_ID = uuid.UUID("0192f0c4-7b1b-7000-9abc-0123456789ab")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return inspect(paint_landscape(tmp_path_factory.mktemp("a") / "a.jpg", seed=3)).master


@pytest.fixture(scope="module")
def previews(master: bytes) -> list[Rendition]:
    return make_watermarked(master, IMAGE_ID)


@pytest.fixture(scope="module")
def preview(previews: list[Rendition]) -> Image.Image:
    """The JPEG one, decoded."""
    return next(_opened(each.data) for each in previews if each.format == "jpeg")


def _opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def _encoded(picture: Image.Image, form: str, quality: int = 80) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, quality=quality)
    return out.getvalue()


def _scaled(picture: Image.Image, by: float) -> Image.Image:
    return picture.resize((round(picture.width * by), round(picture.height * by)), Image.Resampling.LANCZOS)


def _part(picture: Image.Image, share: float) -> Image.Image:
    """A share of each side, from somewhere off the middle."""
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = (picture.width - width) * 2 // 3, (picture.height - height) // 3
    return picture.crop((left, top, left + width, top + height))


def _psnr(one: Image.Image, other: Image.Image) -> float:
    error = (np.asarray(one, dtype=float) - np.asarray(other, dtype=float)) ** 2
    return float(10 * np.log10(255**2 / error.mean()))


# --- the mark that people see ----------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 80, 128, 165, 200, 255])
def test_the_visible_mark_stands_out_on_dark_and_on_light(level: int) -> None:
    plain = Image.new("RGB", (900, 600), (level, level, level))
    marked = np.asarray(draw_visible_watermark(plain, IMAGE_ID), dtype=int)
    changed = np.abs(marked - level).max(axis=2) > 25
    assert 0.02 < changed.mean() < 0.4
    for part in np.array_split(changed, 4, axis=0):  # no quarter can be cut out unmarked
        assert all(quarter.any() for quarter in np.array_split(part, 4, axis=1))


def test_letters_are_light_on_dark_and_dark_on_light() -> None:
    halves = Image.new("RGB", (900, 600), "black")
    halves.paste("white", (450, 0, 900, 600))
    marked = np.asarray(draw_visible_watermark(halves, IMAGE_ID).convert("L"), dtype=int)
    assert marked[:, :400].max() > 60
    assert marked[:, 500:].min() < 195


def test_no_two_images_wear_the_visible_mark_in_one_place() -> None:
    plain = Image.new("RGB", (900, 600), "grey")
    marked = [np.asarray(draw_visible_watermark(plain, each), dtype=int) != 128 for each in (IMAGE_ID, OTHER_ID)]
    overlap = (marked[0] & marked[1]).sum() / marked[0].sum()
    assert overlap < 0.3
    assert (marked[0] == (np.asarray(draw_visible_watermark(plain, IMAGE_ID), dtype=int) != 128)).all()


# --- the mark that carries the identity ------------------------------------------------------------


def test_the_unseen_mark_is_read_back_from_every_format(previews: list[Rendition]) -> None:
    assert {each.format for each in previews} == {"avif", "webp", "jpeg"}
    for each in previews:
        assert read_watermark(each.data).image_id == str(IMAGE_ID), each.format


@pytest.mark.parametrize(("form", "quality"), [("JPEG", 50), ("WEBP", 60)])
def test_the_unseen_mark_lives_through_encoders(preview: Image.Image, form: str, quality: int) -> None:
    assert read_watermark(_encoded(preview, form, quality)).image_id == str(IMAGE_ID)


@pytest.mark.parametrize(("by", "form"), [(0.5, "PNG"), (0.73, "PNG"), (0.73, "JPEG"), (1.4, "JPEG")])
def test_the_unseen_mark_lives_through_other_sizes(preview: Image.Image, by: float, form: str) -> None:
    reading = read_watermark(_encoded(_scaled(preview, by), form))
    assert reading.image_id == str(IMAGE_ID)
    assert reading.scale == pytest.approx(by, rel=0.005)


@pytest.mark.parametrize("share", [0.9, 0.6])
def test_a_part_of_a_picture_carries_the_mark(preview: Image.Image, share: float) -> None:
    assert read_watermark(_encoded(_part(preview, share), "JPEG")).image_id == str(IMAGE_ID)


def test_a_part_in_another_size_carries_the_mark(preview: Image.Image) -> None:
    reading = read_watermark(_encoded(_scaled(_part(preview, 0.8), 0.73), "JPEG"))
    assert (reading.image_id, reading.upright) == (str(IMAGE_ID), True)
    assert reading.scale == pytest.approx(0.73, rel=0.005)


@pytest.mark.parametrize(("mirrored", "turns"), [(True, 0), (False, 1), (False, 2), (True, 1)])
def test_mirrored_and_turned_copies_carry_the_mark(preview: Image.Image, mirrored: bool, turns: int) -> None:
    copy = ImageOps.mirror(preview) if mirrored else preview
    reading = read_identity(copy.rotate(90 * turns, expand=True))
    assert (reading.image_id, reading.upright) == (str(IMAGE_ID), False)


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_drawing_on_a_flat_ground_carries_the_mark(colour: str) -> None:
    drawing = Image.new("RGB", (1000, 700), colour)
    drawing.paste("crimson", (300, 200, 600, 500))
    for each in make_watermarked(_encoded(drawing, "TIFF"), IMAGE_ID):
        assert read_watermark(each.data).image_id == str(IMAGE_ID), each.format


@pytest.mark.parametrize("shape", [(70, 50), (1, 400), (400, 1), (1000, 3)])
def test_a_picture_too_small_for_the_unseen_mark_still_gets_its_preview(shape: tuple[int, int]) -> None:
    made = make_watermarked(_encoded(Image.new("RGB", shape, "olive"), "TIFF"), IMAGE_ID)
    assert {_opened(each.data).size for each in made} == {shape}


def test_the_unseen_mark_stays_unseen(master: bytes) -> None:
    picture = open_master(master)
    marked = embed_identity(picture, IMAGE_ID)
    assert PSNR_DB - 0.3 < _psnr(picture, marked) < PSNR_DB + 1


def test_the_mark_of_another_image_is_another(master: bytes) -> None:
    picture = open_master(master)
    assert read_identity(embed_identity(picture, OTHER_ID)).image_id == str(OTHER_ID)


def test_what_carries_no_mark_is_given_the_stated_number_of_chances(
    master: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound on false readings rests on it; so every reading that is tried must be counted here."""
    tried: list[bytes] = []
    decode = invisible_watermark._decode

    def counted(soft: np.ndarray) -> bytes:
        tried.append(decode(soft))
        return tried[-1]

    monkeypatch.setattr(invisible_watermark, "_decode", counted)
    noise = np.random.default_rng(7).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    for clean in (open_master(master), Image.fromarray(noise).resize((900, 600))):
        tried.clear()
        reading = read_identity(clean)
        assert reading.image_id is None
        assert reading.scale is None
        assert MOST_READINGS - 1 <= len(tried) <= MOST_READINGS
    assert MOST_READINGS / 2**32 < 1e-6


@settings(max_examples=8, deadline=None)
@given(st.uuids())
def test_any_identity_comes_back(identity: uuid.UUID) -> None:
    assert read_identity(embed_identity(_plain(), identity)).image_id == str(identity)


def _plain() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(60, 190, (300, 400, 3), dtype=np.uint8)).resize((800, 600))
