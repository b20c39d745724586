"""A file as a decoder is to see it: some of its bytes are others than those that stand in it."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Mapping
from typing import BinaryIO

from imagemarket.imaging.handed_out import HandedOut


class Corrected(HandedOut):
    """An open file, handed out to libvips with `instead`: what it is given from which places on."""

    def __init__(self, file: BinaryIO, instead: Mapping[int, bytes]) -> None:
        self._file = file
        self._instead = sorted(instead.items())
        self._longest = max(map(len, instead.values()), default=0)
        super().__init__(file.seek(0, os.SEEK_END))

    def _read(self, most: int) -> bytes:
        self._file.seek(self._at)
        data = bytearray(self._file.read(most))
        first = bisect_left(self._instead, (self._at - self._longest, b""))
        behind = bisect_left(self._instead, (self._at + len(data), b""))
        for place, right in self._instead[first:behind]:
            begin, end = max(place, self._at), min(place + len(right), self._at + len(data))
            if begin < end:
                data[begin - self._at : end - self._at] = right[begin - place : end - place]
        self._at += len(data)
        return bytes(data)
