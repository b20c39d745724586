"""A file as a decoder is to see it: some of its bytes are others than those that stand in it."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, BinaryIO


class Corrected:
    """An open file, handed out to libvips with `instead`: what it is given from which places on."""

    def __init__(self, file: BinaryIO, instead: Mapping[int, bytes]) -> None:
        self._file = file
        self._instead = sorted(instead.items())
        self._longest = max(map(len, instead.values()), default=0)
        self._size = file.seek(0, os.SEEK_END)
        self._at = 0
        self._kept: list[Any] = []

    def source(self, vips: Any) -> Any:
        """The file from its beginning."""
        source = vips.SourceCustom()
        source.on_read(self._read)
        source.on_seek(self._seek)
        self._kept.append(source)  # libvips does not keep what answers it
        return source

    def release(self) -> None:
        """Once nothing reads any more. What libvips calls back is held where no collector of garbage looks."""
        self._kept.clear()

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

    def _seek(self, offset: int, whence: int) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            return -1
        self._at = at
        return at
