"""What a decoder is given of a JPEG, so that nothing that it says of damage is missed, and nothing harmless is said.

libjpeg decodes any scan to a picture: where data is missing or means nothing, it warns once and paints on. libvips
counts these warnings, shows the first, and looks no further once the last row is there. So the decoder gets a head that
gives no cause for a warning; then each one is damage. Of the one scan of a plain JPEG the last bytes are handed out
singly, so that it is known whether the picture took them all. Of several scans libjpeg reads each to its end itself,
and whether all are there is found by their headers (ITU-T T.81, B.2.3 and G.1). Where it says that bytes were left over
behind one, and they are a few zeros, the JPEG is handed out once more without them: they are padding.
"""

from __future__ import annotations

import os
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, BinaryIO

from imagemarket.imaging.errors import UnreadableImage
from imagemarket.imaging.handed_out import HandedOut

_START_OF_SCAN, _END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
"""Within a scan: what is neither a stuffed 0xFF nor a restart."""
_SCANS_MAX = 10_000
_STEP = 1 << 20
_SINGLY = 64
"""Bytes before a scan's end: libjpeg reads eight ahead."""
_PADDING, _PADDING_OF_ZEROS = 2, 16
"""Some files bring their scan to an even length, or one that divides by more, with zeros before a marker."""
_LEFT_OVER = re.compile(rb"VipsJpeg: Corrupt JPEG data: (\d{1,9}) extraneous bytes before marker")
_COEFFICIENTS = 64
_ZEROS = bytes(48)


@dataclass(frozen=True)
class JpegParts:
    """A JPEG's head without what decoders would warn of, and what is to be known of the scans behind it."""

    head: bytes
    """Up to the data of the first scan."""
    scan_at: int
    """Where that data lies in the file."""
    scan: bytes
    """That scan's header, without its length."""
    components: frozenset[int]
    """By the numbers that scans name them by."""
    progressive: bool
    several_scans: bool
    may_hold_zeros: bool
    """Whether many zero bytes in a row can be a picture's: where zeros are the codes of what does not change, or scans
    hold more than codes."""
    rows_at_once: int
    """Of pixels that are decoded together."""


class JpegStream(HandedOut):
    """The parts of a JPEG in an open file, handed out to libvips."""

    def __init__(self, file: BinaryIO, parts: JpegParts, padding: Mapping[int, int] | None = None) -> None:
        """`padding` is how many bytes are left out before which markers, by their places in the file."""
        self._file, self._parts = file, parts
        size = file.seek(0, os.SEEK_END)
        super().__init__(len(parts.head) + size - parts.scan_at)
        self._pieces, self._places = [(parts.scan_at, size)], [len(parts.head)]
        """Of the file, what is handed out behind the head, and where each begins as it is handed out."""
        self._vips: Any = None
        self.left_over: tuple[int, int] | None = None
        """Before which marker the decoder found bytes of no use, which are zeros, and how many."""
        if parts.several_scans:
            try:
                _check_scans(file, parts)
            except struct.error as error:
                raise UnreadableImage("The JPEG ends within the header of a scan.") from error
            self._single: int | None = None
            self._padding = 0
            self._divide(size, padding or {})
        else:
            end = _next_marker(file, parts.scan_at)
            self._single = self._size if end is None else len(parts.head) + end - parts.scan_at
            """The end of the only scan, as it is handed out."""
            self._padding = _PADDING if end is None else _PADDING_OF_ZEROS
            if not parts.may_hold_zeros and _has_zeros(file, parts.scan_at, end or size):
                raise UnreadableImage("The JPEG is damaged: there are zeros in place of a part of its picture.")

    def source(self, vips: Any) -> Any:
        self._vips = vips
        return super().source(vips)

    def check_used(self) -> None:
        """Raises `UnreadableImage` where a picture that is decoded to its last row left data of its scan over."""
        if self._single is None or self._single - self._at <= _PADDING:
            return
        left = self._single - self._at
        self._file.seek(self._parts.scan_at + self._at - len(self._parts.head))
        if left > self._padding or any(self._file.read(left)):
            raise UnreadableImage("The JPEG is damaged: its picture is complete before its data ends.")

    def _read(self, most: int) -> bytes:
        at, head = self._at, self._parts.head
        if at < len(head):
            data = head[at : at + most]
        else:
            if self._single is not None and at < self._single:
                most = max(1, min(most, self._single - _SINGLY - at))
            place = bisect_right(self._places, at) - 1
            begin, end = self._pieces[place]
            if at == self._places[place] and self.finds_padding():
                return b""  # no more is wanted of it
            begin += at - self._places[place]
            self._file.seek(begin)
            data = self._file.read(max(0, min(most, end - begin)))
        self._at += len(data)
        return data

    def _divide(self, size: int, padding: Mapping[int, int]) -> None:
        """Into pieces that end with a marker, so that nothing behind it is handed out before the decoder has said what
        it found before it."""
        pieces, at = list[tuple[int, int]](), self._parts.scan_at
        for gap in _gaps(self._file, at):
            pieces += [(at, gap.end - padding.get(gap.end, 0)), (gap.end, gap.behind)]
            at = gap.behind
        self._pieces = [*pieces, (at, size)]
        *self._places, self._size = accumulate((end - begin for begin, end in self._pieces), initial=self._places[0])

    def finds_padding(self) -> bool:
        """Whether the first that the decoder warned of are zeros before the marker that it has come to."""
        place = bisect_right(self._places, self._at) - 1
        if self.left_over is not None or self._single is not None or place < 1:
            return self.left_over is not None
        marker_at = self._pieces[place - 1][0]
        told = _LEFT_OVER.search(self._vips.ffi.string(self._vips.vips_lib.vips_error_buffer()))
        if told is None or int(told[1]) > _PADDING_OF_ZEROS:
            return False
        self._file.seek(marker_at - int(told[1]))
        if any(self._file.read(int(told[1]))):
            return False
        self.left_over = marker_at, int(told[1])
        return True


def _next_marker(file: BinaryIO, at: int) -> int | None:
    """Where the first marker from there on lies that ends a scan; None where there is none."""
    file.seek(at)
    open_end = b""
    while piece := file.read(_STEP):
        data = open_end + piece
        if found := _MARKER.search(data):
            return at + found.start()
        open_end = data[len(data.rstrip(b"\xff")) :]
        at += len(data) - len(open_end)
    return None


def _has_zeros(file: BinaryIO, at: int, end: int) -> bool:
    """Whether there are more zeros between these places than any picture has whose codes of zeros are for changes: a
    block whose every coefficient is the same takes less."""
    file.seek(at)
    before = b""
    while piece := file.read(min(_STEP, end - at)):
        at += len(piece)
        if _ZEROS in before + piece:
            return True
        before = piece[1 - len(_ZEROS) :]
    return False


@dataclass(frozen=True)
class _Gap:
    """What lies between two segments, a scan's data or nothing, and the segment behind it."""

    end: int
    """Where its marker begins."""
    behind: int
    """Where that ends."""
    scan: bytes | None
    """The header of the scan that it begins, without its length; None where it is another one."""


def _gaps(file: BinaryIO, at: int) -> Iterator[_Gap]:
    """From the data of the first scan on, as far as the JPEG's end."""
    for _ in range(_SCANS_MAX):
        end = _next_marker(file, at)
        if end is None:
            return
        file.seek(end)
        marker = file.read(1)
        while marker == b"\xff":
            marker = file.read(1)
        behind = file.tell()
        if marker == bytes([_END]):
            yield _Gap(end, behind, None)
            return
        (length,) = struct.unpack(">H", file.read(2))
        yield _Gap(end, behind, file.read(length - 2) if marker == bytes([_START_OF_SCAN]) else None)
        at = behind + length


def _check_scans(file: BinaryIO, parts: JpegParts) -> None:
    """Every bit of every coefficient of every component comes in some scan."""
    missing = {component: [_COEFFICIENTS] * _COEFFICIENTS for component in parts.components}
    behind = (gap.scan for gap in _gaps(file, parts.scan_at) if gap.scan is not None)
    for header in chain([parts.scan], behind):
        if not header or len(header) < 4 + 2 * header[0]:
            raise UnreadableImage("A scan of the JPEG has no header: it is damaged or cut short.")
        named = header[1 : 1 + 2 * header[0] : 2]
        first, last, precision = header[1 + 2 * header[0] :][:3] if parts.progressive else (0, _COEFFICIENTS - 1, 0)
        for component in missing.keys() & set(named):
            for coefficient in range(first, min(last + 1, _COEFFICIENTS)):
                missing[component][coefficient] = precision & 15
    if any(map(any, missing.values())):
        raise UnreadableImage(
            "The JPEG comes in several scans, and not all that it takes to show it whole are there: it is cut short."
        )
