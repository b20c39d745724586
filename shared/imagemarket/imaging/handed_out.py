"""What libvips reads a file by where it is given other bytes than those that stand in it."""

from __future__ import annotations

import os
from typing import Any


class HandedOut:
    """Bytes handed out to libvips, `size` of them; a subclass reads them."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0
        self._kept: list[Any] = []

    def source(self, vips: Any) -> Any:
        """The bytes from their beginning; a source of before is read no further."""
        self._at = 0
        source = vips.SourceCustom()
        source.on_read(self._read)
        source.on_seek(self._seek)
        self._kept.append(source)  # libvips does not keep what answers it
        return source

    def release(self) -> None:
        """Once nothing reads any more. What libvips calls back is held where no collector of garbage looks."""
        self._kept.clear()

    def _read(self, most: int) -> bytes:
        """Some of the bytes from `_at` on, which it moves behind them; none at the end."""
        raise NotImplementedError

    def _seek(self, offset: int, whence: int) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            return -1
        self._at = at
        return at
