"""Cameras' negatives made by hand: real RAW files are too large to keep beside the tests."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED, _SRATIONAL = 1, 2, 3, 4, 5, 7, 10
_CODES = {_BYTE: "B", _SHORT: "H", _LONG: "I"}


def write_dng(path: Path, pixels: np.ndarray, *, orientation: int = 1, preview: bytes = b"") -> Path:
    """A DNG 1.4 of an RGGB sensor that saw `pixels` (height, width, 3; 0 to 1; even sides), with EXIF of a
    camera, an exposure and an owner's name and serial number. A JPEG `preview` lies before the sensor's data,
    which come last: cut the file short and they are gone."""
    height, width, _ = pixels.shape
    mosaic = mosaic_of(pixels)
    identity = [(1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1)]
    entries = [
        *[(254, _LONG, [0]), (256, _LONG, [width]), (257, _LONG, [height]), (258, _SHORT, [16])],
        *[(259, _SHORT, [1]), (262, _SHORT, [32803]), (271, _ASCII, "ACME"), (272, _ASCII, "ACME Raw 1")],
        *[(273, _LONG, [0]), (274, _SHORT, [orientation]), (277, _SHORT, [1]), (278, _LONG, [height])],
        *[(279, _LONG, [mosaic.nbytes]), (284, _SHORT, [1]), (315, _ASCII, "Jane Doe")],
        *[(33421, _SHORT, [2, 2]), (33422, _BYTE, [0, 1, 1, 2]), (34665, _LONG, [0])],
        *[(50706, _BYTE, [1, 4, 0, 0]), (50707, _BYTE, [1, 1, 0, 0]), (50708, _ASCII, "ACME Raw 1")],
        *[(50714, _SHORT, [0]), (50717, _LONG, [16383]), (50721, _SRATIONAL, identity)],
        *[(50728, _RATIONAL, [(1, 1)] * 3), (50735, _ASCII, "SN123"), (50778, _SHORT, [21])],
    ]
    detail = [(0x829A, _RATIONAL, [(1, 125)]), (0x829D, _RATIONAL, [(28, 10)]), (0x8827, _SHORT, [200])]
    detail_at = 8 + len(_directory(entries, 8))
    shown_at = detail_at + len(_directory(detail, detail_at)) if preview else 0
    shown = [(254, _LONG, [1]), (256, _LONG, [160]), (257, _LONG, [120]), (258, _SHORT, [8, 8, 8]), (259, _SHORT, [7])]
    shown += [
        (262, _SHORT, [6]),
        (273, _LONG, [0]),
        (277, _SHORT, [3]),
        (278, _LONG, [120]),
        (279, _LONG, [len(preview)]),
    ]
    preview_at = (
        shown_at + len(_directory(shown, shown_at)) if preview else detail_at + len(_directory(detail, detail_at))
    )
    shown = [(tag, kind, [preview_at] if tag == 273 else value) for tag, kind, value in shown]
    pixels_at = preview_at + len(preview) + len(preview) % 2
    placed = [
        (tag, kind, {273: [pixels_at], 34665: [detail_at]}.get(tag, value) if kind == _LONG else value)
        for tag, kind, value in entries
    ]
    head = b"II*\0" + struct.pack("<I", 8)
    data = head + _directory(placed, 8, following=shown_at) + _directory(detail, detail_at)
    data += _directory(shown, shown_at) + preview if preview else b""
    path.write_bytes(data.ljust(pixels_at, b"\0") + mosaic.tobytes())
    return path


def write_tiled_dng(
    path: Path, pixels: np.ndarray, *, tile: int = 64, compressed: bool = True, fields: Iterable[tuple] = ()
) -> list[int]:
    """A DNG of 14 bits in square tiles, as lossless JPEG or as 16 bits each as they are; where each tile begins.
    The tiles come last, in their order. `fields` are further entries: (tag, type, value)."""
    height, width, _ = pixels.shape
    mosaic = mosaic_of(pixels)
    padded = np.pad(mosaic, ((0, -height % tile), (0, -width % tile)), mode="edge")
    tiles = [
        lossless_jpeg(padded[top : top + tile, left : left + tile])
        if compressed
        else padded[top : top + tile, left : left + tile].tobytes()
        for top in range(0, height, tile)
        for left in range(0, width, tile)
    ]
    identity = [(1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1)]

    def entries(places: list[int]) -> list:
        return sorted(
            [
                *[(254, _LONG, [0]), (256, _LONG, [width]), (257, _LONG, [height]), (258, _SHORT, [16])],
                *[(259, _SHORT, [7 if compressed else 1]), (262, _SHORT, [32803]), (271, _ASCII, "ACME")],
                *[(272, _ASCII, "ACME Raw 1"), (277, _SHORT, [1]), (284, _SHORT, [1]), (322, _LONG, [tile])],
                *[(323, _LONG, [tile]), (324, _LONG, places), (325, _LONG, [len(each) for each in tiles])],
                *[(33421, _SHORT, [2, 2]), (33422, _BYTE, [0, 1, 1, 2]), (50706, _BYTE, [1, 4, 0, 0])],
                *[(50707, _BYTE, [1, 1, 0, 0]), (50708, _ASCII, "ACME Raw 1"), (50714, _SHORT, [0])],
                *[(50717, _LONG, [16383]), (50721, _SRATIONAL, identity), (50728, _RATIONAL, [(1, 1)] * 3)],
                *[(50778, _SHORT, [21]), *fields],
            ]
        )

    begins = 8 + len(_directory(entries([0] * len(tiles)), 8))
    places = [begins + sum(len(each) for each in tiles[:number]) for number in range(len(tiles))]
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + _directory(entries(places), 8) + b"".join(tiles))
    return places


def write_linear_dng(
    path: Path, samples: np.ndarray, *, in_planes: bool = False, white: int | None = None, predictor: int | None = None
) -> Path:
    """A DNG of whole colours (height, width, 3), as programs write it, of the samples' own type: whole numbers, or
    floats. With a `predictor` it is one tile of Deflate (3, 34894 and 34895: of floats)."""
    height, width, colours = samples.shape
    data = (samples.transpose(2, 0, 1) if in_planes else samples).tobytes()
    if predictor is not None:
        data = zlib.compress(_predicted(samples, predictor) if predictor in _STEPS else data)
    strips = colours if in_planes else 1
    strip = len(data) // strips
    identity = [(1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1)]

    def first(place: int) -> bytes:
        places = [place + number * strip for number in range(strips)]
        if predictor is None:
            pieces = [(273, _LONG, places), (278, _LONG, [height]), (279, _LONG, [strip] * strips)]
        else:
            pieces = [(317, _SHORT, [predictor]), (322, _LONG, [width]), (323, _LONG, [height])]
            pieces += [(324, _LONG, places), (325, _LONG, [strip])]
        entries = [
            *[(254, _LONG, [0]), (256, _LONG, [width]), (257, _LONG, [height])],
            *[(258, _SHORT, [8 * samples.itemsize] * colours), (259, _SHORT, [1 if predictor is None else 8])],
            *[(262, _SHORT, [34892]), (271, _ASCII, "ACME"), (272, _ASCII, "ACME Raw 1"), (277, _SHORT, [colours])],
            *[(284, _SHORT, [2 if in_planes else 1]), *pieces],
            *[(339, _SHORT, [3 if samples.dtype.kind == "f" else 1] * colours), (50706, _BYTE, [1, 4, 0, 0])],
            *[(50707, _BYTE, [1, 1, 0, 0]), (50708, _ASCII, "ACME Raw 1")],
            *([] if white is None else [(50717, _LONG, [white] * colours)]),
            *[(50721, _SRATIONAL, identity), (50728, _RATIONAL, [(1, 1)] * 3), (50778, _SHORT, [21])],
        ]
        return _directory(sorted(entries), 8)

    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + first(8 + len(first(0))) + data)
    return path


_STEPS = {3: 1, 34894: 2, 34895: 4}
"""How many pixels before it a float is told by, of each predictor of floats."""


def _predicted(samples: np.ndarray, predictor: int) -> bytes:
    """As Adobe's TIFF Technical Note 3 has it: of each row the first bytes of all floats, then the second, …, each as
    its difference from the one before."""
    height, width, colours = samples.shape
    swapped = samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    of_floats = np.frombuffer(swapped, np.uint8).reshape(height, width * colours, samples.itemsize)
    rows = of_floats.transpose(0, 2, 1).reshape(height, -1)
    step = _STEPS[predictor] * colours
    return np.concatenate([rows[:, :step], rows[:, step:] - rows[:, :-step]], axis=1).tobytes()


RAW_KINDS = ("dng", "nef", "arw", "orf", "cr2", "cr3", "rw2", "raf")
"""What `write_raw` can make: all that is taken."""


_TAKEN = [
    *[(33434, _RATIONAL, [(1, 60)]), (33437, _RATIONAL, [(28, 10)]), (34855, _SHORT, [400])],
    *[(36867, _ASCII, "2024:05:06 07:08:09"), (36881, _ASCII, "+09:00"), (37386, _RATIONAL, [(35, 1)])],
    (42036, _ASCII, "ACME 35mm"),
]
"""How ORF, RW2 and CR3 say that they were taken."""


def write_raw(path: Path, kind: str, pixels: np.ndarray) -> Path:
    """A camera RAW of the kind, made as a camera makes it, of an RGGB sensor that saw `pixels` (height, width, 3; 0 to
    1; even sides, the width a multiple of 56). The sensor's data come last."""
    mosaic = mosaic_of(pixels)
    if kind == "dng":
        return write_dng(path, pixels)
    makers = {"nef": _nef, "arw": _arw, "orf": _orf, "cr2": _cr2, "cr3": _cr3, "rw2": _rw2, "raf": _raf}
    path.write_bytes(makers[kind](mosaic))
    return path


def _sensor(mosaic: np.ndarray, *, bits: int, place: int, size: int) -> list:
    """The directory of a sensor's data as TIFF/EP has it."""
    height, width = mosaic.shape
    return [
        *[(254, _LONG, [0]), (256, _LONG, [width]), (257, _LONG, [height]), (258, _SHORT, [bits])],
        *[(259, _SHORT, [1]), (262, _SHORT, [32803]), (273, _LONG, [place]), (277, _SHORT, [1])],
        *[(278, _LONG, [height]), (279, _LONG, [size]), (284, _SHORT, [1]), (33421, _SHORT, [2, 2])],
        (33422, _BYTE, [0, 1, 1, 2]),
    ]


def _below_a_first(mosaic: np.ndarray, make: str, model: str) -> bytes:
    """A TIFF whose first directory names the camera, and whose sub-directory has 14 bits in 16."""

    def first(sub: int) -> bytes:
        named = [(254, _LONG, [1]), (271, _ASCII, make), (272, _ASCII, model), (274, _SHORT, [1]), (330, _LONG, [sub])]
        return _directory(named, 8)

    def sensor(place: int) -> bytes:
        return _directory(_sensor(mosaic, bits=14, place=place, size=mosaic.nbytes), sub)

    sub = 8 + len(first(0))
    place = sub + len(sensor(0))
    return b"II*\0" + struct.pack("<I", 8) + first(sub) + sensor(place) + mosaic.tobytes()


def _nef(mosaic: np.ndarray) -> bytes:
    return _below_a_first(mosaic, "NIKON CORPORATION", "NIKON D9999")


def _arw(mosaic: np.ndarray) -> bytes:
    return _below_a_first(mosaic, "SONY", "ILCE-9999")


def _orf(mosaic: np.ndarray) -> bytes:
    """12 bits, packed into words of 32."""
    height, width = mosaic.shape
    levels = (mosaic >> 2).astype(">u2").view(np.uint8).reshape(height, width, 2)
    bits = np.unpackbits(levels, axis=-1)[..., 4:].reshape(height, -1)
    packed = np.packbits(bits, axis=1).reshape(height, -1, 4)[..., ::-1].tobytes()

    def first(place: int) -> bytes:
        named = [(271, _ASCII, "OLYMPUS IMAGING CORP."), (272, _ASCII, "E-9999")]
        return _with_exif([*_sensor(mosaic, bits=12, place=place, size=len(packed)), *named], 8)

    return b"IIRO" + struct.pack("<I", 8) + first(8 + len(first(0))) + packed


def _cr2(mosaic: np.ndarray) -> bytes:
    """Lossless JPEG of two components, in the second directory of the chain."""
    data = lossless_jpeg(mosaic, components=2)
    named = [(271, _ASCII, "Canon"), (272, _ASCII, "Canon EOS 9999D")]
    second = 16 + len(_directory(named, 16))

    def sensor(place: int) -> bytes:
        return _directory([(259, _SHORT, [6]), (273, _LONG, [place]), (279, _LONG, [len(data)])], second)

    head = b"II*\0" + struct.pack("<I", 16) + b"CR\2\0" + struct.pack("<I", second)
    return head + _directory(named, 16, following=second) + sensor(second + len(sensor(0))) + data


def _cr3(mosaic: np.ndarray) -> bytes:
    """Boxes (ISO/IEC 14496-12), in one of Canon's a TIFF that names the camera, and one sample of lossless CRX."""
    height, width = mosaic.shape
    header, data = _crx(mosaic)
    named = [
        *[(256, _LONG, [width]), (257, _LONG, [height]), (271, _ASCII, "Canon")],
        *[(272, _ASCII, "Canon EOS R9999"), (274, _SHORT, [1])],
    ]
    camera = _box(
        b"uuid",
        bytes.fromhex("85c0b687820f11e08111f4ce462b6a48"),
        _box(b"CNCV", b"CanonCR3_001/00.09.00/00.00.00"),
        _box(b"CMT1", b"II*\0" + struct.pack("<I", 8) + _directory(named, 8)),
        _box(b"CMT2", b"II*\0" + struct.pack("<I", 8) + _directory(_TAKEN, 8)),
    )
    # one tile as large as the picture; 14 bits, four planes from red on, no other encoding and no wavelets
    coded = struct.pack(">4H4I", 0xFFFF, 0x30, 0x100, 0, width, height, width, height)
    coded += struct.pack(">4BI", 14, 4 << 4, 0, 0, len(header)) + bytes(4) + b"\1\1\0\0" * 4
    described = struct.pack(">6xH16xHH46xHhHH", 1, width, height, 24, -1, 1, 1) + _box(b"CMP1", coded)

    def front(place: int) -> bytes:
        table = _box(
            b"stbl",
            _box(b"stsd", struct.pack(">II", 0, 1), _box(b"CRAW", described)),
            _box(b"stsc", struct.pack(">5I", 0, 1, 1, 1, 1)),
            _box(b"stsz", struct.pack(">4I", 0, 0, 1, len(header) + len(data))),
            _box(b"co64", struct.pack(">IIQ", 0, 1, place)),
        )
        track = _box(b"trak", _box(b"mdia", _box(b"hdlr", struct.pack(">8x4s13x", b"vide")), _box(b"minf", table)))
        return _box(b"ftyp", b"crx \0\0\0\1crx isom") + _box(b"moov", camera, track)

    place = len(front(0)) + len(_box(b"mdat"))
    return front(place) + _box(b"mdat", header, data)


def _box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _crx(mosaic: np.ndarray) -> tuple[bytes, bytes]:
    """The headers of a tile, of its four planes and of the one band of each; and the planes."""
    levels = mosaic.astype(int) - (1 << 13)
    planes = [_crx_plane(levels[top::2, left::2]) for top in (0, 1) for left in (0, 1)]
    header = struct.pack(">HHIHH", 0xFF01, 8, sum(len(plane) for plane in planes), 0, 0)
    for number, plane in enumerate(planes):
        header += struct.pack(">HHII", 0xFF02, 8, len(plane), number << 28 | 1 << 27)
        header += struct.pack(">HHII", 0xFF03, 8, len(plane), 0)
    return header, b"".join(planes)


def _crx_plane(levels: np.ndarray) -> bytes:
    """Median prediction, and runs where the neighbours known before are the same, much as JPEG-LS has them
    (ITU-T T.87)."""
    width = levels.shape[1]
    coder = _CrxCoder()
    above = [0] * (width + 1)
    for number, row in enumerate(levels.tolist()):
        line = [above[1], *row]
        column = 1
        while column <= width:
            left = line[column - 1]
            flat = column < width and left == above[column] == above[column + 1]
            if flat:
                ends = next((at for at in range(column, width + 1) if line[at] != left), width + 1)
                coder.run(ends - column, width + 1 - column)
                column = ends
            if column <= width:
                over, corner = above[column], above[column - 1]
                predicted = over if flat else sorted((left, over, left + over - corner))[1]
                step_ahead = abs(above[column + 1] - over) if number and column < width else None
                coder.difference(line[column] - predicted, step_ahead)
            column += 1
        above = line
    return coder.coded()


class _CrxCoder:
    """Golomb-Rice codes with as many plain bits as the codes before called for, and runs in steps that grow."""

    _STEP_BITS = (*[0] * 4, *[1] * 4, *[2] * 4, *[3] * 4, 4, 4, 5, 5, 6, 6, 7, 7, *range(8, 16))
    _ZEROS_MAX, _ESCAPED_BITS, _PLAIN_MAX = 41, 21, 15

    def __init__(self) -> None:
        self._bits: list[str] = []
        self._plain = 0
        self._step = 0

    def difference(self, value: int, step_ahead: int | None) -> None:
        """`step_ahead`: from the line above, how far its next level is from this; None where it has no say."""
        code = 2 * value if value >= 0 else -2 * value - 1
        zeros, rest = divmod(code, 1 << self._plain)
        if zeros >= self._ZEROS_MAX:
            self._bits.append("0" * self._ZEROS_MAX + f"1{code:0{self._ESCAPED_BITS}b}")
        else:
            self._bits.append("0" * zeros + f"{(1 << self._plain) + rest:b}")
        seen = code if step_ahead is None else (code + 2 * step_ahead) // 2
        share = seen >> self._plain
        self._plain += (share > 2) + (share > 5) - (seen < (1 << self._plain) // 2)
        self._plain = min(self._plain, self._PLAIN_MAX)

    def run(self, length: int, left: int) -> None:
        """`left`: how many places the line has from here on; a run to its end is told by steps beyond it."""
        self._bits.append("1" if length else "0")
        done = min(length, 1)
        while 0 < done < left and (length == left or done + (1 << self._STEP_BITS[self._step]) <= length):
            self._bits.append("1")
            done += 1 << self._STEP_BITS[self._step]
            if done <= left:
                self._step = min(self._step + 1, len(self._STEP_BITS) - 1)
        if 0 < done < left:
            bits = self._STEP_BITS[self._step]
            self._bits.append("0" + (f"{length - done:0{bits}b}" if bits else ""))
            self._step = max(self._step - 1, 0)

    def coded(self) -> bytes:
        stream = "".join(self._bits)
        stream += "0" * (-len(stream) % 32)
        return int(stream, 2).to_bytes(len(stream) // 8, "big")


def _rw2(mosaic: np.ndarray) -> bytes:
    height, width = mosaic.shape
    data = _panasonic(mosaic >> 2)

    def first(place: int) -> bytes:
        fields = [
            *[(1, _UNDEFINED, b"0330"), (2, _SHORT, [width]), (3, _SHORT, [height]), (4, _SHORT, [0])],
            *[(5, _SHORT, [0]), (6, _SHORT, [height]), (7, _SHORT, [width]), (9, _SHORT, [1]), (10, _SHORT, [12])],
            *[(11, _SHORT, [34316]), (271, _ASCII, "Panasonic"), (272, _ASCII, "DMC-9999")],
            *[(273, _LONG, [0xFFFFFFFF]), (278, _LONG, [height]), (279, _LONG, [len(data)]), (280, _LONG, [place])],
        ]
        return _with_exif(fields, 24)

    return b"IIU\0" + struct.pack("<I", 24) + bytes(16) + first(24 + len(first(0))) + data


_PANASONIC_BLOCK, _PANASONIC_SPLIT = 0x4000, 0x2008


def _panasonic(levels: np.ndarray) -> bytes:
    """12 bits in groups of 14 pixels: the first two as they are, the others by their upper 8 bits. A block of 16 KB
    is filled from its end, bit by bit, and written with its second part first."""
    blocks: list[bytes] = []
    block, place = bytearray(_PANASONIC_BLOCK + 2), 0

    def put(bits: int, value: int) -> None:
        nonlocal place
        place = (place - bits) % (8 * _PANASONIC_BLOCK)
        at = place >> 3 ^ 0x3FF0
        word = int.from_bytes(block[at : at + 2], "little") | value << (place & 7)
        block[at : at + 2] = (word & 0xFFFF).to_bytes(2, "little")
        if place == 0:
            end()

    def end() -> None:
        blocks.append(bytes(block[_PANASONIC_SPLIT:_PANASONIC_BLOCK] + block[:_PANASONIC_SPLIT]))
        block[:] = bytes(len(block))

    for row in levels.tolist():
        for column, level in enumerate(row):
            if column % 14 % 3 == 2:
                put(2, 3)
            put(8, max(level >> 4, 1))
            if column % 14 < 2:
                put(4, level & 15)
    if place:
        end()
    return b"".join(blocks)


def _raf(mosaic: np.ndarray) -> bytes:
    """A preview, a table of the sensor's sides, and a TIFF of Fuji's own with the data."""
    from PIL import Image

    height, width = mosaic.shape
    exif = Image.Exif()
    exif.endian = "<"
    exif[271], exif[272] = "FUJIFILM", "X-9999"
    preview = io.BytesIO()
    Image.new("RGB", (160, 120), "teal").save(preview, "JPEG", exif=exif)
    table = (
        struct.pack(">I", 2) + struct.pack(">4H", 0x100, 4, height, width) + struct.pack(">2H4B", 0x130, 4, 0, 8, 0, 0)
    )
    named = 8 + len(_directory([(0xF000, _LONG, [0])], 8))

    def sensor(place: int) -> bytes:
        fields = [(0xF001, _LONG, [width]), (0xF002, _LONG, [height]), (0xF003, _LONG, [14])]
        return _directory([*fields, (0xF007, _LONG, [place]), (0xF008, _LONG, [mosaic.nbytes])], named)

    data = b"II*\0" + struct.pack("<I", 8) + _directory([(0xF000, _LONG, [named])], 8)
    data += sensor(named + len(sensor(0))) + mosaic.tobytes()
    parts, at = [], 148
    for part in (preview.getvalue(), table, data):
        parts += [at, len(part)]
        at += len(part)
    head = b"FUJIFILMCCD-RAW 0201FF000000X-9999".ljust(84, b"\0") + struct.pack(">6I", *parts)
    return head.ljust(148, b"\0") + preview.getvalue() + table + data


def mosaic_of(pixels: np.ndarray) -> np.ndarray:
    """What an RGGB sensor of 14 bits sees of (height, width, 3) pixels from 0 to 1."""
    mosaic = np.empty(pixels.shape[:2], dtype="<u2")
    for top, left, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[top::2, left::2] = pixels[top::2, left::2, channel] * 16383
    return mosaic


def lossless_jpeg(samples: np.ndarray, *, components: int = 1) -> bytes:
    """One plane of 16 bits as lossless JPEG (ITU-T T.81, annex H): predictor 1, all categories coded with 5 bits. Of
    several components each has every second, third, … sample of a row."""
    height, width = samples.shape
    bits: list[str] = []
    above = [1 << 15] * components
    for row in samples.tolist():
        before = list(above)
        for column, sample in enumerate(row):
            difference = ((sample - before[column % components] + (1 << 15)) & 0xFFFF) - (1 << 15)
            size = abs(difference).bit_length()
            bits.append(f"{size:05b}")
            if 0 < size < 16:
                bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
            before[column % components] = sample
        above = row[:components]
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    frame = b"".join(bytes([number, 0x11, 0]) for number in range(components))
    scan = b"".join(bytes([number, 0]) for number in range(components))
    return (
        b"\xff\xd8"
        + _segment(0xC4, table)
        + _segment(0xC3, struct.pack(">BHHB", 16, height, width // components, components) + frame)
        + _segment(0xDA, bytes([components]) + scan + bytes([1, 0, 0]))
        + data
        + b"\xff\xd9"
    )


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _directory(entries: list, at: int, *, following: int = 0) -> bytes:
    """A TIFF directory that lies at `at`, its long values behind it."""
    table, tail = b"", b""
    tail_at = at + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        data, count = _value(kind, value)
        if len(data) > 4:
            table += struct.pack("<HHII", tag, kind, count, tail_at + len(tail))
            tail += data + bytes(len(data) % 2)
        else:
            table += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", following) + tail


def _with_exif(entries: list, at: int) -> bytes:
    """The directory with one of EXIF's own behind it."""
    behind = at + len(_directory([*entries, (34665, _LONG, [0])], at))
    return _directory(sorted([*entries, (34665, _LONG, [behind])]), at) + _directory(_TAKEN, behind)


def _value(kind: int, value: str | bytes | list) -> tuple[bytes, int]:
    if isinstance(value, bytes):
        return value, len(value)
    if isinstance(value, str):
        return value.encode() + b"\0", len(value) + 1
    if kind in {_RATIONAL, _SRATIONAL}:
        return b"".join(struct.pack("<ii", *pair) for pair in value), len(value)
    return struct.pack(f"<{len(value)}{_CODES[kind]}", *value), len(value)
