"""PNGs that are not plain: right, or refused by a sentence that names what they are."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from imagemarket.imaging.decoding import decode
from imagemarket.platform.errors import UnreadableImage, UnsupportedFormat
from tests.unit.imaging.colour import as_srgb, difference, rgb_profile, swatches

BEHIND_HEADER = 33


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def _with(path: Path, *chunks: bytes, at: int = BEHIND_HEADER, profile: bytes | None = None) -> Path:
    out = io.BytesIO()
    Image.fromarray(swatches()).save(out, "PNG", icc_profile=profile)
    data = out.getvalue()
    path.write_bytes(data[:at] + b"".join(chunks) + data[at:])
    return path


def test_an_animation_of_one_frame_is_a_still_picture(tmp_path: Path) -> None:
    width, height = Image.fromarray(swatches()).size
    frame = struct.pack(">5I2H2B", 0, width, height, 0, 0, 0, 1, 0, 0)
    control = _chunk(b"acTL", struct.pack(">II", 1, 0)) + _chunk(b"fcTL", frame)
    decoded = decode(_with(tmp_path / "a.png", control))
    assert difference(decoded.picture, Image.fromarray(swatches()))[1] < 1
    with pytest.raises(UnsupportedFormat, match="animation"):
        decode(_with(tmp_path / "a.png", _chunk(b"acTL", struct.pack(">II", 2, 0))))


@pytest.mark.parametrize("behind", [b"fcTL", b"fdAT"])
@pytest.mark.parametrize("in_front", [True, False])
def test_an_animation_whose_frames_are_not_the_picture_alone_is_refused(
    tmp_path: Path, behind: bytes, *, in_front: bool
) -> None:
    """Whatever it says of how many it has: browsers show frames, and this shows what stands in for them."""
    width, height = Image.fromarray(swatches()).size
    frame = _chunk(b"fcTL", struct.pack(">5I2H2B", 0, width, height, 0, 0, 0, 1, 0, 0))
    path = _with(tmp_path / "a.png", _chunk(b"acTL", struct.pack(">II", 1, 0)), *([frame] if in_front else []))
    data = path.read_bytes()
    end = len(data) - 12  # before IEND
    path.write_bytes(data[:end] + _chunk(behind, bytes(26)) + data[end:])
    with pytest.raises(UnsupportedFormat, match="animation"):
        decode(path)
    if not in_front:
        path.write_bytes(data)
        with pytest.raises(UnsupportedFormat, match="animation"):
            decode(path)


@pytest.mark.parametrize("length", [0, 2, 3, 5])
def test_code_points_that_are_cut_are_called_damaged(tmp_path: Path, length: int) -> None:
    with pytest.raises(UnreadableImage, match="cICP"):
        decode(_with(tmp_path / "a.png", _chunk(b"cICP", bytes((1, 13, 0, 1, 0)[:length]))))


def test_a_png_of_xcodes_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match="made for iPhones by Xcode; save it as a plain PNG"):
        decode(_with(tmp_path / "a.png", _chunk(b"CgBI", b"\x50\0\x20\2"), at=8))


@pytest.mark.parametrize(
    ("points", "named"),
    [
        ((9, 16, 0, 1), r"HDR \(PQ\)"),
        ((9, 18, 0, 1), r"HDR \(HLG\)"),
        ((1, 16, 0, 1), r"HDR \(PQ\)"),
        ((9, 13, 0, 1), "9/13/0/1 of cICP"),
        ((1, 8, 0, 1), "1/8/0/1 of cICP"),
        ((1, 13, 0, 0), "1/13/0/0 of cICP"),
    ],
)
def test_colours_by_code_points_that_are_not_taken_are_refused_by_name(
    tmp_path: Path, points: tuple[int, int, int, int], named: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=named):
        decode(_with(tmp_path / "a.png", _chunk(b"cICP", bytes(points))))


def test_srgb_and_display_p3_by_code_points_come_out_right_whatever_the_profile_says(tmp_path: Path) -> None:
    pixels = Image.fromarray(swatches())
    wide = rgb_profile("ProPhoto")
    for points, expected in (
        ((1, 13, 0, 1), pixels),
        ((12, 13, 0, 1), as_srgb(pixels, pyvips.Image.profile_load("p3"))),
    ):
        for profile in (None, wide):
            path = _with(tmp_path / "a.png", _chunk(b"cICP", bytes(points)), profile=profile)
            mean, worst = difference(decode(path).picture, expected)
            assert mean < 1
            assert worst < 3
    assert np.asarray(as_srgb(pixels, pyvips.Image.profile_load("p3"))).tolist() != swatches().tolist()
