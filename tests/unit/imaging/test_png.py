"""PNGs that are not plain: right, or refused by a sentence that names what they are."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageOps

from imagemarket.imaging.decoding import decode
from imagemarket.imaging.errors import UnreadableImage, UnsupportedFormat
from imagemarket.imaging.inspection import inspect
from tests.unit.imaging.colour import as_srgb, difference, rgb_profile, swatches

BEHIND_HEADER, BEFORE_END = 33, 12


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_behind_the_pixels_counts_like_exif_before_them(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0110], exif[0x0132] = orientation, "ACME One", "2024:05:06 07:08:09"
    chunk = _chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    before, behind = _with(tmp_path / "a.png", chunk), _with(tmp_path / "b.png", chunk, at=-BEFORE_END)
    expected, found = inspect(before), inspect(behind)
    assert found.technical == expected.technical
    assert found.technical.camera == "ACME One"
    assert (
        (found.width, found.height)
        == (expected.width, expected.height)
        == ((240, 160) if orientation < 5 else (160, 240))
    )
    assert found.master == expected.master
    with Image.open(behind) as opened:
        assert difference(decode(behind).picture, ImageOps.exif_transpose(opened))[1] < 1


@pytest.mark.parametrize(
    "exif", [b"", b"II", b"II*\0\xff\xff\0\0", b"no exif", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\x09\0\0"]
)
def test_broken_exif_behind_the_pixels_is_passed_over(tmp_path: Path, exif: bytes) -> None:
    found = inspect(_with(tmp_path / "a.png", _chunk(b"eXIf", exif), at=-BEFORE_END))
    assert (found.width, found.height) == (240, 160)


def test_of_exif_before_and_behind_the_pixels_the_first_counts(tmp_path: Path) -> None:
    first, second = (
        _chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0" + turned + bytes(6)) for turned in (b"\1", b"\6")
    )
    path = _with(tmp_path / "a.png", first)
    data = path.read_bytes()
    path.write_bytes(data[:-BEFORE_END] + second + data[-BEFORE_END:])
    assert decode(path).width == 240
    path.write_bytes(_with(path, second, at=-BEFORE_END).read_bytes())
    assert decode(path).width == 160


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


# --- damage ----------------------------------------------------------------------------------------

_SIDES = (240, 160)


def _parts(kind: int, *, level: int = 6, interlaced: bool = False) -> tuple[bytes, bytes]:
    """A PNG up to its pixels, and these as one stream of zlib's: noise, so that every byte of it matters."""
    width, height = _SIDES
    row = 1 + width * {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    rows = bytearray(np.random.default_rng(7).integers(0, 200, (height, row), dtype=np.uint8).tobytes())
    rows[::row] = bytes(height)
    start = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, interlaced))
    if kind == 3:
        start += _chunk(b"PLTE", bytes(range(256)) * 3)
    return start, zlib.compress(bytes(rows), level)


def _whole(start: bytes, stream: bytes) -> bytes:
    pieces = (stream[at : at + 4096] for at in range(0, len(stream), 4096))
    return start + b"".join(_chunk(b"IDAT", piece) for piece in pieces) + _chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", [0, 2, 3, 6])
@pytest.mark.parametrize("level", [0, 6])
def test_pixels_that_are_damaged_or_cut_are_refused(kind: int, level: int, tmp_path: Path) -> None:
    start, stream = _parts(kind, level=level)
    half, whole = len(stream) // 2, _whole(start, stream)
    (tmp_path / "a.png").write_bytes(whole)
    assert decode(tmp_path / "a.png").picture.size == _SIDES
    damaged = {
        "closed early": _whole(start, stream[:half]),
        "without the last bytes": _whole(start, stream[:-20]),
        "a wrong sum": _whole(start, stream[:-4] + bytes(4)),
        "no sum": _whole(start, stream[:-4]),
        "zeros": _whole(start, stream[:half] + bytes(50) + stream[half + 50 :]),
        "zeros, and sums of its chunks that tell": whole[:half] + bytes(50) + whole[half + 50 :],
        "a piece that is not there": _whole(start, stream[:4096] + stream[8192:]),
        "pieces that changed places": _whole(start, stream[:4096] + stream[8192:12288] + stream[4096:8192]),
        "half of its rows": _whole(start, zlib.compress(zlib.decompress(stream)[: 80 * (len(stream) // 200)])),
    }
    for name, data in damaged.items():
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(UnreadableImage):
            pytest.fail(f"{name}: {decode(tmp_path / 'a.png').width}")


@pytest.mark.parametrize("chunk", [b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"iCCP", b"cICP"])
def test_a_chunk_of_how_it_looks_with_a_wrong_sum_is_refused(chunk: bytes, tmp_path: Path) -> None:
    start, stream = _parts(3)
    profile = b"a\0\0" + zlib.compress(rgb_profile("Display P3"))
    start = start[:33] + _chunk(b"cICP", bytes((1, 13, 0, 1))) + _chunk(b"iCCP", profile) + start[33:]
    whole = _whole(start + _chunk(b"tRNS", bytes(range(256))), stream)
    (tmp_path / "a.png").write_bytes(whole)
    assert decode(tmp_path / "a.png").picture.size == _SIDES
    at = whole.index(chunk)
    end = at + 4 + int.from_bytes(whole[at - 4 : at], "big")
    (tmp_path / "a.png").write_bytes(whole[:end] + bytes(4) + whole[end + 4 :])
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(tmp_path / "a.png")


def test_a_text_with_a_wrong_sum_and_bytes_behind_the_end_are_passed_over(tmp_path: Path) -> None:
    text = _chunk(b"tEXt", b"a\0b")[:-4] + bytes(4)
    path = _with(tmp_path / "a.png", text)
    path.write_bytes(path.read_bytes() + b"behind the end")
    assert difference(decode(path).picture, Image.fromarray(swatches()))[1] < 1


@pytest.mark.parametrize("entries", [1, 10, 199])
def test_numbers_beyond_a_palette_are_black(entries: int, tmp_path: Path) -> None:
    """An error of the picture to the standard (11.2.2), which leaves it to the decoder what they show: libpng, and all
    that is built on it, shows black, which hides nothing."""
    start, stream = _parts(3)
    plte = start.index(b"PLTE") - 4
    (tmp_path / "a.png").write_bytes(_whole(start[:plte] + _chunk(b"PLTE", bytes((200, 100, 50)) * entries), stream))
    numbers = np.frombuffer(zlib.decompress(stream), np.uint8).reshape(_SIDES[1], -1)[:, 1:]
    expected = np.where((numbers < entries)[..., None], np.array((200, 100, 50), np.uint8), np.uint8(0))
    found = decode(tmp_path / "a.png").picture
    assert found.mode == "RGB"
    assert np.array_equal(np.asarray(found), expected)


def test_numbers_beyond_a_palette_can_be_seen_through_no_more_than_others(tmp_path: Path) -> None:
    start, stream = _parts(3)
    plte = start.index(b"PLTE") - 4
    short = _chunk(b"PLTE", bytes((200, 100, 50)) * 10) + _chunk(b"tRNS", bytes(10))
    (tmp_path / "a.png").write_bytes(_whole(start[:plte] + short, stream))
    numbers = np.frombuffer(zlib.decompress(stream), np.uint8).reshape(_SIDES[1], -1)[:, 1:]
    alpha = np.asarray(decode(tmp_path / "a.png").picture.getchannel("A"))
    assert np.array_equal(alpha, np.where(numbers < 10, 0, 255))


def test_a_palette_that_is_missing_is_refused(tmp_path: Path) -> None:
    start, stream = _parts(3)
    (tmp_path / "a.png").write_bytes(_whole(start[: start.index(b"PLTE") - 4], stream))
    with pytest.raises(UnreadableImage):
        decode(tmp_path / "a.png")
