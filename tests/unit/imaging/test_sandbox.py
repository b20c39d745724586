"""What a hostile file can cost: one process, some seconds, bounded memory; then the next picture is looked at."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from benchmarks.imaging_fuzz import fuzz, mutated, seeds
from imagemarket.imaging.errors import ImageRejected, ImageTooLarge, UnreadableImage
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.sandbox import Inspector
from imagemarket.platform.errors import DependencyUnavailable
from local.pictures import paint_landscape
from tests.unit.imaging.tiffs import write_tiff

MEMORY_LIMIT_MB = 900
SIDES_200_MEGAPIXELS = (16_000, 12_500)


@pytest.fixture(scope="module")
def landscape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_landscape(tmp_path_factory.mktemp("confined") / "a.jpg", seed=1, size=(600, 400))


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that takes some tenths of a second, or more."""
    path = tmp_path_factory.mktemp("slow") / "a.png"
    pyvips.Image.black(15_000, 15_000, bands=3).copy(interpretation="srgb").write_to_file(str(path), compression=1)
    return path


@pytest.fixture
def inspector() -> Iterator[Inspector]:
    with Inspector() as confined:
        yield confined


def test_it_says_what_inspect_says(inspector: Inspector, landscape: Path, tmp_path: Path) -> None:
    found = inspector.inspect(landscape)
    assert found == inspect(landscape)
    running = inspector.pid
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(UnreadableImage) as confined:
        inspector.inspect(tmp_path / "a.jpg")
    with pytest.raises(UnreadableImage) as plain:
        inspect(tmp_path / "a.jpg")
    assert confined.value.detail == plain.value.detail
    assert inspector.inspect(landscape) == found
    assert inspector.pid == running  # one start for all of them


def test_a_decode_that_takes_too_long_ends_with_the_limit_named(slow: Path, landscape: Path) -> None:
    with Inspector(seconds=0.05) as confined:
        began = time.monotonic()
        with pytest.raises(UnreadableImage, match=r"within 0\.05 seconds"):
            confined.inspect(slow)
        assert time.monotonic() - began < 30  # the process's start included
        assert confined.pid is None
    with Inspector() as confined:
        assert confined.inspect(landscape).width == 600


def test_more_memory_than_allowed_is_refused_with_the_limit_named(landscape: Path, tmp_path: Path) -> None:
    pyvips.Image.black(14_000, 14_000, bands=3).copy(interpretation="srgb").write_to_file(
        str(tmp_path / "a.png"), compression=1, interlace=True
    )
    with Inspector(address_space_bytes=500_000_000) as confined:
        confined.inspect(landscape)
        with pytest.raises((ImageTooLarge, UnreadableImage), match=r"500 MB|broke down"):
            confined.inspect(tmp_path / "a.png")
        assert confined.inspect(landscape).width == 600


@pytest.mark.parametrize(
    ("ended_by", "error"), [(signal.SIGSEGV, UnreadableImage), (signal.SIGKILL, DependencyUnavailable)]
)
def test_a_process_that_dies_is_an_answer_and_the_next_picture_gets_another(
    inspector: Inspector, slow: Path, landscape: Path, ended_by: signal.Signals, error: type[Exception]
) -> None:
    inspector.inspect(landscape)
    dying = inspector.pid
    assert dying is not None
    killer = threading.Timer(0.05, os.kill, (dying, ended_by))
    killer.start()
    with pytest.raises(error):
        inspector.inspect(slow)
    assert inspector.inspect(landscape).width == 600
    assert inspector.pid not in {None, dying}


def test_a_process_found_dead_is_replaced(inspector: Inspector, landscape: Path) -> None:
    inspector.inspect(landscape)
    assert inspector.pid is not None
    os.kill(inspector.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert inspector.inspect(landscape).width == 600


def test_it_is_given_no_secrets(inspector: Inspector, landscape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    inspector.inspect(landscape)
    if sys.platform == "linux":
        assert b"AWS_" not in Path(f"/proc/{inspector.pid}/environ").read_bytes()


# --- what 200 megapixels cost ----------------------------------------------------------------------


def _peak_mb(path: Path) -> tuple[str, float]:
    """What a fresh process says of the file, and the most memory that it held."""
    program = (
        "import sys, pathlib\n"
        "from imagemarket.imaging.inspection import inspect\n"
        "from imagemarket.imaging.errors import ImageRejected\n"
        "try:\n    found = inspect(pathlib.Path(sys.argv[1])); print(found.width, found.height, end='|')\n"
        "except ImageRejected as error:\n    print(type(error).__name__, error.detail, end='|')\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "VIPS_CONCURRENCY": "1"}
    done = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, capture_output=True, check=True)
    said, peak = done.stdout.decode().strip().split("|")
    return said, int(peak) / 1024


def _huge(path: Path, **options: Any) -> Path:
    """200 megapixels of nothing: quickly written, and as large in memory as any."""
    pyvips.Image.black(*SIDES_200_MEGAPIXELS, bands=3).copy(interpretation="srgb").write_to_file(str(path), **options)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: the peak is read from /proc")
@pytest.mark.parametrize(
    ("name", "options", "limit_mb"),
    [
        ("baseline.jpg", {"Q": 75}, 200),
        ("plain.png", {"compression": 1}, 250),
        ("strips.tif", {"compression": "deflate"}, 250),
        ("tiles.tif", {"compression": "packbits", "tile": True, "tile_width": 256, "tile_height": 256}, 250),
        ("progressive.jpg", {"Q": 75, "interlace": True}, MEMORY_LIMIT_MB),
    ],
)
def test_200_megapixels_are_accepted_within_the_memory(
    tmp_path: Path, name: str, options: dict[str, Any], limit_mb: float
) -> None:
    said, peak = _peak_mb(_huge(tmp_path / name, **options))
    assert said == "16000 12500"
    assert peak < limit_mb


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: the peak is read from /proc")
@pytest.mark.parametrize(
    ("name", "remedy"),
    [("progressive 4:4:4.jpg", "baseline"), ("interlaced.png", "without interlacing"), ("strip.tif", "in strips")],
)
def test_200_megapixels_that_cannot_be_streamed_are_refused_before_they_are_decoded(
    tmp_path: Path, name: str, remedy: str
) -> None:
    path = tmp_path / name
    if path.suffix == ".jpg":
        out = io.BytesIO()
        Image.new("RGB", (160, 125)).save(out, "JPEG", progressive=True, subsampling=0)
        sides = [side.to_bytes(2, "big") for side in (125, 160, *SIDES_200_MEGAPIXELS[::-1])]
        path.write_bytes(out.getvalue().replace(sides[0] + sides[1], sides[2] + sides[3], 1))
    elif path.suffix == ".png":
        path.write_bytes(_png_header(*SIDES_200_MEGAPIXELS, depth=16, colour=2, interlaced=True))
    else:
        wide, tall = SIDES_200_MEGAPIXELS
        write_tiff(path, np.zeros((1, 1, 3), np.uint8), fields=_lies(width=wide, height=tall, bits=16, rows=tall))
    said, peak = _peak_mb(path)
    assert said.startswith("ImageTooLarge")
    assert "1,200 MB" in said
    assert "640 MB" in said
    assert remedy in said
    assert peak < 150


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: the peak is read from /proc")
def test_the_largest_single_strip_that_is_accepted_stays_within_the_memory(tmp_path: Path) -> None:
    wide, tall = 16_000, 13_000
    strip = zlib.compress(bytes(3 * wide * tall), 1)
    path = tmp_path / "a.tif"
    write_tiff(
        path,
        np.frombuffer(strip, np.uint8)[None],
        fields=_lies(width=wide, height=tall, bits=8, rows=tall) | {259: (3, [8])},
    )
    said, peak = _peak_mb(path)
    assert said == "16000 13000"
    assert peak < MEMORY_LIMIT_MB


def _lies(*, width: int, height: int, bits: int, rows: int) -> dict[int, tuple[int, list[int]]]:
    return {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * 3),
        262: (3, [2]),
        277: (3, [3]),
        278: (4, [rows]),
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def _png_header(width: int, height: int, *, depth: int, colour: int, interlaced: bool) -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, interlaced])
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 100))


# --- lies, bombs and loops -------------------------------------------------------------------------


def _refused(path: Path) -> ImageRejected:
    with pytest.raises(ImageRejected) as raised:
        inspect(path)
    return raised.value


def test_a_file_that_is_two_things_is_taken_for_what_it_begins_as(landscape: Path, tmp_path: Path) -> None:
    jpeg = landscape.read_bytes()
    out = io.BytesIO()
    Image.new("RGB", (100, 100)).save(out, "PNG")
    for number, behind in enumerate(
        (out.getvalue(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"PK\3\4" + bytes(99), b"<?php")
    ):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(jpeg + behind)
        found = inspect(path)
        assert (found.format, found.width) == ("jpeg", 600)
        assert behind not in found.master + found.model_input
    for number, front in enumerate((b"%PDF-1.7\n", b"<svg>", b"GIF89a", b"II*\0\x08\0\0\0", b"RIFF\0\0\0\0WEBP")):
        path = tmp_path / f"front{number}.jpg"
        path.write_bytes(front + jpeg)
        _refused(path)


def test_only_three_decoders_of_libvips_are_open(tmp_path: Path, landscape: Path) -> None:
    inspect(landscape)
    picture = Image.new("RGB", (100, 100))
    for suffix in ("webp", "gif", "ppm"):
        picture.save(tmp_path / f"a.{suffix}")
        with pytest.raises(pyvips.Error):
            pyvips.Image.new_from_file(str(tmp_path / f"a.{suffix}")).avg()


@pytest.mark.parametrize("segment", [b"\xff\xe1", b"\xff\xe2", b"\xff\xfe"])
def test_more_metadata_than_anyone_writes_is_refused_unread(landscape: Path, tmp_path: Path, segment: bytes) -> None:
    jpeg = landscape.read_bytes()
    block = segment + (65_535).to_bytes(2, "big") + b"http://ns.adobe.com/xap/1.0/\0".ljust(65_533, b"x")
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + block * 1000 + jpeg[2:])
    assert "64 MB are the most" in _refused(path).detail


def test_endless_segments_and_chunks_are_refused(landscape: Path, tmp_path: Path) -> None:
    jpeg = landscape.read_bytes()
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xfe\0\2" * 2_000_000 + jpeg[2:])
    began = time.process_time()
    assert isinstance(_refused(path), UnreadableImage)
    out = io.BytesIO()
    Image.new("RGB", (100, 100)).save(out, "PNG")
    png = out.getvalue()
    (tmp_path / "a.png").write_bytes(png[:33] + _chunk(b"tEXt", b"") * 500_000 + png[33:])
    assert isinstance(_refused(tmp_path / "a.png"), ImageTooLarge)
    assert time.process_time() - began < 5


def test_a_compressed_profile_that_unfolds_to_gigabytes_is_no_matter(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (100, 100), "navy").save(out, "PNG")
    png = out.getvalue()
    bomb = b"bomb\0\0" + zlib.compress(bytes(300_000_000), 9)
    path = tmp_path / "a.png"
    path.write_bytes(png[:33] + _chunk(b"iCCP", bomb) + png[33:])
    assert "unfold to more than 16 MB" in _refused(path).detail


def test_an_orientation_block_of_megabytes_is_passed_over(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "x" * 3_000_000, 1
    Image.new("RGB", (100, 80), "navy").save(tmp_path / "a.png", exif=exif)
    assert inspect(tmp_path / "a.png").technical.camera is None


def test_directories_that_point_at_themselves_end(tmp_path: Path) -> None:
    pixels = np.full((80, 100, 3), 120, np.uint8)
    path = write_tiff(tmp_path / "a.tif", pixels)
    at = int.from_bytes(path.read_bytes()[4:8], "little")
    write_tiff(path, pixels, next_directory=at)
    for fields in ({34665: (4, [at])}, {330: (4, [at])}, {34665: (4, [at]), 330: (4, [at, at])}):
        write_tiff(path, pixels, next_directory=at, fields=fields)
        began = time.process_time()
        with contextlib.suppress(ImageRejected):  # libtiff may refuse such a file; what counts is that it ends
            assert inspect(path).width == 100
        assert time.process_time() - began < 5


def test_a_nested_exif_loop_ends(landscape: Path, tmp_path: Path) -> None:
    loop = b"Exif\0\0II*\0\x08\0\0\0" + b"\1\0" + b"\x69\x87\4\0\1\0\0\0\x08\0\0\0" + bytes(4)
    jpeg = landscape.read_bytes()
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(loop) + 2).to_bytes(2, "big") + loop + jpeg[2:])
    assert inspect(path).technical.camera is None


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({256: (4, [60_000]), 257: (4, [60_000])}, "60000 by 60000"),
        ({322: (3, [65_520]), 323: (3, [65_520])}, "640 MB"),
        ({34675: (2, [65] * 9_000_000)}, "colour profile has 9 MB"),
        ({259: (3, [50_001])}, "method 50001"),
        ({259: (3, [6])}, "method 6"),
        ({339: (3, [2, 2, 2])}, "whole numbers with a sign"),
        ({258: (3, [64, 64, 64]), 339: (3, [3, 3, 3])}, "64-bit floats"),
        ({256: (4, [0])}, "no picture"),
        ({277: (3, [60_000])}, "damaged"),
        ({273: (4, [4_000_000_000] * 5)}, "beyond its end"),
        ({278: (4, [0])}, "damaged"),
    ],
)
def test_a_tiff_that_lies_is_refused(tmp_path: Path, fields: dict[int, tuple[int, list[int]]], refusal: str) -> None:
    tile = 16 if 322 in fields else None
    write_tiff(tmp_path / "a.tif", np.full((80, 100, 3), 120, np.uint8), fields=fields, tile=tile)
    assert refusal in _refused(tmp_path / "a.tif").detail


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "progressive.jpg"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / f"whole.{kind}"
    picture = pyvips.Image.gaussnoise(160, 120, mean=128).cast("uchar")
    picture.bandjoin([picture, picture]).copy(interpretation="srgb").write_to_file(
        str(whole), **({"interlace": True} if kind.startswith("prog") else {})
    )
    data = whole.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.95):
        path = tmp_path / f"cut.{kind}"
        path.write_bytes(data[: int(len(data) * share)])
        _refused(path)


@pytest.mark.parametrize("compressed", [b"zTXt", b"iTXt"])
def test_texts_that_unfold_to_gigabytes_are_refused(tmp_path: Path, compressed: bytes) -> None:
    out = io.BytesIO()
    Image.new("RGB", (100, 100), "navy").save(out, "PNG")
    png, bomb = out.getvalue(), zlib.compress(bytes(5_000_000), 9)
    head = {b"zTXt": b"a text\0\0", b"iTXt": b"comment\0\1\0en\0exact title\0"}[compressed]
    for count, refused in ((3, False), (4, True), (2000, True)):
        path = tmp_path / "a.png"
        path.write_bytes(png[:33] + _chunk(compressed, head + bomb) * count + png[33:])
        if refused:
            assert "unfold to more than 16 MB" in _refused(path).detail
        else:
            inspect(path)


# --- what benchmarks/imaging_fuzz.py found, and goes on looking for ---------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", (100).to_bytes(4, "big") * 2 + b"\x08\2\0\0\0") + b"\0\0\0\x40iTXta\0b",
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", (100).to_bytes(4, "big") * 2 + b"\x08\2\0\0\0")
        + b"\xff\xff\xff\x40iTXta\0b",
        b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(100),
        b"\xff\xd8\xff\xc0\0\x11\x08\0\x64\0\x64\3\1\x11\0\2\x11\0\3\x11\0\xff\xda\0\x0c",
    ],
    ids=["chunk cut short", "chunk of 4 GB", "directory beyond 2**63", "scan without components"],
)
def test_found_by_mutation(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    _refused(tmp_path / "a")


def test_some_hundreds_of_mutated_files_end_in_a_picture_or_a_refusal() -> None:
    findings = fuzz(cases=300, seed=42, workers=1)
    assert findings.found == []
    assert sum(findings.outcomes.values()) == 300
    assert findings.outcomes["picture"] > 30  # not everything is refused at the door
    assert findings.outcomes["UnreadableImage"] > 30


def test_a_case_is_the_same_file_every_time() -> None:
    sources = seeds()
    assert [mutated(number, 1, sources) for number in range(20)] == [
        mutated(number, 1, sources) for number in range(20)
    ]
