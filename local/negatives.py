"""A camera's negative made by hand: real RAW files are too large to keep beside the tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SRATIONAL = 1, 2, 3, 4, 5, 10
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


def mosaic_of(pixels: np.ndarray) -> np.ndarray:
    """What an RGGB sensor of 14 bits sees of (height, width, 3) pixels from 0 to 1."""
    mosaic = np.empty(pixels.shape[:2], dtype="<u2")
    for top, left, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[top::2, left::2] = pixels[top::2, left::2, channel] * 16383
    return mosaic


def lossless_jpeg(samples: np.ndarray) -> bytes:
    """One plane of 16 bits as lossless JPEG (ITU-T T.81, annex H): predictor 1, all categories coded with 5 bits."""
    height, width = samples.shape
    bits: list[str] = []
    above = 1 << 15
    for row in samples.tolist():
        before = above
        for sample in row:
            difference = ((sample - before + (1 << 15)) & 0xFFFF) - (1 << 15)
            size = abs(difference).bit_length()
            bits.append(f"{size:05b}")
            if 0 < size < 16:
                bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
            before = sample
        above = row[0]
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    return (
        b"\xff\xd8"
        + _segment(0xC4, table)
        + _segment(0xC3, struct.pack(">BHHB3B", 16, height, width, 1, 0, 0x11, 0))
        + _segment(0xDA, bytes([1, 0, 0, 1, 0, 0]))
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


def _value(kind: int, value: str | bytes | list) -> tuple[bytes, int]:
    if isinstance(value, bytes):
        return value, len(value)
    if isinstance(value, str):
        return value.encode() + b"\0", len(value) + 1
    if kind in {_RATIONAL, _SRATIONAL}:
        return b"".join(struct.pack("<ii", *pair) for pair in value), len(value)
    return struct.pack(f"<{len(value)}{_CODES[kind]}", *value), len(value)
