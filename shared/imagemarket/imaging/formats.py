"""What a file is, from its bytes alone; names and declared types are not asked."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

RAW_FORMATS = frozenset({"dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf"})

_HEAD_BYTES = 64
_IFD_ENTRIES_MAX = 512
_PNG_CHUNKS_MAX = 10_000
_TAG_MAKE = 0x010F
_TAG_SUB_IFDS = 0x014A
_TAG_DNG_VERSION = 0xC612
_MAKERS = {b"NIKON": "nef", b"SONY": "arw"}


def sniff(path: Path) -> str | None:
    """jpeg, png, tiff or one of `RAW_FORMATS`; None for anything else."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(b"\xff\xd8\xff"):
            return "jpeg"
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return "png"
        if head.startswith(b"FUJIFILMCCD-RAW"):
            return "raf"
        if head[4:12] == b"ftypcrx ":
            return "cr3"
        if head[:4] in {b"IIRO", b"IIRS", b"MMOR"}:
            return "orf"
        if head[:4] == b"IIU\0":
            return "rw2"
        if head[:4] in {b"II*\0", b"MM\0*"}:
            return "cr2" if head[8:10] == b"CR" else _sniff_tiff(file, head)
        if head[:4] in {b"II+\0", b"MM\0+"}:
            return "tiff"
    return None


def _sniff_tiff(file: BinaryIO, head: bytes) -> str:
    """DNG, NEF and ARW are TIFF files; their first directory tells them apart."""
    order = "<" if head[:2] == b"II" else ">"
    try:
        tags = _first_directory(file, order, struct.unpack(f"{order}I", head[4:8])[0])
        if _TAG_DNG_VERSION in tags:
            return "dng"
        if _TAG_SUB_IFDS in tags and _TAG_MAKE in tags:
            _, count, value = tags[_TAG_MAKE]
            file.seek(struct.unpack(f"{order}I", value)[0])
            maker = file.read(min(count, 32)).upper()
            return next((name for prefix, name in _MAKERS.items() if maker.startswith(prefix)), "tiff")
    except (struct.error, OSError):
        pass  # a broken directory: the decoder says so in its own words
    return "tiff"


def _first_directory(file: BinaryIO, order: str, offset: int) -> dict[int, tuple[int, int, bytes]]:
    file.seek(offset)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    entries = file.read(12 * min(count, _IFD_ENTRIES_MAX))
    return {
        tag: (kind, number, value)
        for tag, kind, number, value in struct.iter_unpack(f"{order}HHI4s", entries[: len(entries) // 12 * 12])
    }


def is_animated_png(path: Path) -> bool:
    """Whether a PNG announces further frames before its pixels."""
    with path.open("rb") as file:
        file.seek(8)
        for _ in range(_PNG_CHUNKS_MAX):
            header = file.read(8)
            if len(header) < 8 or header[4:] == b"IDAT":
                break
            if header[4:] == b"acTL":
                return True
            file.seek(int.from_bytes(header[:4], "big") + 4, 1)
    return False
