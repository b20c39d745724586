"""Camera RAW whose data are not all there: nothing of another picture, and nothing of memory, is ever shown."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rawpy
from PIL import Image

from imagemarket.imaging import decoding, raw_layout, sandbox
from imagemarket.imaging.errors import ImageRejected, UnreadableImage, UnsupportedFormat
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.raw_layout import check_raw
from imagemarket.imaging.raw_zeros import check_end, check_jpeg, check_runs
from imagemarket.imaging.renditions import open_master
from imagemarket.imaging.sandbox import Inspector
from local.raw_fixtures import RAW_KINDS, mosaic_of, write_dng, write_linear_dng, write_raw, write_tiled_dng

CUT = "beyond its end: it is damaged or cut short"
SIDES = (160, 224)
TILES = 12


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    with Inspector() as confined:
        yield confined


def _scene(colour: tuple[float, float, float]) -> np.ndarray:
    scene = np.full((*SIDES, 3), 0.2)
    scene[40:120, 50:170] = colour
    return scene


@pytest.mark.parametrize("compressed", [True, False])
def test_a_raw_in_tiles_is_developed(inspector: Inspector, tmp_path: Path, compressed: bool) -> None:
    places = write_tiled_dng(tmp_path / "a.dng", _scene((0.8, 0.1, 0.1)), compressed=compressed)
    assert len(places) == TILES
    found = inspector.inspect(tmp_path / "a.dng")
    assert (found.format, found.width, found.height) == ("dng", *SIDES[::-1])
    red, green, blue = np.asarray(open_master(found.master))[80, 110].tolist()
    assert red > 200 > 1.5 * max(green, blue)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_raw_cut_at_any_tile_is_refused_after_a_known_picture(
    inspector: Inspector, tmp_path: Path, compressed: bool
) -> None:
    write_tiled_dng(tmp_path / "known.dng", _scene((0.9, 0.1, 0.9)))
    places = write_tiled_dng(tmp_path / "whole.dng", _scene((0.1, 0.8, 0.1)), compressed=compressed)
    whole = (tmp_path / "whole.dng").read_bytes()
    inspector.inspect(tmp_path / "known.dng")
    inspect(tmp_path / "known.dng")  # in this process as well
    for place in (*places, *(place - 1 for place in places), len(whole) - 1, 300):
        (tmp_path / "cut.dng").write_bytes(whole[:place])
        with pytest.raises(UnreadableImage):
            inspect(tmp_path / "cut.dng")
    (tmp_path / "cut.dng").write_bytes(whole[: places[4]])
    with pytest.raises(UnreadableImage, match=CUT):
        inspector.inspect(tmp_path / "cut.dng")


def test_pixels_that_the_checks_miss_are_seen_by_two_developments_that_differ(tmp_path: Path) -> None:
    """Tiles that lie in the file and hold no picture: only what LibRaw leaves unset tells of it."""
    places = write_tiled_dng(tmp_path / "a.dng", _scene((0.1, 0.8, 0.1)))
    data = bytearray((tmp_path / "a.dng").read_bytes())
    data[places[4] :] = b"\x55" * (len(data) - places[4])
    (tmp_path / "hollow.dng").write_bytes(data)
    answers = set()
    with Inspector() as inspector:
        for _ in range(2):
            inspector.inspect(write_dng(tmp_path / "known.dng", _scene((0.9, 0.1, 0.9))))
            with pytest.raises(UnreadableImage) as refused:
                inspector.inspect(tmp_path / "hollow.dng")
            answers.add(refused.value.detail)
    assert len(answers) == 1
    assert "two pictures" in answers.pop()


@pytest.mark.parametrize("kind", ["dng", "cr3"])
def test_what_a_process_answers_follows_from_the_file_alone(tmp_path: Path, kind: str) -> None:
    path = write_raw(tmp_path / f"a.{kind}", kind, _scene((0.1, 0.1, 0.8)))
    program = (
        "import hashlib, pathlib, sys\nfrom imagemarket.imaging.inspection import inspect\n"
        "print(hashlib.sha256(inspect(pathlib.Path(sys.argv[1])).master).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program, str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MALLOC_PERTURB_": filling},
            capture_output=True,
            check=True,
        ).stdout
        for filling in ("0", "1", "255")
    }
    assert len(said) == 1


def test_every_raw_has_processes_that_saw_no_other_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    class Counted(sandbox._Decoder):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            self.asked = 0
            started.append(self)

        def inspect(self, *arguments: object, **options: object) -> object:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
            self.asked += 1
            return super().inspect(*arguments, **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(sandbox, "_Decoder", Counted)
    path = write_dng(tmp_path / "a.dng", _scene((0.1, 0.1, 0.8)))
    with Inspector() as inspector:
        inspector.inspect(path)
        inspector.inspect(path)
    assert [each.asked for each in started if isinstance(each, Counted)] == [1, 1, 1, 1]


# --- each container --------------------------------------------------------------------------------


def _check(data: bytes, found: str) -> None:
    check_raw(io.BytesIO(data), found)


def _tiff(entries: dict[int, tuple[int, list[int]]], *, magic: bytes = b"II*\0", behind: int = 0) -> bytes:
    """One directory of short values at 8, and as many bytes behind it."""
    table = b"".join(
        struct.pack("<HHI", tag, kind, len(values)) + struct.pack({3: "<H", 4: "<I"}[kind], *values).ljust(4, b"\0")
        for tag, (kind, values) in sorted(entries.items())
    )
    return magic + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + b"\x10" * behind


@pytest.mark.parametrize("found", ["orf", "arw", "nef", "cr2", "dng"])
@pytest.mark.parametrize("link", [(273, 279), (324, 325), (513, 514)])
def test_each_strip_tile_and_preview_of_a_tiff_lies_in_the_file(found: str, link: tuple[int, int]) -> None:
    place, count = link
    start = len(_tiff({place: (4, [0]), count: (4, [0])}))
    _check(_tiff({place: (4, [start]), count: (4, [100])}, behind=100), found)
    for at, size in ((start, 101), (start + 100, 1), (4_000_000_000, 1), (start, 4_294_967_295)):
        with pytest.raises(UnreadableImage, match=CUT):
            _check(_tiff({place: (4, [at]), count: (4, [size])}, behind=100), found)
    with pytest.raises(UnreadableImage, match=CUT):
        _check(_tiff({place: (4, [start + 100])}, behind=88), found)


def test_sub_directories_and_the_chain_are_looked_into() -> None:
    bad = _tiff({273: (4, [9_999]), 279: (4, [5])})[8:]
    for tag in (330, None):
        front = _tiff({330: (4, [0])})
        at = len(front)
        front = _tiff({330: (4, [at])}) if tag else front[:-4] + struct.pack("<I", at)
        for found in ("dng", "nef", "arw", "cr2"):
            with pytest.raises(UnreadableImage, match=CUT):
                _check(front + bad, found)
    with pytest.raises(UnreadableImage, match="directory"):
        _check(_tiff({330: (4, [5_000])}), "nef")
    loop = _tiff({330: (4, [8])})
    _check(loop[:-4] + struct.pack("<I", 8), "nef")


def test_where_pixels_lie_is_said_once_and_in_numbers() -> None:
    twice = _tiff({273: (4, [8]), 279: (4, [5])})
    doubled = bytearray(twice + bytes(12))
    doubled[8:10] = struct.pack("<H", 3)
    doubled[34:46] = doubled[10:22]
    with pytest.raises(UnreadableImage, match="twice"):
        _check(bytes(doubled), "dng")
    wrong = bytearray(twice)
    wrong[12:14] = struct.pack("<H", 11)
    with pytest.raises(UnreadableImage, match="does not say"):
        _check(bytes(wrong), "dng")


@pytest.mark.parametrize("place", [0x118, 273])
@pytest.mark.parametrize("count", [0, 1, 160, 448, 4_000_000_000])
def test_the_data_of_an_rw2_go_to_the_files_end_whatever_the_strip_says(place: int, count: int) -> None:
    described = {2: (3, [28]), 3: (3, [5]), 0x2D: (3, [6])}  # two groups of 16 bytes a row
    entries = {**described, 273: (4, [0xFFFFFFFF]), 279: (4, [count]), place: (4, [0])}
    start = len(_tiff(entries, magic=b"IIU\0"))
    entries[place] = (4, [start])
    _check(_tiff(entries, magic=b"IIU\0", behind=160), "rw2")
    for change, behind in (({}, 159), ({}, 0), ({3: (3, [6])}, 160), ({place: (4, [start + 1])}, 160)):
        with pytest.raises(UnreadableImage, match=CUT):
            _check(_tiff({**entries, **change}, magic=b"IIU\0", behind=behind), "rw2")
    for stored, least in ((8, 1), (4, 0x4000 if place == 0x118 else 160)):
        entries[0x2D] = (3, [stored])
        _check(_tiff(entries, magic=b"IIU\0", behind=least), "rw2")
        with pytest.raises(UnreadableImage, match=CUT):
            _check(_tiff(entries, magic=b"IIU\0", behind=least - 1), "rw2")


@pytest.mark.parametrize("count", [0, SIDES[0] * SIDES[1] * 2])
def test_an_rw2_is_shown_whatever_its_strip_says(inspector: Inspector, tmp_path: Path, count: int) -> None:
    path = write_raw(tmp_path / "a.rw2", "rw2", _scene((0.1, 0.1, 0.8)))
    whole, strip = path.read_bytes(), struct.pack("<HHI", 279, 4, 1)
    path.write_bytes(_replaced(whole, _after(whole, strip), "<I", count))
    found = inspector.inspect(path)
    assert (found.format, found.technical.decoded_from) == ("rw2", None)


def test_uncompressed_pixels_are_counted_by_the_sides(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", _scene((0.1, 0.1, 0.8)))
    data = path.read_bytes()
    strips = SIDES[0] * SIDES[1] * 2
    _check(data, "dng")
    lying = data.replace(struct.pack("<HHII", 279, 4, 1, strips), struct.pack("<HHII", 279, 4, 1, 10))
    assert lying != data
    for cut in (data, lying):
        with pytest.raises(UnreadableImage, match=CUT):
            _check(cut[:-1000], "dng")
    with pytest.raises(UnreadableImage, match=CUT):
        _check(lying, "dng")


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data) + 8, kind) + data


def _cr3(*, places: list[int], sizes: list[int], behind: int) -> bytes:
    table = _box(b"stsz", struct.pack(f">III{len(sizes)}I", 0, 0, len(sizes), *sizes))
    table += _box(b"co64", struct.pack(f">II{len(places)}Q", 0, len(places), *places))
    track = _box(b"trak", _box(b"mdia", _box(b"minf", _box(b"stbl", table))))
    return _box(b"ftyp", b"crx " + bytes(4)) + _box(b"moov", track) + _box(b"mdat", bytes(behind))


def test_the_boxes_of_a_cr3_hold_what_its_tables_name() -> None:
    start = len(_cr3(places=[0, 0], sizes=[0, 0], behind=0))
    whole = _cr3(places=[start, start + 60], sizes=[60, 40], behind=100)
    _check(whole, "cr3")
    for places, sizes in (([start, start + 60], [60, 41]), ([start, start + 100], [60, 40]), ([2**60, start], [1, 1])):
        with pytest.raises(UnreadableImage, match=CUT):
            _check(_cr3(places=places, sizes=sizes, behind=100), "cr3")
    for at in range(10, len(whole), 7):
        with pytest.raises(UnreadableImage):
            _check(whole[:at], "cr3")
    with pytest.raises(UnreadableImage, match="no picture data"):
        _check(_box(b"ftyp", b"crx "), "cr3")


def _raf(jpeg: tuple[int, int], described: tuple[int, int], pixels: tuple[int, int], *, behind: bytes) -> bytes:
    return b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">6I", *jpeg, *described, *pixels) + behind


def test_the_parts_of_a_raf_lie_in_it() -> None:
    _check(_raf((108, 10), (118, 10), (128, 100), behind=bytes(120)), "raf")
    for parts in (
        ((108, 10), (118, 10), (128, 101)),
        ((108, 200), (118, 10), (128, 100)),
        ((108, 10), (4_000_000_000, 10), (128, 100)),
        ((108, 10), (118, 10), (128, 0)),
        ((108, 10), (118, 10), (0, 0)),
    ):
        with pytest.raises(UnreadableImage, match=CUT):
            _check(_raf(*parts, behind=bytes(120)), "raf")
    inner = _tiff({0xF007: (4, [26 + 12]), 0xF008: (4, [50])}, behind=50)
    _check(_raf((108, 0), (108, 0), (108, len(inner)), behind=inner), "raf")
    with pytest.raises(UnreadableImage, match=CUT):
        _check(_raf((108, 0), (108, 0), (108, len(inner) - 1), behind=inner[:-1]), "raf")


# --- zeros in place of a picture -------------------------------------------------------------------

ZEROS = "there are zeros in place of a part of its picture"


def _hollow(data: bytes, begin: int, end: int) -> bytes:
    return data[:begin] + bytes(end - begin) + data[end:]


@pytest.mark.parametrize("kind", RAW_KINDS)
def test_a_raw_whose_copy_was_interrupted_is_refused(inspector: Inspector, tmp_path: Path, kind: str) -> None:
    grain = np.random.default_rng(1).random((224, 336, 3))
    path = write_raw(tmp_path / f"a.{kind}", kind, grain)
    whole = path.read_bytes()
    _check(whole, kind)
    for begin in (len(whole) // 3, len(whole) // 2, len(whole) - 25_000):
        with pytest.raises(UnreadableImage, match=ZEROS):
            _check(_hollow(whole, begin, len(whole)), kind)
    path.write_bytes(_hollow(whole, len(whole) // 2, len(whole)))
    with pytest.raises(UnreadableImage, match=ZEROS):
        inspector.inspect(path)


@pytest.mark.parametrize("kind", ["dng", "nef", "arw", "orf", "raf"])
def test_a_few_zeros_at_the_end_are_a_sensors_edge(tmp_path: Path, kind: str) -> None:
    whole = write_raw(tmp_path / f"a.{kind}", kind, np.random.default_rng(1).random((224, 336, 3)) + 0.001).read_bytes()
    _check(_hollow(whole, len(whole) - 4000, len(whole)), kind)
    with pytest.raises(UnreadableImage, match=ZEROS):
        _check(_hollow(whole, len(whole) - 4100, len(whole)), kind)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("first", [4, TILES - 1])
def test_tiles_that_a_copy_left_out_are_seen(tmp_path: Path, compressed: bool, first: int) -> None:
    places = write_tiled_dng(tmp_path / "a.dng", _scene((0.1, 0.8, 0.1)), compressed=compressed)
    whole = (tmp_path / "a.dng").read_bytes()
    with pytest.raises(UnreadableImage, match=ZEROS):
        _check(_hollow(whole, places[first], len(whole)), "dng")
    if compressed:
        with pytest.raises(UnreadableImage, match=ZEROS):
            _check(_hollow(whole, places[5], places[6]), "dng")


def test_what_is_black_and_no_sensors_own_is_no_damage(tmp_path: Path) -> None:
    """Programs write panoramas with black margins as DNG of colours that are whole for each pixel."""
    for light, fits in ((34892, True), (32803, False)):
        fields = {256: (4, [100]), 257: (4, [100]), 258: (3, [8]), 262: (3, [light]), 279: (4, [10_000])}
        start = len(_tiff({**fields, 273: (4, [0])}))
        data = _tiff({**fields, 273: (4, [start])}) + b"\x10" * 5000 + bytes(5000)
        if fits:
            _check(data, "dng")
        else:
            with pytest.raises(UnreadableImage, match=ZEROS):
                _check(data, "dng")


@pytest.mark.parametrize(
    ("length", "data", "fits"),
    [
        (40_000, bytes(4096), False),
        (40_000, bytes(4095), True),
        (150_000, bytes(4096), True),  # as many as pixels that are only packed
        (40_000, b"\xff\x10\xff\x50" + bytes(39_996), True),  # JPEG XS is filled up to its size
    ],
)
def test_codes_of_nikons_hold_no_run_of_zeros(length: int, data: bytes, fits: bool) -> None:
    fields = {256: (4, [400]), 257: (4, [250]), 258: (3, [14]), 259: (3, [34713]), 262: (3, [32803])}
    fields |= {279: (4, [length])}
    start = len(_tiff({**fields, 273: (4, [0])}))
    front = b"" if data[0] else b"\x10" * 10_000
    whole = _tiff({**fields, 273: (4, [start])}) + (front + data).ljust(length, b"\x10")
    if fits:
        _check(whole, "nef")
    else:
        with pytest.raises(UnreadableImage, match=ZEROS):
            _check(whole, "nef")


def _lossless(symbols: bytes, data: bytes, *, frame: int = 0xC3) -> bytes:
    table = bytes([0, 0, len(symbols), *[0] * 14]) + symbols
    frame_of_one = struct.pack(">BHHB3B", 14, 100, 100, 1, 1, 0x11, 0)
    head = b"\xff\xd8" + b"".join(
        struct.pack(">2BH", 0xFF, marker, len(body) + 2) + body
        for marker, body in ((0xC4, table), (frame, frame_of_one), (0xDA, bytes([1, 1, 0, 1, 0, 0])))
    )
    return head + data


@pytest.mark.parametrize(
    ("jpeg", "fits"),
    [
        (_lossless(b"\0\1\2", b"\x10" * 9000 + b"\xff\xd9"), True),
        (_lossless(b"\0\1\2", bytes(9000) + b"\xff\xd9"), True),  # all of it one level: clipped sky
        (_lossless(b"\1\0\2", b"\x10" * 900 + bytes(5000) + b"\x10\xff\xd9"), False),
        (_lossless(b"\1\0\2", b"\x10" * 900 + bytes(5000) + b"\x10\xff\xd9", frame=0xC0), True),
        (_lossless(b"\1\0\2", b"\x10" * 900 + bytes(4000) + b"\x10\xff\xd9"), True),
        (_lossless(b"\1\0\2", b"\x10" * 900 + b"\xff\xd9" + bytes(9000)), True),  # padding
        (_lossless(b"\0\1\2", b"\x10" * 900 + bytes(9000)), False),
        (_lossless(b"\0\1\2", b"\x10" * 9000 + bytes(4000)), True),
        (bytes(3000) + b"\x10\xff\xd9", False),
        (b"\x10" * 400, True),
        (b"\xff\xd8\xff", True),
    ],
)
def test_zeros_in_lossless_jpegs(jpeg: bytes, fits: bool) -> None:
    for front in (b"", b"in front"):
        if fits:
            check_jpeg(io.BytesIO(front + jpeg), len(front), len(jpeg))
        else:
            with pytest.raises(UnreadableImage, match=ZEROS):
                check_jpeg(io.BytesIO(front + jpeg), len(front), len(jpeg))


def test_zeros_are_counted_across_steps_and_pieces() -> None:
    size = 3 << 20
    check_end(io.BytesIO(b"\x10" * size), [(0, size)])
    for zeros, fits in ((size // 100, False), (size // 100 - 1, True), (size, False)):
        file = io.BytesIO((b"\x10" * (size - zeros)).ljust(size, b"\0"))
        for pieces in ([(0, size)], [(at, 1024) for at in reversed(range(0, size, 1024))]):
            if fits:
                check_end(file, pieces)
            else:
                with pytest.raises(UnreadableImage, match=ZEROS):
                    check_end(file, pieces)
    across = b"\x10" * ((1 << 20) - 2000) + bytes(4096) + b"\x10"
    with pytest.raises(UnreadableImage, match=ZEROS):
        check_runs(io.BytesIO(across), 0, len(across))
    check_runs(io.BytesIO(across), 1, (1 << 20) + 2000)


def test_pieces_upon_each_other_are_not_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(raw_layout, "check_jpeg", lambda _, __, length: seen.append(length))
    fields = {259: (3, [7]), 262: (3, [32803]), 273: (4, [8]), 279: (4, [100])}
    linked = b"".join(
        _tiff(fields)[8:-4] + struct.pack("<I", 8 + (number + 1) * (len(_tiff(fields)) - 8) if number < 49 else 0)
        for number in range(50)
    )
    data = _tiff(fields)[:8] + linked
    _check(data, "nef")
    assert 1 < len(seen) < 50
    assert sum(seen) <= len(data)


# --- lists of opcodes ------------------------------------------------------------------------------


def _opcodes(*codes: tuple[int, bytes], count: int | None = None) -> bytes:
    body = b"".join(struct.pack(">4I", code, 0x01030000, 0, len(data)) + data for code, data in codes)
    return struct.pack(">I", len(codes) if count is None else count) + body


def _polynomial(plane: int, *coefficients: float) -> tuple[int, bytes]:
    area = struct.pack(">8I", 0, 0, 64, 64, plane, 1, 1, 1)
    return 8, area + struct.pack(f">I{len(coefficients)}d", len(coefficients) - 1, *coefficients)


_OTHER = (9, b"any gain map, which is passed over")


@pytest.mark.parametrize("tag", [51008, 51009, 51022])
@pytest.mark.parametrize(
    ("listed", "fits"),
    [
        (_opcodes(_polynomial(0, 0.0, 1.0)), True),
        (_opcodes(_OTHER, _OTHER), True),
        (_opcodes(), False),
        (b"\0\0", False),
        (_opcodes(_OTHER, count=2), False),
        (_opcodes(_OTHER, count=4_000_000_000), False),
        (_opcodes(_OTHER)[:-3], False),
        (_opcodes(_OTHER) + bytes(20), False),
        (_opcodes(_polynomial(7, 0.0, 1.0)), False),
        (_opcodes(_polynomial(0, *[0.0] * 10)), False),
        (_opcodes((8, bytes(10))), False),
    ],
)
def test_a_list_of_opcodes_is_whole_or_refused(tmp_path: Path, tag: int, listed: bytes, fits: bool) -> None:
    write_tiled_dng(tmp_path / "a.dng", _scene((0.1, 0.8, 0.1)), fields=[(tag, 7, listed)])
    if fits:
        assert inspect(tmp_path / "a.dng").width == SIDES[1]
    else:
        with pytest.raises(UnreadableImage, match="OpcodeList"):
            inspect(tmp_path / "a.dng")


@pytest.mark.parametrize(("planes", "fits"), [((0, 1, 2), True), ((0, 1), False), ((0, 0, 0), False), ((), False)])
def test_a_lossy_dng_says_how_each_of_its_colours_is_read(planes: tuple[int, ...], fits: bool) -> None:
    listed = _opcodes(*(_polynomial(plane, 0.0, 1.0) for plane in planes), _OTHER)
    head = _tiff({259: (3, [34892]), 277: (3, [3]), 51009: (4, [0])})
    entry = struct.pack("<HHII", 51009, 7, len(listed), len(head))
    data = head.replace(struct.pack("<HHII", 51009, 4, 1, 0), entry) + listed
    if fits:
        _check(data, "dng")
    else:
        with pytest.raises(UnreadableImage, match="each colour"):
            _check(data, "dng")


def test_a_raw_that_is_too_much_to_hold_is_refused_with_the_limit_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MAX_RAW_HELD_BYTES", 400_000)
    path = write_dng(tmp_path / "a.dng", _scene((0.1, 0.1, 0.8)))
    with pytest.raises(decoding.ImageTooLarge, match="with the file"):
        inspect(path)


@pytest.mark.parametrize(
    ("kind", "in_planes", "white", "refused"),
    [
        ("<u2", False, None, None),
        ("u1", False, None, None),
        ("<u2", True, None, "in planes"),
        ("u1", True, 255, "in planes"),
        ("<f4", True, 1, "in planes"),
        ("<f4", False, None, None),
        ("<f4", False, 1, None),
        ("<f2", False, 1, None),
        ("<f2", False, None, "no WhiteLevel"),
    ],
)
def test_a_dng_of_whole_colours_is_shown_as_it_is_or_refused(
    tmp_path: Path, kind: str, in_planes: bool, white: int | None, refused: str | None
) -> None:
    scale = 1 if kind.startswith("<f") else 2 ** (8 * np.dtype(kind).itemsize) - 1
    samples = (_scene((0.8, 0.1, 0.1)) * scale).astype(kind)
    path = write_linear_dng(tmp_path / "a.dng", samples, in_planes=in_planes, white=white)
    if refused:
        with pytest.raises(UnsupportedFormat, match=refused):
            inspect(path)
        return
    picture = np.asarray(open_master(inspect(path).master)).astype(int)
    assert picture[80, 110, 0] > 200 > 1.5 * max(picture[80, 110, 1:])
    assert np.ptp(picture[5, 5]) < 20
    assert 90 < picture[5, 5, 0] < 140


@pytest.mark.parametrize("kind", ["<f2", "<f4"])
@pytest.mark.parametrize(("predictor", "fits"), [(3, True), (34894, True), (34895, True), (1, False), (2, False)])
def test_floats_of_deflate_are_told_by_the_predictor_of_floats_or_refused(
    tmp_path: Path, kind: str, predictor: int, fits: bool
) -> None:
    samples = _scene((0.8, 0.1, 0.1)).astype(kind)
    path = write_linear_dng(tmp_path / "a.dng", samples, white=1, predictor=predictor)
    if not fits:
        with pytest.raises(UnsupportedFormat, match=f"Predictor {predictor}"):
            inspect(path)
        return
    picture = np.asarray(open_master(inspect(path).master)).astype(int)
    assert picture[80, 110, 0] > 200 > 1.5 * max(picture[80, 110, 1:])
    assert 90 < picture[5, 5, 0] < 140


# --- every kind of camera RAW that is taken --------------------------------------------------------


@pytest.mark.parametrize("kind", RAW_KINDS)
def test_each_kind_is_developed_and_cut_short_it_is_refused(inspector: Inspector, tmp_path: Path, kind: str) -> None:
    scene = np.full((*SIDES, 3), 0.25)
    scene[:40, :56], scene[120:, 168:] = (0.8, 0.05, 0.05), (0.05, 0.05, 0.8)
    path = write_raw(tmp_path / f"a.{kind}", kind, scene)
    found = inspector.inspect(path)
    assert (found.format, found.width, found.height) == (kind, *SIDES[::-1])
    assert found.technical.decoded_from is None
    picture = np.asarray(open_master(found.master)).astype(int)
    red, grey, blue = picture[10, 10], picture[80, 100], picture[150, 200]
    assert red[0] > 200 > 2 * max(red[1:])
    assert blue[2] > 200 > 2 * max(blue[:2])
    assert np.ptp(grey) < 20
    whole = path.read_bytes()
    inspect(write_dng(tmp_path / "known.dng", _scene((0.9, 0.1, 0.9))))
    for share in (0.1, 0.4, 0.7, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ImageRejected):
            inspect(path)
    path.write_bytes(whole[:-1000])
    with pytest.raises(UnreadableImage, match=CUT):
        inspector.inspect(path)


@pytest.mark.parametrize("kind", ["orf", "rw2", "cr3"])
def test_kinds_that_are_no_plain_tiff_say_how_they_were_taken(inspector: Inspector, tmp_path: Path, kind: str) -> None:
    path = write_raw(tmp_path / f"a.{kind}", kind, _scene((0.2, 0.8, 0.2)))
    found = inspector.inspect(path).technical.model_dump(mode="json", exclude_none=True)
    assert "999" in found.pop("camera")
    assert found == {
        "lens": "ACME 35mm",
        "iso": 400,
        "exposure": "1/60",
        "aperture": 2.8,
        "focal_length_mm": 35.0,
        "taken_at": "2024-05-06T07:08:09+09:00",
    }


def test_boxes_of_metadata_end_within_the_one_around_them(tmp_path: Path) -> None:
    whole = write_raw(tmp_path / "a.cr3", "cr3", _scene((0.2, 0.8, 0.2))).read_bytes()
    found = raw_layout.metadata_boxes(io.BytesIO(whole))
    assert {name: each[:4] for name, each in found.items()} == {b"CMT1": b"II*\0", b"CMT2": b"II*\0"}
    for length in (0, 7, 0xFFFFFFFF, 1):
        broken = _replaced(whole, whole.index(b"CMT2") - 4, ">I", length)
        assert raw_layout.metadata_boxes(io.BytesIO(broken)).keys() == {b"CMT1"}
    for end in range(0, len(whole), 7):
        assert all(whole.find(each) > 0 for each in raw_layout.metadata_boxes(io.BytesIO(whole[:end])).values())
    endless = struct.pack(">I4s", 8, b"free") * 1_000_000
    assert raw_layout.metadata_boxes(io.BytesIO(endless)) == {}


@pytest.mark.parametrize("jfif", [True, False])
@pytest.mark.parametrize("spoken", [True, False])
def test_a_raw_that_names_no_time_has_none(tmp_path: Path, spoken: bool, jfif: bool) -> None:
    """LibRaw writes EXIF of its own, with a time of 0, into a preview that does not begin with it."""
    preview, exif = io.BytesIO(), Image.Exif()
    if spoken:
        exif.get_ifd(0x8769)[0x9003], exif.get_ifd(0x8769)[0x8827] = "2024:05:06 07:08:09", 200
    Image.new("RGB", (480, 320), "teal").save(preview, "JPEG", exif=exif if spoken else b"")
    shown = preview.getvalue()
    path = write_dng(tmp_path / "a.dng", np.full((320, 480, 3), 0.3), preview=shown if jfif else shown[:2] + shown[20:])
    own, none = (struct.pack("<HHI", tag, 4, 1) for tag in (34665, 34666))
    assert path.read_bytes().count(own) == 1
    path.write_bytes(path.read_bytes().replace(own, none))
    found = inspect(path).technical.model_dump(mode="json", exclude_none=True)
    assert found.get("taken_at") == ("2024-05-06T07:08:09" if spoken else None)
    assert (found.get("iso"), found["camera"]) == (200 if spoken else None, "ACME Raw 1")


def test_a_raf_says_by_its_preview_which_camera_took_it(inspector: Inspector, tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.raf", "raf", _scene((0.2, 0.8, 0.2)))
    assert inspector.inspect(path).technical.camera == "FUJIFILM X-9999"


# --- the inside of a CR3 ---------------------------------------------------------------------------


def _grainy_cr3(path: Path, colour: tuple[float, float, float] = (0.1, 0.8, 0.1)) -> bytes:
    grain = np.random.default_rng(1).normal(0, 0.01, (*SIDES, 3))
    return write_raw(path, "cr3", np.clip(_scene(colour) + grain, 0, 1)).read_bytes()


def _after(data: bytes, name: bytes) -> int:
    return data.index(name) + len(name)


def _replaced(data: bytes, at: int, code: str, value: int) -> bytes:
    return data[:at] + struct.pack(code, value) + data[at + struct.calcsize(code) :]


def _scenes_for_a_coder() -> Iterator[np.ndarray]:
    """Differences of every size, jumps from end to end, steps, runs of every length, and nothing but runs."""
    chance = np.random.default_rng(1)
    noise = chance.random((*SIDES, 3))
    yield noise
    yield noise.round()
    yield np.broadcast_to(np.linspace(0, 1, SIDES[1]).reshape(1, -1, 1), (*SIDES, 3))
    for share in (0.3, 0.03, 0.003, 0.0):
        yield np.where(chance.random((*SIDES, 3)) < share, noise, 0.5001)
    yield np.zeros((*SIDES, 3))


def test_libraw_reads_of_a_cr3_what_the_sensor_saw(tmp_path: Path) -> None:
    for scene in _scenes_for_a_coder():
        with rawpy.imread(str(write_raw(tmp_path / "a.cr3", "cr3", scene))) as raw:
            assert np.array_equal(raw.raw_image, mosaic_of(scene))


def test_a_cr3_is_shown_as_its_camera_was_held(inspector: Inspector, tmp_path: Path) -> None:
    path = tmp_path / "a.cr3"
    data, upright = _grainy_cr3(path), struct.pack("<HHII", 274, 3, 1, 1)
    found = inspector.inspect(path)
    assert (found.format, found.width, found.height) == ("cr3", *SIDES[::-1])
    assert found.technical.decoded_from is None
    path.write_bytes(_replaced(data, _after(data, upright) - 4, "<I", 6))
    turned = inspector.inspect(path)
    assert (turned.width, turned.height) == SIDES
    shown, shown_turned = (np.asarray(open_master(each.master)).astype(int) for each in (found, turned))
    assert shown[80, 110, 1] > 200 > 1.5 * max(shown[80, 110, [0, 2]])
    assert np.array_equal(np.rot90(shown, -1), shown_turned)


def test_a_cr3_cut_anywhere_is_refused_after_a_known_picture(inspector: Inspector, tmp_path: Path) -> None:
    path = tmp_path / "cut.cr3"
    whole = _grainy_cr3(path)
    known = write_raw(tmp_path / "known.cr3", "cr3", _scene((0.9, 0.1, 0.9)))
    inspector.inspect(known)
    inspect(known)  # in this process as well
    for place in (*range(12, len(whole) - 1, 997), _after(whole, b"mdat"), len(whole) - 1):
        path.write_bytes(whole[:place])
        with pytest.raises(UnreadableImage, match=CUT):
            inspect(path)
    with pytest.raises(UnreadableImage, match=CUT):
        inspector.inspect(path)


def test_the_sample_of_a_cr3_lies_in_the_file(tmp_path: Path) -> None:
    whole = _grainy_cr3(tmp_path / "a.cr3")
    place, size = _after(whole, b"co64") + 8, _after(whole, b"stsz") + 12
    (sample,) = struct.unpack_from(">Q", whole, place)
    assert sample == _after(whole, b"mdat")
    _check(whole, "cr3")
    for at, code, value in (
        *((place, ">Q", value) for value in (sample + 1, len(whole), 2**40, 2**64 - 1)),
        *((size, ">I", value) for value in (len(whole) - sample + 1, 2**32 - 1)),
    ):
        with pytest.raises(UnreadableImage, match=CUT):
            _check(_replaced(whole, at, code, value), "cr3")


@pytest.mark.parametrize("planes", [[3], [0, 1, 2, 3]])
@pytest.mark.parametrize("how", ["of no size", "all of it unused"])
def test_a_plane_of_a_cr3_that_is_said_to_be_empty_shows_no_memory(
    inspector: Inspector, tmp_path: Path, planes: list[int], how: str
) -> None:
    """LibRaw passes over it and leaves its colour as memory had it."""
    data = _grainy_cr3(tmp_path / "a.cr3")
    for plane in planes:
        band = _after(data, b"mdat") + 24 * (plane + 1)
        assert data[band : band + 4] == b"\xff\3\0\x08"
        (size,) = struct.unpack_from(">I", data, band + 4)
        if how == "of no size":
            for place in (band + 4, band - 8):  # its own, its plane's, and what the tile has of it
                data = _replaced(data, place, ">I", 0)
            tile = _after(data, b"mdat") + 4
            data = _replaced(data, tile, ">I", struct.unpack_from(">I", data, tile)[0] - size)
        else:
            data = _replaced(data, band + 8, ">I", size)
    (tmp_path / "a.cr3").write_bytes(data)
    with pytest.raises(UnreadableImage, match="A plane of the RAW file's picture has no data"):
        inspector.inspect(tmp_path / "a.cr3")


@pytest.mark.parametrize("plane", [0, 3])
def test_a_plane_of_a_cr3_ends_within_the_file(inspector: Inspector, tmp_path: Path, plane: int) -> None:
    data = _grainy_cr3(tmp_path / "a.cr3")
    header = _after(data, b"mdat") + 12 + 24 * plane
    of_plane, of_band = header + 4, header + 16
    at = of_plane if plane < 3 else of_band  # a plane's size says where the next begins
    (tmp_path / "a.cr3").write_bytes(_replaced(data, at, ">I", 0x7FFFFFFF))
    with pytest.raises(UnreadableImage, match="do not add up"):
        inspector.inspect(tmp_path / "a.cr3")


@pytest.mark.parametrize("off", [-8, -1, 1, 8, 1000])
@pytest.mark.parametrize("at", [4, 12 + 4, 24 + 4, 12 + 3 * 24 + 4, 24 + 3 * 24 + 4])
def test_what_the_headers_of_a_cr3_say_of_sizes_adds_up(tmp_path: Path, at: int, off: int) -> None:
    data = _grainy_cr3(tmp_path / "a.cr3")
    place = _after(data, b"mdat") + at
    with pytest.raises(UnreadableImage, match="do not add up"):
        _check(_replaced(data, place, ">I", struct.unpack_from(">I", data, place)[0] + off), "cr3")


@pytest.mark.parametrize("at", [0, 12, 24, 2, 14, 26])
def test_a_cr3_without_one_of_its_headers_is_refused(tmp_path: Path, at: int) -> None:
    data = _grainy_cr3(tmp_path / "a.cr3")
    with pytest.raises(UnreadableImage, match="do not add up"):
        _check(_replaced(data, _after(data, b"mdat") + at, ">H", 0xFF05), "cr3")


def test_a_cr3_has_as_many_tiles_as_its_sides_ask_for(tmp_path: Path) -> None:
    data = _grainy_cr3(tmp_path / "a.cr3")
    sides = _after(data, b"CMP1") + 8
    with pytest.raises(UnreadableImage):
        _check(_replaced(data, sides + 8, ">I", SIDES[1] // 2), "cr3")
    with pytest.raises(UnreadableImage, match="do not add up"):
        _check(_replaced(data, sides + 8, ">I", 0), "cr3")
    with pytest.raises(UnreadableImage, match="do not add up"):
        _check(_replaced(data, sides + 20, ">I", 2**31), "cr3")


_M50_LOSSLESS = (
    (0x00FF40B8, (0x00405528, 0x003FC8A8, 0x003FC6E8, 0x003F5C00)),
    (0x0102AD98, (0x0040CB88, 0x0040EB50, 0x0040ED48, 0x00400978)),
)
_M50_LOSSY_BANDS = (0x1918, 0x1538, 0x16B0, 0x1610, 0x3308, 0x37F8, 0x2A10, 0x6878, 0x7688, 0x3408)


def test_the_headers_that_cameras_write_add_up() -> None:
    """Of a Canon EOS M50, by Laurent Clévy's description of the format: lossless in two tiles, and lossy bands."""
    lossless = b"".join(
        struct.pack(">HHIHH", 0xFF01, 8, size, number, 0)
        + b"".join(
            struct.pack(">HHIIHHII", 0xFF02, 8, plane, place << 28 | 1 << 27, 0xFF03, 8, plane, 0x200006)
            for place, plane in enumerate(planes)
        )
        for number, (size, planes) in enumerate(_M50_LOSSLESS)
    )
    coded = struct.pack(">4H4I4BI", 0xFFFF, 0x30, 0x100, 0, 6288, 4056, 3144, 4056, 14, 0x40, 0, 0x80, 0xD8)
    raw_layout._check_crx(coded, lossless, 0x201EF28)
    with pytest.raises(UnreadableImage, match="do not add up"):
        raw_layout._check_crx(coded, lossless, 0x201EF27)
    plane = sum(_M50_LOSSY_BANDS)
    assert plane == 0x20328
    coded = struct.pack(">4H4I4BI", 0xFFFF, 0x30, 0x100, 0, 1624, 1080, 1624, 1080, 14, 0x40, 3, 0, 0x220)

    def lossy(bands: tuple[int, ...], *, beside: int | None = None) -> bytes:
        """In the older headers, or with a table of quantization in the newer ones."""
        new = 0 if beside is None else 0x10
        inner = struct.pack(">HHII", 0xFF02 + new, 8, plane, 0) + b"".join(
            struct.pack(">HHIHHIHH", 0xFF13, 16, band, number << 12, 0, 0, 5, 0)
            if new
            else struct.pack(">HHII", 0xFF03, 8, band, number << 28 | 6)
            for number, band in enumerate(bands)
        )
        inner = b"".join(inner[:8] + bytes([place << 4]) + inner[9:] for place in range(4))
        tile = struct.pack(">HHI", 0xFF01 + new, 16 if new else 8, 4 * plane + (beside or 0))
        return tile + (struct.pack(">HHIHH", 0, 0x4000, beside, 0, 0) if beside is not None else bytes(4)) + inner

    for beside in (None, 4000):
        headers = lossy(_M50_LOSSY_BANDS, beside=beside)
        sized = coded[:28] + struct.pack(">I", len(headers))
        size = len(headers) + 4 * plane + (beside or 0)
        raw_layout._check_crx(sized, headers, size)
        for wrong, room in (
            (headers, size - 1),
            (lossy((*_M50_LOSSY_BANDS[:-1], 0x9000), beside=beside), size),
            (headers[:-1], size),
        ):
            with pytest.raises((UnreadableImage, struct.error)):
                raw_layout._check_crx(sized, wrong, room)


def test_the_data_of_a_cr3_changed_are_a_picture_or_a_refusal(inspector: Inspector, tmp_path: Path) -> None:
    path, chance, outcomes = tmp_path / "a.cr3", random.Random(1), set[str]()
    whole = _grainy_cr3(path)
    start = _after(whole, b"mdat")

    def changed() -> None:
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 30))):
            data[chance.randrange(start, len(data) if chance.random() < 0.7 else start + 108)] = chance.randrange(256)
        path.write_bytes(data)

    for number in range(150):
        changed()
        try:
            (inspector.inspect if number % 30 == 0 else inspect)(path)
            outcomes.add("picture")
        except UnreadableImage as error:
            outcomes.add(error.detail)
    assert outcomes >= {
        "picture",
        "The RAW file holds no picture data that could be developed, and no preview to show in its place.",
    }
