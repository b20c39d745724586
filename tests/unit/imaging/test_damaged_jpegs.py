"""JPEGs whose scans are damaged, cut or missing: a refusal, never a picture that is grey where they were."""

from __future__ import annotations

import gc
import io
import re
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagemarket.imaging import decoding, jpeg_stream
from imagemarket.imaging.decoding import decode
from imagemarket.imaging.errors import UnreadableImage, UnsupportedFormat
from tests.textures import textured

END = b"\xff\xd9"
KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "fitted tables": {"optimize": True},
    "whole chroma": {"subsampling": 0},
    "restarts": {"restart_marker_rows": 2},
    "progressive": {"progressive": True},
    "grey": {},
    "inks": {},
}
_MODES = {"grey": "L", "inks": "CMYK"}


def _jpeg(kind: str, size: tuple[int, int] = (320, 240)) -> bytes:
    picture = textured(Image.linear_gradient("L").resize(size).convert("RGB"), 1).convert(_MODES.get(kind, "RGB"))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, **KINDS[kind])  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def _scan_at(data: bytes) -> int:
    """Where the data of the first scan begins."""
    header = data.index(b"\xff\xda") + 2
    return header + int.from_bytes(data[header : header + 2], "big")


def _decoded(data: bytes, folder: Path) -> decoding.Decoded:
    (folder / "a.jpg").write_bytes(data)
    return decode(folder / "a.jpg")


def _refused(data: bytes, folder: Path, match: str = "damaged|cut short") -> None:
    with pytest.raises(UnreadableImage, match=match):
        _decoded(data, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_cut_and_then_closed_is_refused(kind: str, tmp_path: Path) -> None:
    data = _jpeg(kind)
    start = _scan_at(data)
    for share in (0.01, 0.2, 0.5, 0.9, 0.99):
        _refused(data[: start + int((len(data) - start) * share)] + END, tmp_path)
    _refused(data[: len(data) - 2 - 40] + END, tmp_path)
    _refused(data[:-12], tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
def test_a_stretch_of_zeros_or_noise_in_a_scan_is_refused(kind: str, share: float, tmp_path: Path) -> None:
    data = _jpeg(kind)
    start = _scan_at(data)
    at, length = start + int((len(data) - start) * share), (len(data) - start) // 10
    noise = np.random.default_rng(3).integers(0, 255, length, dtype=np.uint8).tobytes()  # no 0xFF
    for stretch in (bytes(length), noise):
        _refused(data[:at] + stretch + data[at + length :], tmp_path)


@pytest.mark.parametrize("kind", ["baseline", "whole chroma", "restarts", "grey", "inks"])
def test_zeros_anywhere_in_a_scan_whose_codes_have_none_are_refused(kind: str, tmp_path: Path) -> None:
    """Also where as many blocks come out of them as were there before, which no decoder notices."""
    data = _jpeg(kind)
    start = _scan_at(data)
    for at in range(start, len(data) - 102, 997):
        _refused(data[:at] + bytes(100) + data[at + 100 :], tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_level_is_taken(kind: str, level: int, tmp_path: Path) -> None:
    """With tables that fit it, its scan is nothing but zeros."""
    file = io.BytesIO()
    flat = Image.new("L", (1600, 1200), level).convert(_MODES.get(kind, "RGB"))
    flat.save(file, "JPEG", **KINDS[kind])  # pyright: ignore[reportArgumentType]
    assert (bytes(48) in file.getvalue()) == (kind in {"fitted tables", "progressive"})
    assert _decoded(file.getvalue(), tmp_path).width == 1600


@pytest.mark.parametrize("step", [-3, -1, 1])
def test_a_picture_that_changes_evenly_is_taken(step: int, tmp_path: Path) -> None:
    """Each block is darker than that before it by as much: codes of zeros that stand for changes."""
    blocks = np.tile(128 + step * np.arange(40), 40)[None, :].repeat(8, axis=0)
    even = np.clip(np.repeat(blocks, 8, axis=1), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(even[:, : 8 * 40].repeat(40, axis=0)).save(file, "JPEG", quality=100, optimize=True)
    assert _decoded(file.getvalue(), tmp_path).picture.size == (320, 320)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
def test_a_scan_that_goes_on_behind_the_picture_is_refused(kind: str, tmp_path: Path) -> None:
    data = _jpeg(kind)
    start, half = _scan_at(data), len(data) // 2
    _refused(data[:-2] + data[start : start + 100].replace(b"\xff", b"\x7f") + END, tmp_path)
    _refused(data[:half] + data[half - 2000 : half].replace(b"\xff", b"\x7f") + data[half:], tmp_path)


@pytest.mark.parametrize("kind", ["fitted tables", "progressive"])
def test_a_tail_of_zeros_is_refused(kind: str, tmp_path: Path) -> None:
    data = _jpeg(kind)
    half = (_scan_at(data) + len(data)) // 2
    _refused(data[:half] + bytes(len(data) - half - 2) + END, tmp_path)
    _refused(data[:-2] + bytes(100) + END, tmp_path)


def test_restarts_that_are_lost_or_stand_elsewhere_are_refused(tmp_path: Path) -> None:
    data = _jpeg("restarts")
    first, second, third = (found.start() for found in list(re.finditer(b"\xff[\xd0-\xd7]", data))[2:5])
    _refused(data[:first] + data[second:], tmp_path)
    _refused(data[:first] + data[second:third] + data[first:second] + data[third:], tmp_path)


def test_a_progressive_one_is_refused_without_each_of_its_scans(tmp_path: Path) -> None:
    data = _jpeg("progressive")
    places = [found.start() for found in re.finditer(b"\xff\xda", data)]
    assert len(places) > 5
    for place in places[1:]:
        _refused(data[:place] + END, tmp_path, "not all")


def test_scans_of_one_component_each_are_taken_and_missed(tmp_path: Path) -> None:
    """As jpegtran writes them: three baseline scans of one component."""
    parts = [_jpeg("grey") for _ in range(3)]
    starts = [_scan_at(part) for part in parts]
    frame = parts[0].index(b"\xff\xc0")
    table = parts[0].index(b"\xff\xc4")
    head = parts[0][:frame]
    sides = parts[0][frame + 4 : frame + 9]
    components = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    head += b"\xff\xc0\x00\x11" + sides + b"\x03" + components + parts[0][table : parts[0].index(b"\xff\xda")]
    scans = [
        b"\xff\xda\x00\x08\x01" + bytes((number + 1, 0, 0, 63, 0)) + part[start:-2]
        for number, (part, start) in enumerate(zip(parts, starts, strict=True))
    ]
    assert _decoded(head + b"".join(scans) + END, tmp_path).picture.size == (320, 240)
    for missing in range(3):
        _refused(head + b"".join(scan for number, scan in enumerate(scans) if number != missing) + END, tmp_path)


def _behind_start(data: bytes, added: bytes) -> bytes:
    return data[:2] + added + data[2:]


HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "bytes behind the end": lambda data: data + b"\0" * 100 + b"any trailer \xff\xda\0\2",
    "another picture behind the end": lambda data: data + data,
    "junk between segments": lambda data: data.replace(b"\xff\xdb", b"junk\xff\xdb", 1),
    "filled segments": lambda data: data.replace(b"\xff\xdb", b"\xff\xff\xff\xff\xdb", 1),
    "filled end": lambda data: data[:-2] + b"\xff" * 9 + END,
    "a comment behind the scan": lambda data: data[:-2] + b"\xff\xfe\0\6abcd" + END,
    "JFIF of a later version": lambda data: data.replace(b"JFIF\0\1", b"JFIF\0\3", 1),
    "a transform that Adobe does not know": lambda data: _behind_start(
        data, b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\7"
    ).replace(b"JFIF", b"JFXX", 1),
    "an empty application's segment": lambda data: _behind_start(data, b"\xff\xe5\0\2\xff\xe0\0\2\xff\xee\0\2"),
    "an even length": lambda data: data[:-2] + b"\0" + END,
    "a length of whole blocks": lambda data: data[:-2] + bytes(16) + END,
    "a segment kept for extensions": lambda data: _behind_start(data, b"\xff\xf0\0\4ab\xff\xfd\0\2"),
}


@pytest.mark.parametrize("kind", ["baseline", "restarts", "grey", "progressive"])
@pytest.mark.parametrize("harmless", HARMLESS)
def test_what_cameras_add_is_no_damage(kind: str, harmless: str, tmp_path: Path) -> None:
    plain = _jpeg(kind)
    expected = np.asarray(_decoded(plain, tmp_path).picture)
    changed = HARMLESS[harmless](plain)
    assert changed != plain
    assert np.array_equal(np.asarray(_decoded(changed, tmp_path).picture), expected)


def _scan_ends(data: bytes) -> list[int]:
    """Where the markers behind the data of each scan begin."""
    return [
        _scan_at(data[found.start() :]) + found.start() + match.start()
        for found in re.finditer(b"\xff\xda", data)
        if (match := re.search(rb"\xff[\x01-\xcf\xd8-\xfe]", data[found.start() + _scan_at(data[found.start() :]) :]))
    ]


def _behind_every_scan(data: bytes, added: Callable[[int], bytes]) -> bytes:
    """With so much more behind each as `added` gives for its end."""
    for end in reversed(_scan_ends(data)):
        data = data[:end] + added(end) + data[end:]
    return data


@pytest.mark.parametrize("quality", [30, 60, 90, 95])
@pytest.mark.parametrize("rows", [0, 1])
def test_what_stands_between_the_scans_of_a_progressive_one_is_no_damage(
    quality: int, rows: int, tmp_path: Path
) -> None:
    """Also where the data of some of them ends with a zero of its own."""
    file = io.BytesIO()
    picture = textured(Image.linear_gradient("L").resize((333, 127)).convert("RGB"), 1)
    picture.save(file, "JPEG", quality=quality, progressive=True, restart_marker_rows=rows)
    plain = file.getvalue()
    expected = np.asarray(_decoded(plain, tmp_path).picture)
    for added in (b"\0", b"\0\0", bytes(16), b"\xff", b"\xff" * 5, b"\0\xff", b"\xff\xfe\0\4ab", b"\xff\xfe\0\4ab\0"):
        changed = _behind_every_scan(plain, lambda _, added=added: added)
        assert np.array_equal(np.asarray(_decoded(changed, tmp_path).picture), expected), added
    even = _behind_every_scan(plain, lambda end: bytes(end % 2))
    assert np.array_equal(np.asarray(_decoded(even, tmp_path).picture), expected)
    for added in (b"\1" * 16, b"\0" * 40, b"\0" * 15 + b"\1" + bytes(8)):
        _refused(_behind_every_scan(plain, lambda _, added=added: added), tmp_path)


def test_padding_hides_no_damage(tmp_path: Path) -> None:
    data = _behind_every_scan(_jpeg("progressive"), lambda _: bytes(2))
    begin, end = _scan_at(data), _scan_ends(data)[-1]
    _refused(data[: end - 60] + data[end:], tmp_path)
    middle = (begin + end) // 2
    noise = np.random.default_rng(3).integers(0, 255, 1000, dtype=np.uint8).tobytes()
    _refused(data[:middle] + noise + data[middle + 1000 :], tmp_path)


def test_padding_behind_more_scans_than_any_encoder_writes_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_PADDED_SCANS_MAX", 2)
    data = _behind_every_scan(_jpeg("progressive"), lambda _: bytes(16))
    _refused(data, tmp_path, "padding behind more than 2 scans")


def test_nothing_is_left_of_a_jpeg_once_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held for libvips holds what it is given, and is seen by no collector of garbage."""
    streams = list[weakref.ref[jpeg_stream.JpegStream]]()

    class Watched(jpeg_stream.JpegStream):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            streams.append(weakref.ref(self))

    monkeypatch.setattr(decoding, "JpegStream", Watched)
    whole = _jpeg("baseline")
    _decoded(whole, tmp_path)
    _refused(whole[: len(whole) // 2] + END, tmp_path)
    _refused(whole[: len(whole) // 2], tmp_path)
    gc.collect()
    assert [each() for each in streams] == [None] * 3


def test_zeros_in_place_of_a_scans_coefficients_are_read_as_all_of_them(tmp_path: Path) -> None:
    plain = _jpeg("baseline")
    at = _scan_at(plain) - 3
    zeros = plain[:at] + bytes(3) + plain[at + 3 :]
    assert np.array_equal(np.asarray(_decoded(zeros, tmp_path).picture), np.asarray(_decoded(plain, tmp_path).picture))
    cut = zeros[: len(zeros) // 2] + END
    _refused(cut, tmp_path)


def test_a_height_behind_the_picture_is_named(tmp_path: Path) -> None:
    data = _jpeg("baseline")
    height = data.index(b"\xff\xc0") + 5
    behind = data[:height] + bytes(2) + data[height + 2 : -2] + b"\xff\xdc\0\4" + data[height : height + 2] + END
    with pytest.raises(UnsupportedFormat, match="DNL"):
        _decoded(behind, tmp_path)


def test_no_more_than_a_few_zeros_before_a_marker_are_padding(tmp_path: Path) -> None:
    for kind in ("baseline", "fitted tables", "restarts"):
        data = _jpeg(kind)
        _refused(data[:-2] + bytes(40) + END, tmp_path)
        _refused(data[:-2] + bytes(14) + b"\1" + END, tmp_path)
        _refused(data[:-2] + bytes(16), tmp_path)


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC9, 0xCA, 0xF7])
def test_a_way_of_coding_that_no_browser_knows_is_named(marker: int, tmp_path: Path) -> None:
    data = _jpeg("baseline").replace(b"\xff\xc0", bytes((0xFF, marker)), 1)
    with pytest.raises(UnsupportedFormat, match="arithmetic-coded, lossless or hierarchical"):
        _decoded(data, tmp_path)


@pytest.mark.parametrize("kind", ["baseline", "whole chroma", "grey", "restarts"])
def test_pictures_of_every_height_are_read_to_their_last_row_however_they_are_scaled(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for edge in (9, 15, 30, 60, 400):
        monkeypatch.setattr(decoding, "MASTER_LONG_EDGE", edge)
        for height in range(100, 117):
            data = _jpeg(kind, (150, height))
            assert _decoded(data, tmp_path).height == height
            _refused(data[: len(data) - 2 - 30] + END, tmp_path)
