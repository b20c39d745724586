"""Whether zeros stand in place of what a sensor saw: a copy that was interrupted, or a download that had only set its
room aside, has its whole size, and LibRaw shows zeros as black or as colours of chance.

A sensor's levels do not end in zeros: they lie about a level of black, and where a camera cuts them off at 0 there is
noise in what is dark. Codes of them do not hold many zeros, unless zeros are the code of what does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from imagemarket.imaging.errors import UnreadableImage

_STEP = 1 << 20
_TAIL, _TAIL_PART = 4096, 100
"""Where both are reached, bytes and the part of all: cameras fill their last block, and some the sensor's edge."""
_RUN = bytes(4096)
_SECTOR = 512
_HEAD = 4096
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_LOSSLESS, _HUFFMAN_TABLE, _SCAN = 0xC3, 0xC4, 0xDA
_ZEROS = "The RAW file is damaged: there are zeros in place of a part of its picture."


def check_end(file: BinaryIO, pieces: Sequence[tuple[int, int]]) -> None:
    """Raises `UnreadableImage` where the data, as (place, length) in any order, end in zeros over a part of them that
    none has seen."""
    most = max(_TAIL, sum(length for _, length in pieces) // _TAIL_PART)
    zeros = 0
    for place, length in sorted(pieces, reverse=True):
        found = _zeros_before(file, place, place + length, most - zeros)
        zeros += found
        if zeros >= most:
            raise UnreadableImage(_ZEROS)
        if found < length:
            return


def check_runs(file: BinaryIO, place: int, length: int) -> None:
    """Raises `UnreadableImage` where codes of which none is of zeros alone hold a long run of them."""
    file.seek(place)
    before, left = b"", length
    while left > 0 and (piece := file.read(min(_STEP, left))):
        left -= len(piece)
        if _RUN in before + piece:
            raise UnreadableImage(_ZEROS)
        before = piece[1 - len(_RUN) :]


def check_jpeg(file: BinaryIO, place: int, length: int) -> None:
    """Raises `UnreadableImage` where zeros stand in place of a JPEG's beginning or end, or, where zeros are no code of
    what does not change, anywhere within it. Behind its end they are padding."""
    file.seek(place)
    head = file.read(min(_HEAD, length))
    zeros = _zeros_before(file, place, place + length, length)
    end = place + length - zeros
    file.seek(max(place, end - len(_JPEG_END)))
    ended = file.read(end - file.tell()) == _JPEG_END
    most = min(_TAIL, max(_SECTOR, length // 2))
    if (zeros >= most and not ended) or (len(head) >= _SECTOR and not any(head[:_SECTOR])):
        raise UnreadableImage(_ZEROS)
    if not _may_hold_zeros(head):
        check_runs(file, place, end - place)


def _may_hold_zeros(head: bytes) -> bool:
    """Whether a lossless JPEG's code of zeros alone, the first of a table (ITU-T T.81, annex C), is of a difference of
    none; of other JPEGs, and where it cannot be told, too."""
    at, lossless, firsts = len(_JPEG), False, list[int]()
    while head[at : at + 1] == b"\xff" and at + 4 <= len(head):
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        body = head[at + 4 : at + 2 + length]
        if marker == _SCAN:
            return not lossless or 0 in firsts
        lossless |= marker == _LOSSLESS
        while marker == _HUFFMAN_TABLE and len(body) > 17:
            firsts.append(body[17])
            body = body[17 + sum(body[1:17]) :]
        at += 2 + length
    return True


def _zeros_before(file: BinaryIO, place: int, end: int, most: int) -> int:
    """How many zeros there are before the end, up to about so many."""
    at = end
    while at > place and end - at < most:
        begin = max(place, at - _STEP)
        file.seek(begin)
        data = file.read(at - begin)
        rest = len(data.rstrip(b"\0"))
        at = begin + rest
        if rest:
            break
    return end - at
