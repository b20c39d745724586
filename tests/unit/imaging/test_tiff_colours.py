"""Every way in which a TIFF can hold colours: each looks as it should, or is refused by a sentence that names it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from imagemarket.imaging.decoding import decode
from imagemarket.imaging.errors import ImageRejected, UnreadableImage, UnsupportedFormat
from imagemarket.imaging.formats import sniff
from tests.unit.imaging.colour import as_srgb, difference
from tests.unit.imaging.tiffs import write_tiff

CMYK_PROFILE: bytes = pyvips.Image.profile_load("cmyk")
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR = range(7)
CIELAB, ICCLAB, ITULAB, CFA, LOG_L, LOG_LUV, LINEAR_RAW = 8, 9, 10, 32803, 32844, 32845, 34892
SAMPLES = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, PALETTE: 1, MASK: 1, INKS: 4, CFA: 1, LOG_L: 1}

READ = {
    *itertools.product([WHITE_IS_ZERO, BLACK_IS_ZERO], [1, 2, 4, 8, 16], [UNSIGNED]),
    *itertools.product([PALETTE], [1, 2, 4, 8], [UNSIGNED]),
    *itertools.product([RGB, INKS], [8, 16], [UNSIGNED]),
    *itertools.product([BLACK_IS_ZERO, RGB], [32], [FLOAT]),
}
"""What is accepted: photometric interpretation, bits, sample format; in one plane or several, in strips or tiles but
for planes in tiles."""
UNSAID, UNNAMED, MULTIPLIED, PLAIN = -1, 0, 1, 2
EXTRAS = [[], [UNSAID], [UNNAMED], [MULTIPLIED], [PLAIN], [UNNAMED, PLAIN], [PLAIN, UNNAMED], [MULTIPLIED, UNNAMED]]
"""What channels beside the colours are said to be, of which the first counts: of no said kind, or how much can be seen
through, which the colours are multiplied by or not."""
_BYTES = {each for each in READ if each[1] >= 8 and each[0] != PALETTE}
READ_BESIDE = {
    UNSAID: _BYTES,
    UNNAMED: _BYTES,
    MULTIPLIED: {cell for cell in _BYTES if cell[0] != WHITE_IS_ZERO}
    - {(BLACK_IS_ZERO, 32, FLOAT), (INKS, 16, UNSIGNED)},
    PLAIN: _BYTES - {(INKS, 16, UNSIGNED)},
}
"""What is accepted with such channels; in planes not with grey."""
ALL = sorted(
    {
        *itertools.product([*range(11), 32768], [1, 2, 4, 8, 12, 16, 32, 64], [UNSIGNED]),
        *itertools.product([*range(11), 32768], [8, 16, 32], [SIGNED, UNDEFINED]),
        *itertools.product([*range(11), CFA, LOG_L, LOG_LUV, LINEAR_RAW], [16, 32, 64], [FLOAT]),
        *itertools.product([CFA, LOG_L, LOG_LUV, LINEAR_RAW], [8, 16], [UNSIGNED, SIGNED]),
    }
)
NAMES = {
    WHITE_IS_ZERO: "grey",
    BLACK_IS_ZERO: "grey",
    RGB: "RGB",
    PALETTE: "palette",
    MASK: "mask",
    INKS: "inks",
    YCBCR: "YCbCr",
    CIELAB: "CIELAB",
    ICCLAB: "ICCLAB",
    ITULAB: "ITULAB",
    CFA: "filter array",
    LOG_L: "LogL",
    LOG_LUV: "LogLuv",
    LINEAR_RAW: "linear raw",
}


def _values(samples: int, size: int = 80) -> np.ndarray:
    """0 to 1: smooth, each channel another."""
    down, across = np.mgrid[0:size, 0:size] / (size - 1)
    channels = [across, down, 1 - across, (across + down) / 4]
    return np.stack(channels[:samples], axis=-1)


def _curved(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, linear ** (1 / 2.4) * 1.055 - 0.055)


def _opacity(size: int = 80) -> np.ndarray:
    """From half to whole."""
    return np.broadcast_to(np.linspace(0.5, 1, size)[:, None, None], (size, size, 1))


def _stored(
    photometric: int, bits: int, kind: int, extras: list[int]
) -> tuple[np.ndarray, dict[int, tuple[int, list[int]]]]:
    values = _values(SAMPLES.get(photometric, 3))
    if extras[:1] == [MULTIPLIED]:
        values = values * _opacity()
    values = np.concatenate([values, *[_opacity()] * len(extras)], axis=-1)
    fields: dict[int, tuple[int, list[int]]] = {339: (3, [kind] * values.shape[2])}
    if photometric == PALETTE:
        ramp = np.linspace(0, 65535, 2 ** min(bits, 8)).astype(int)
        fields[320] = (3, [*ramp.tolist(), *ramp[::-1].tolist(), *(ramp // 2).tolist()])
    if extras not in ([], [UNSAID]):
        fields[338] = (3, extras)
    if photometric == YCBCR:
        fields[530] = (3, [1, 1])
    if kind == FLOAT:
        return values.astype({16: "<f2", 32: "<f4", 64: "<f8"}[bits]), fields
    levels = np.round(values * (2 ** min(bits, 62) - 1))
    return levels.astype({8: "u1", 12: "<u2", 16: "<u2", 32: "<u4", 64: "<u8"}.get(bits, "u1")), fields


def _expected(photometric: int, bits: int, kind: int) -> Image.Image:
    """The colours, whatever stands beside them."""
    stored, fields = _stored(photometric, bits, kind, [])
    if photometric == PALETTE:
        table = np.array(fields[320][1]).reshape(3, -1).T
        return Image.fromarray((table[stored[..., 0]] / 257).round().astype(np.uint8))
    shown = _curved(stored.astype(float)) if kind == FLOAT else stored.astype(float) / (2**bits - 1)
    if photometric == WHITE_IS_ZERO:
        shown = 1 - shown
    eight = (shown * 255).round().astype(np.uint8)
    if photometric == INKS:
        return as_srgb(Image.fromarray(eight, "CMYK"), CMYK_PROFILE)
    return Image.fromarray(np.repeat(eight, 3, axis=-1) if eight.shape[2] == 1 else eight)


@pytest.mark.parametrize("tiled", [False, True], ids=["strips", "tiles"])
@pytest.mark.parametrize("planar", [1, 2], ids=["together", "planes"])
@pytest.mark.parametrize("extras", EXTRAS, ids=str)
def test_every_cell_of_the_table_is_right_or_refused_by_name(
    tmp_path: Path, extras: list[int], planar: int, tiled: bool
) -> None:
    wrong, read = [], set()
    seen_through = extras[:1] in ([MULTIPLIED], [PLAIN])
    for photometric, bits, kind in ALL:
        stored, fields = _stored(photometric, bits, kind, extras)
        path = write_tiff(
            tmp_path / "a.tif",
            stored,
            bits=bits,
            photometric=photometric,
            planar=planar,
            fields=fields,
            tile=32 if tiled else None,
        )
        cell = (photometric, bits, kind)
        try:
            decoded = decode(path)
        except UnsupportedFormat as error:
            if NAMES.get(photometric, "photometric") not in error.detail:
                wrong.append((cell, error.detail))
        except ImageRejected as error:
            wrong.append((cell, f"{type(error).__name__}: {error.detail}"))
        else:
            read.add(cell)
            colours, opacity = decoded.picture.convert("RGB"), decoded.picture.convert("RGBA").getchannel("A")
            mean, worst = difference(colours, _expected(photometric, bits, kind))
            there = _opacity()[..., 0] if seen_through else np.ones(())
            off = np.abs(np.asarray(opacity) / 255 - there).max()
            if mean > 1.2 or worst > 6 or off > 0.01:
                wrong.append((cell, f"{decoded.picture.mode}, off by {mean:.1f}, at worst {worst:.1f}, {off:.2f}"))
    assert wrong == []
    taken = READ_BESIDE[extras[0]] if extras else READ
    if planar == 2:
        grey = {WHITE_IS_ZERO, BLACK_IS_ZERO} if extras else set()
        taken = {cell for cell in taken if cell[1] >= 8 and not tiled and cell[0] not in grey}
    assert read == taken


@pytest.mark.parametrize("subsampling", [[1, 1], [2, 2]])
@pytest.mark.parametrize("quality", [98])
def test_ycbcr_as_jpeg_is_read(tmp_path: Path, subsampling: list[int], quality: int) -> None:
    pixels = (_values(3) * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(
        tmp_path / "a.tif", compression="jpeg", quality=quality, tiffinfo={530: tuple(subsampling)}
    )
    mean, _ = difference(decode(tmp_path / "a.tif").picture, Image.fromarray(pixels))
    assert mean < 1.5


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({258: (3, [8, 8, 16])}, "stored in different ways"),
        ({339: (3, [1, 1, 3])}, "stored in different ways"),
        ({277: (3, [2]), 258: (3, [8, 8])}, "RGB in 2 channels"),
        ({262: (3, [3])}, "a palette in 3 channels"),
        ({262: (3, [5]), 277: (3, [4]), 258: (3, [8] * 4), 332: (3, [2])}, "inks other than CMYK"),
        ({262: (3, [5])}, "inks in 3 channels"),
        ({277: (3, [2]), 258: (3, [4, 4]), 262: (3, [1])}, "grey of 4-bit whole numbers with another channel beside"),
        ({262: (3, [1]), 338: (3, [2, 0]), 284: (3, [2])}, "grey of 8-bit whole numbers in planes with an opacity"),
        ({262: (3, [0]), 338: (3, [1, 0])}, "with an opacity that they are multiplied by beside them"),
        *[
            ({262: (3, [1]), 338: (3, extras)}, "grey, and what it says of the channels beside them contradicts itself")
            for extras in ([0, 1], [2, 1], [1, 1], [1, 0, 0], [0, 0, 1], [2, 2, 2])
        ],
        ({338: (3, [1])}, "RGB, and what it says of the channels beside"),
        ({338: (3, [2])}, "RGB, and what it says of the channels beside"),
        ({266: (3, [2])}, "RGB of 8-bit whole numbers in fill order 2"),
        ({262: (3, [777])}, "photometric interpretation 777"),
        ({262: (3, [6]), 530: (3, [1, 1])}, "YCbCr of 8-bit whole numbers without JPEG"),
    ],
)
def test_colours_that_contradict_themselves_are_refused_by_name(
    tmp_path: Path, fields: dict[int, tuple[int, list[int]]], named: str
) -> None:
    pixels = (_values(3) * 255).round().astype(np.uint8)
    with pytest.raises(UnsupportedFormat, match=named):
        decode(write_tiff(tmp_path / "a.tif", pixels, fields=fields))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_bits_that_are_filled_from_the_other_end_are_read_one_a_pixel(tmp_path: Path, bits: int) -> None:
    stored, fields = _stored(BLACK_IS_ZERO, bits, UNSIGNED, [])
    path = write_tiff(
        tmp_path / "a.tif", stored, bits=bits, photometric=BLACK_IS_ZERO, fields={**fields, 266: (3, [2])}
    )
    if bits > 1:
        with pytest.raises(UnsupportedFormat, match=f"grey of {bits}-bit whole numbers in fill order 2"):
            decode(path)
        return
    data, rows = bytearray(path.read_bytes()), 80 * 80 // 8
    data[8 : 8 + rows] = bytes(int(f"{each:08b}"[::-1], 2) for each in data[8 : 8 + rows])
    path.write_bytes(data)
    assert difference(decode(path).picture, _expected(BLACK_IS_ZERO, bits, UNSIGNED))[0] < 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("off", [None, -3, -1, 1, 3, 768])
def test_a_palette_of_another_length_is_refused(tmp_path: Path, bits: int, off: int | None) -> None:
    stored, fields = _stored(PALETTE, bits, UNSIGNED, [])
    table = fields.pop(320)[1]
    if off is not None:
        fields[320] = (3, (table + [0] * 768)[: len(table) + off])
    with pytest.raises(UnreadableImage, match=f"no table of {len(table)} numbers"):
        decode(write_tiff(tmp_path / "a.tif", stored, bits=bits, photometric=PALETTE, fields=fields))


@pytest.mark.parametrize("kind", [1, 4, 16])
def test_a_palette_of_other_numbers_is_refused(tmp_path: Path, kind: int) -> None:
    stored, fields = _stored(PALETTE, 8, UNSIGNED, [])
    fields[320] = (kind, [each % 256 if kind == 1 else each + 70_000 for each in fields[320][1]])
    with pytest.raises(UnreadableImage, match="no table of 768 numbers of 16 bits"):
        decode(write_tiff(tmp_path / "a.tif", stored, photometric=PALETTE, fields=fields))


def test_planes_of_tiles_are_named_where_their_places_stand_in_the_tags_of_strips(tmp_path: Path) -> None:
    """As in TIFF 5.0 and some files since."""
    pixels = (_values(3) * 255).round().astype(np.uint8)
    path = _renamed(write_tiff(tmp_path / "a.tif", pixels, tile=32, planar=2), {324: 273, 325: 279})
    with pytest.raises(UnsupportedFormat, match="in planes of tiles"):
        decode(path)
    path = _renamed(write_tiff(path, pixels, tile=32), {324: 273, 325: 279})
    assert difference(decode(path).picture, Image.fromarray(pixels))[0] < 1


@pytest.mark.parametrize(
    ("tag", "other"), [(262, WHITE_IS_ZERO), (262, RGB), (262, CIELAB), (339, SIGNED), (258, 16), (259, 5), (256, 40)]
)
def test_of_a_tag_that_is_named_twice_the_first_counts(tmp_path: Path, tag: int, other: int) -> None:
    """As it does to the decoder: else what was looked at would not be what is shown."""
    grey = (_values(1)[..., 0] * 255).round().astype(np.uint8)
    spare = {65000: (3, [other])}
    once = {339: (3, [UNSIGNED])}
    last = _renamed(write_tiff(tmp_path / "a.tif", grey, fields={**once, **spare}), {65000: tag})
    assert difference(decode(last).picture, Image.fromarray(grey))[0] < 1
    shown = _renamed(write_tiff(tmp_path / "b.tif", grey, fields={**once, 1: (3, [other])}), {1: tag})
    alone = write_tiff(tmp_path / "c.tif", grey, fields={**once, tag: (3, [other])})

    def ending(path: Path) -> object:
        try:
            return np.asarray(decode(path).picture).tobytes()
        except ImageRejected as error:
            return type(error), error.detail

    assert ending(shown) == ending(alone)


def _renamed(path: Path, tags: dict[int, int]) -> Path:
    """Its directory's tags, where they stand."""
    data = bytearray(path.read_bytes())
    at = int.from_bytes(data[4:8], "little")
    for entry in range(at + 2, at + 2 + 12 * int.from_bytes(data[at : at + 2], "little"), 12):
        tag = int.from_bytes(data[entry : entry + 2], "little")
        data[entry : entry + 2] = tags.get(tag, tag).to_bytes(2, "little")
    path.write_bytes(data)
    return path


# --- which directory is the picture ----------------------------------------------------------------


def _join(path: Path, *, first: dict[int, tuple[int, list[int]]], second: dict[int, tuple[int, list[int]]]) -> Path:
    """A file of 80 by 60 in its first directory and 320 by 240 in the second, each with further fields."""
    small, large = (np.full((*sides, 3), level, np.uint8) for sides, level in (((60, 80), 40), ((240, 320), 200)))
    data = write_tiff(path, small, fields=first).read_bytes()
    at = len(data) + len(data) % 2
    other = write_tiff(path, large, fields=second).read_bytes()
    moved = at - 8  # what lies at 8 there lies at `at` here
    head = int.from_bytes(other[4:8], "little")
    strips = [8 + 320 * 3 * 16 * number + moved for number in range(15)]
    again = write_tiff(path, large, fields={**second, 273: (4, strips)}, moved=moved).read_bytes()
    directory = head + moved
    one = write_tiff(path, small, fields=first, next_directory=directory if 330 not in first else 0).read_bytes()
    if 330 in first:
        one = write_tiff(path, small, fields={**first, 330: (4, [directory])}).read_bytes()
    path.write_bytes(one.ljust(at, b"\0") + again[8:])
    return path


REDUCED, MASK_KIND = {254: (4, [1])}, {254: (4, [4])}


@pytest.mark.parametrize("first", [REDUCED, MASK_KIND, {254: (4, [5])}])
@pytest.mark.parametrize("second", [{}, {254: (4, [0])}, {254: (4, [2])}])
def test_a_reduced_picture_or_mask_first_is_not_the_picture(
    tmp_path: Path, first: dict[int, tuple[int, list[int]]], second: dict[int, tuple[int, list[int]]]
) -> None:
    for below in ({}, {330: (4, [0])}):
        decoded = decode(_join(tmp_path / "a.tif", first={**first, **below}, second=second))
        assert (decoded.width, decoded.height) == (320, 240)
        assert decoded.picture.getpixel((100, 100)) == (200, 200, 200)


def test_where_all_are_reduced_the_largest_is_the_picture(tmp_path: Path) -> None:
    assert decode(_join(tmp_path / "a.tif", first=REDUCED, second=REDUCED)).width == 320
    assert decode(_join(tmp_path / "a.tif", first={}, second=REDUCED)).width == 80
    write_tiff(tmp_path / "b.tif", np.full((60, 80, 3), 40, np.uint8), fields=REDUCED)
    assert decode(tmp_path / "b.tif").width == 80


@pytest.mark.parametrize("make", [b"NIKON CORPORATION\0", b"SONY\0"])
@pytest.mark.parametrize("kind", [{}, {254: (4, [0])}, {254: (4, [2])}])
def test_a_cameras_name_in_a_tiff_with_smaller_pages_makes_no_raw_of_it(
    tmp_path: Path, make: bytes, kind: dict[int, tuple[int, list[int]]]
) -> None:
    named = {271: (2, list(make)), 330: (4, [0])}
    decoded = decode(_join(tmp_path / "a.tif", first={**named, **kind}, second=REDUCED))
    assert (decoded.format, decoded.width) == ("tiff", 80)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (REDUCED, {}),
        ({259: (3, [6])}, {}),
        ({}, {262: (3, [32803])}),
        ({}, {262: (3, [34892])}),
        ({}, {259: (3, [34713])}),
        ({}, {259: (3, [32767])}),
        ({262: (3, [32803])}, REDUCED),
    ],
)
def test_a_preview_first_or_a_sensors_data_below_it_makes_a_raw(
    tmp_path: Path, first: dict[int, tuple[int, list[int]]], second: dict[int, tuple[int, list[int]]]
) -> None:
    for make, found in ((b"Nikon\0", "nef"), (b"SONY\0", "arw"), (b"Canon\0", "tiff")):
        named = {271: (2, list(make)), 330: (4, [0])}
        with _join(tmp_path / "a.tif", first={**named, **first}, second=second).open("rb") as file:
            assert sniff(file) == found
