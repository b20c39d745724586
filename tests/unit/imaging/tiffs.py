"""TIFF files field by field: of layouts that no library at hand writes, and of lies."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 8: "h", 9: "i", 12: "d", 16: "Q"}


def write_tiff(
    path: Path,
    pixels: np.ndarray,
    *,
    bits: int = 8,
    photometric: int | None = None,
    planar: int = 1,
    rows_per_strip: int = 16,
    fields: dict[int, tuple[int, list[int]]] | None = None,
    next_directory: int = 0,
    tile: int | None = None,
    moved: int = 0,
) -> Path:
    """An uncompressed little-endian TIFF, in strips or in square tiles; `fields` adds entries or replaces them by
    tag. Of 12 bits the samples are not packed. `moved` is added to where the directory's own long values lie."""
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    planes = [pixels[..., channel] for channel in range(samples)] if planar == 2 else [pixels]
    if tile is None:
        pieces = [plane[top : top + rows_per_strip] for plane in planes for top in range(0, height, rows_per_strip)]
    else:
        padded = [
            np.pad(each, ((0, -height % tile), (0, -width % tile), *[(0, 0)] * (each.ndim - 2))) for each in planes
        ]
        pieces = [
            plane[top : top + tile, left : left + tile]
            for plane in padded
            for top in range(0, height, tile)
            for left in range(0, width, tile)
        ]
    strips = [_packed(piece, bits) for piece in pieces]
    places = np.cumsum([8, *(len(strip) for strip in strips)])
    entries: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * samples),
        259: (3, [1]),
        262: (3, [photometric if photometric is not None else (2 if samples >= 3 else 1)]),
        (273 if tile is None else 324): (4, places[:-1].tolist()),
        277: (3, [samples]),
        (279 if tile is None else 325): (4, [len(strip) for strip in strips]),
        284: (3, [planar]),
        **({278: (4, [rows_per_strip])} if tile is None else {322: (3, [tile]), 323: (3, [tile])}),
        **(fields or {}),
    }
    at = int(places[-1]) + int(places[-1]) % 2
    path.write_bytes(
        (b"II*\0" + struct.pack("<I", at) + b"".join(strips)).ljust(at, b"\0")
        + _directory(entries, at + moved, next_directory)
    )
    return path


def _packed(rows: np.ndarray, bits: int) -> bytes:
    if bits >= 8:
        return rows.tobytes()
    unpacked = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    return np.packbits(unpacked.reshape(rows.shape[0], -1), axis=1).tobytes()


def _directory(entries: dict[int, tuple[int, list[int]]], at: int, next_directory: int) -> bytes:
    table, tail = b"", b""
    tail_at = at + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        data = struct.pack(f"<{len(values)}{_CODES[kind]}", *values)
        if len(data) > 4:
            table += struct.pack("<HHII", tag, kind, len(values), tail_at + len(tail))
            tail += data + bytes(len(data) % 2)
        else:
            table += struct.pack("<HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", next_directory) + tail
