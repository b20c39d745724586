"""What a file is, from its bytes alone; names and declared types are not asked."""

from __future__ import annotations

from typing import BinaryIO

from imagemarket.imaging.errors import UnreadableImage
from imagemarket.imaging.headers import TiffDirectory

RAW_FORMATS = frozenset({"dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf"})

_HEAD_BYTES = 64


def sniff(file: BinaryIO) -> str | None:
    """jpeg, png, tiff or one of `RAW_FORMATS`; None for anything else."""
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
    if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        if head[2:4] in {b"*\0", b"\0*"} and head[8:10] == b"CR":
            return "cr2"
        try:
            return TiffDirectory(file).raw_format() or "tiff"
        except UnreadableImage:
            return "tiff"  # the decoder says what is wrong with it
    return None
