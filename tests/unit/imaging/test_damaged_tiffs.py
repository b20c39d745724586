"""TIFFs whose pixels are damaged, cut or missing: a refusal, never a picture that is black where they were."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image, TiffImagePlugin

from imagemarket.imaging.decoding import decode
from imagemarket.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from tests.unit.imaging.tiffs import write_tiff

_STRIPS, _STRIP_BYTES, _OLD_KIND = 273, 279, 255
COMPRESSIONS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "group4", "group3"]


def _tiff(compression: str, fields: dict[int, int] | None = None) -> bytes:
    """Noise, so that every byte of it matters."""
    grey = np.random.default_rng(5).integers(0, 256, (240, 320), dtype=np.uint8)
    picture = Image.fromarray(grey)
    picture = picture.convert("1") if compression.startswith("group") else picture.convert("RGB")
    file = io.BytesIO()
    picture.save(
        file, "TIFF", compression=None if compression == "raw" else compression, tiffinfo={278: 16, **(fields or {})}
    )
    return file.getvalue()


def _strips(data: bytes) -> list[tuple[int, int]]:
    with Image.open(io.BytesIO(data)) as opened:
        assert isinstance(opened, TiffImagePlugin.TiffImageFile)
        tags = opened.tag_v2
        return list(zip(tags[_STRIPS], tags[_STRIP_BYTES], strict=True))


def _set(data: bytes, tag: int, numbers: list[int]) -> bytes:
    """The file with another table in a tag's place, behind its end."""
    changed = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HHII", changed, entry, tag, 4, len(numbers), len(data))
            return bytes(changed) + struct.pack(f"<{len(numbers)}I", *numbers)
    raise AssertionError(tag)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_one_that_is_whole_is_taken(compression: str, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(compression))
    assert decode(tmp_path / "a.tif").picture.size == (320, 240)


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
@pytest.mark.parametrize("which", [0, 7])
def test_a_strip_of_something_else_is_refused(compression: str, which: int, tmp_path: Path) -> None:
    data = bytearray(_tiff(compression))
    place, size = _strips(bytes(data))[which]
    data[place : place + size] = b"\x80\x00" * (size // 2) + b"\x80" * (size % 2)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UnreadableImage, match="damaged or cut short"):
        decode(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_strip_that_is_cut_or_not_there_is_refused(compression: str, tmp_path: Path) -> None:
    data = _tiff(compression)
    strips = _strips(data)
    for sizes in (
        [size if number != 7 else size // 3 for number, (_, size) in enumerate(strips)],
        [size if number != 7 else 0 for number, (_, size) in enumerate(strips)],
    ):
        (tmp_path / "a.tif").write_bytes(_set(data, _STRIP_BYTES, sizes))
        with pytest.raises(UnreadableImage, match="damaged or cut short"):
            decode(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_deflate"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("which", [0, 7, 14])
def test_a_strip_with_another_sum_than_its_bytes_is_refused(
    compression: str, predictor: int, which: int, tmp_path: Path
) -> None:
    """libtiff does not come to the sum: a strip is full before it."""
    whole = _tiff(compression, {317: predictor})
    place, size = _strips(whole)[which]
    for back in (1, 4, 5, 6, 12):  # the last of its data, with the code that ends them, are damaged unseen otherwise
        data = bytearray(whole)
        data[place + size - back] ^= 0x41
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(UnreadableImage, match="damaged"):
            decode(tmp_path / "a.tif")
    sizes = [each for _, each in _strips(whole)]
    sizes[which] -= 4
    (tmp_path / "a.tif").write_bytes(_set(whole, _STRIP_BYTES, sizes))
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("at", [0, 4, 7])
def test_a_strip_that_is_said_to_lie_in_the_header_is_refused(compression: str, at: int, tmp_path: Path) -> None:
    data = _tiff(compression)
    places = [place for place, _ in _strips(data)]
    (directory,) = struct.unpack_from("<I", data, 4)
    for elsewhere in (at, directory):
        (tmp_path / "a.tif").write_bytes(_set(data, _STRIPS, [*places[:3], elsewhere, *places[4:]]))
        with pytest.raises(UnreadableImage, match="where its header does"):
            decode(tmp_path / "a.tif")


def test_a_strip_in_the_longer_header_of_a_bigtiff_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pyvips.Image.black(100, 80).tiffsave(str(path), bigtiff=True)
    data = bytearray(path.read_bytes())
    assert decode(path).width == 100
    (directory,) = struct.unpack_from("<Q", data, 8)
    (entries,) = struct.unpack_from("<Q", data, directory)
    for entry in range(directory + 8, directory + 8 + 20 * entries, 20):
        if struct.unpack_from("<H", data, entry)[0] == _STRIPS:
            struct.pack_into("<HQQ", data, entry + 2, 16, 1, 12)
    path.write_bytes(data)
    with pytest.raises(UnreadableImage, match="where its header does"):
        decode(path)


@pytest.mark.parametrize("entries", [0, 10, 767])
def test_a_palette_that_is_not_whole_is_refused(entries: int, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((20, 20), np.uint8)).convert("P").save(file, "TIFF")
    data = file.getvalue()
    if entries:
        data = _set(data, 320, [7] * entries)
    else:  # the tag of the map becomes one that nobody reads
        (at,) = struct.unpack_from("<I", data, 4)
        found = data.index(struct.pack("<H", 320), at)
        data = data[:found] + struct.pack("<H", 60_000) + data[found + 2 :]
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UnreadableImage, match="palette"):
        decode(tmp_path / "a.tif")


def test_a_reduced_picture_by_the_older_tag_is_not_the_picture(tmp_path: Path) -> None:
    small, large = Image.new("RGB", (80, 60), "red"), Image.new("RGB", (640, 480), "blue")
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file) as writer:
        for picture, kind in ((small, 2), (large, 1)):
            picture.save(writer, "TIFF", tiffinfo={_OLD_KIND: kind})
            writer.newFrame()
    (tmp_path / "a.tif").write_bytes(file.getvalue())
    assert decode(tmp_path / "a.tif").picture.size == (640, 480)


def _in_large_tiles(path: Path, sides: tuple[int, int], tile: int, damage: tuple[int, ...] = ()) -> Path:
    """Deflate tiles that stick out far, stored as they are, with bytes of the last one changed."""
    width, height = sides
    pixels = np.random.default_rng(6).integers(0, 256, (-(-height // tile) * tile, -(-width // tile) * tile, 3))
    tiles = [
        bytearray(zlib.compress(pixels[top : top + tile, left : left + tile].astype(np.uint8).tobytes(), 0))
        for top in range(0, height, tile)
        for left in range(0, width, tile)
    ]
    for place in damage:
        tiles[-1][place] ^= 0x41
    end = 8
    for _ in range(2):  # the second time it is known where the streams lie, behind all else
        places = [end + sum(map(len, tiles[:number])) for number in range(len(tiles))]
        fields = {259: (3, [8]), 324: (4, places), 325: (4, [len(each) for each in tiles])}
        write_tiff(path, np.zeros((height, width, 3), np.uint8), tile=tile, fields=fields)
        end = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"".join(tiles))
    return path


@pytest.mark.parametrize("sides", [(1000, 70), (1100, 600), (700, 300)])
def test_all_of_tiles_that_are_much_larger_than_their_picture_is_summed(sides: tuple[int, int], tmp_path: Path) -> None:
    assert decode(_in_large_tiles(tmp_path / "a.tif", sides, 1024)).width == sides[0]
    for damage in (100, 200_000, -1):
        with pytest.raises(UnreadableImage, match="sums"):
            decode(_in_large_tiles(tmp_path / "a.tif", sides, 1024, (damage,)))


@pytest.mark.parametrize("tile", [8, 24, 100, 200])
def test_tiles_with_sides_that_are_no_multiples_of_16_are_named(tile: int, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", np.zeros((200, 300, 3), np.uint8), tile=tile)
    with pytest.raises(UnsupportedFormat, match=f"tiles of {tile} by {tile} pixels have sides that 16 does not divide"):
        decode(path)


def test_tiles_too_large_for_the_decoder_are_named(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", np.zeros((200, 300, 3), np.uint8), tile=1024)
    with pytest.raises(UnsupportedFormat, match=r"1024 by 1024 .* 300 by 200; save it in tiles of 256"):
        decode(tmp_path / "a.tif")


def test_streams_that_unfold_to_far_more_than_their_picture_are_refused(tmp_path: Path) -> None:
    whole = _tiff("tiff_adobe_deflate")
    endless = zlib.compress(bytes(10_000_000))
    strips = _strips(whole)
    for which in (0, 14):
        places, sizes = [place for place, _ in strips], [size for _, size in strips]
        places[which], sizes[which] = len(whole), len(endless)
        data = _set(_set(whole + endless, _STRIPS, places), _STRIP_BYTES, sizes)
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(UnreadableImage, match="sums"):
            decode(tmp_path / "a.tif")


def test_tiles_that_are_too_much_in_all_are_refused(tmp_path: Path) -> None:
    fields = {322: (3, [32_000]), 323: (3, [16]), 256: (4, [500]), 257: (4, [25_000])}
    write_tiff(tmp_path / "a.tif", np.zeros((64, 64, 3), np.uint8), tile=64, fields=fields)
    with pytest.raises(ImageTooLarge, match=r"2,401 MB.* 2,000 .*tiles of 256"):
        decode(tmp_path / "a.tif")


@pytest.mark.parametrize("damaged", [False, True])
def test_a_stream_of_no_said_length_is_summed(damaged: bool, tmp_path: Path) -> None:
    """libtiff reads it to the file's end."""
    pixels = np.random.default_rng(6).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    stream = bytearray(zlib.compress(pixels.tobytes()))
    stream[-1] ^= damaged
    path = write_tiff(tmp_path / "a.tif", pixels, rows_per_strip=64, fields={259: (3, [8]), 279: (4, [0])})
    end = path.stat().st_size
    write_tiff(path, pixels, rows_per_strip=64, fields={259: (3, [8]), 273: (4, [end]), 279: (4, [0])})
    path.write_bytes(path.read_bytes() + stream)
    if damaged:
        with pytest.raises(UnreadableImage, match="sums"):
            decode(path)
    else:
        assert decode(path).width == 80


_INK_NAMES = list(b"Cyan\0Magenta\0")
ODD = {
    **{f"orientation {value}": {274: (3, [value])} for value in (0, 9, 65535)},
    **{f"resolution unit {value}": {296: (3, [value])} for value in (0, 4)},
    **{f"planes {value}": {284: (3, [value])} for value in (0, 3)},
    **{f"range {tag}": {tag: (kind, [0, 1, 2])} for tag, kind in ((280, 3), (281, 3), (340, 12), (341, 12))},
    **{
        f"range {tag} of {len(values)} of type {kind}": {tag: (kind, values)}
        for tag in (340, 341)
        for kind, values in ((12, [0]), (3, [255] * 4), (2, [65] * 3))
    },
    "signed range": {340: (9, [-1, -1, -1]), 341: (8, [9, 9, 9])},
    "range of another type": {280: (12, [0, 0, 0]), 281: (4, [255, 255, 255])},
    "resolution below zero": {282: (9, [-300]), 283: (9, [-300])},
    "several": {274: (3, [0]), 280: (3, [0, 1, 2]), 281: (3, [0, 1, 2]), 296: (3, [0])},
}
ODD_INKS = {
    "two names": {332: (3, [1]), 333: (2, _INK_NAMES), 334: (3, [4])},
    "names alone": {332: (3, [1]), 333: (2, _INK_NAMES)},
    "three inks": {332: (3, [1]), 334: (3, [3])},
}


def _noise(channels: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (200, 300, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    ("channels", "fields"), [*((3, each) for each in ODD.values()), *((4, each) for each in ODD_INKS.values())]
)
def test_a_field_that_says_nothing_of_the_pixels_ends_nothing(
    channels: int, fields: dict[int, tuple[int, list[int]]], tmp_path: Path
) -> None:
    inks: dict[int, tuple[int, list[int]]] = {262: (3, [5])} if channels == 4 else {}
    right = decode(write_tiff(tmp_path / "a.tif", _noise(channels), fields=inks))
    odd = decode(write_tiff(tmp_path / "b.tif", _noise(channels), fields=inks | fields))
    assert odd.picture.tobytes() == right.picture.tobytes()
    assert not odd.turned


@pytest.mark.parametrize(
    ("tile", "fields"),
    [
        (None, {322: (3, [64]), 323: (3, [64])}),
        (None, {322: (3, [64])}),
        (None, {324: (4, [8])}),
        (64, {273: (4, [8])}),
        (64, {273: (4, [8] * 20), 279: (4, [12288] * 20)}),
    ],
)
def test_pixels_that_are_said_to_lie_in_strips_and_in_tiles_are_refused_by_name(
    tile: int | None, fields: dict[int, tuple[int, list[int]]], tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedFormat, match="strips or in tiles"):
        decode(write_tiff(tmp_path / "a.tif", _noise(3), tile=tile, fields=fields))


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (274, (3, [1, 1, 1])),
        (296, (3, [2, 2, 2])),
        (281, (3, [255, 255, 255])),
        (340, (12, [0, 0, 0])),
        (333, (2, list(b"Cyan\0Magenta\0Yellow\0Black\0"))),
    ],
)
def test_such_a_field_may_lie_beyond_the_end(tag: int, value: tuple[int, list[int]], tmp_path: Path) -> None:
    fields = {262: (3, [5]), tag: value}
    path = write_tiff(tmp_path / "a.tif", _noise(4), fields=fields)
    data = bytearray(path.read_bytes())
    entry = data.index(struct.pack("<HHI", tag, value[0], len(value[1])), 240_008)
    struct.pack_into("<I", data, entry + 8, 5_000_000)
    path.write_bytes(data)
    assert decode(path).picture.size == (300, 200)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_odd_orientation_hides_no_damage(compression: str, tmp_path: Path) -> None:
    data = _tiff(compression, {274: 3, 296: 3})
    for tag in (274, 296):
        entry = struct.pack("<HHIH", tag, 3, 1, 3)
        assert data.count(entry) == 1
        data = data.replace(entry, struct.pack("<HHIH", tag, 3, 1, 0))
    (tmp_path / "a.tif").write_bytes(data)
    assert decode(tmp_path / "a.tif").picture.size == (320, 240)
    sizes = [size if number != 7 else size // 3 for number, (_, size) in enumerate(_strips(data))]
    (tmp_path / "a.tif").write_bytes(_set(data, _STRIP_BYTES, sizes))
    with pytest.raises(UnreadableImage, match="damaged or cut short"):
        decode(tmp_path / "a.tif")


@pytest.mark.parametrize("following", [7, 8, 180_008, 5_000_000])
def test_what_follows_the_picture_is_not_looked_at(following: int, tmp_path: Path) -> None:
    """180,008 is its own place."""
    path = write_tiff(tmp_path / "a.tif", _noise(3), next_directory=following)
    assert int.from_bytes(path.read_bytes()[4:8], "little") == 180_008
    assert decode(path).picture.size == (300, 200)
