"""A list of corrections that corrects nothing does not make LibRaw show its stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagemarket.imaging.errors import UnreadableImage
from imagemarket.imaging.sandbox import Inspector


def test_an_empty_list_is_refused_and_the_same_picture_without_it_is_always_the_same(folder: Path) -> None:
    with Inspector() as inspector:
        with pytest.raises(UnreadableImage, match="OpcodeList2 has 0 opcodes"):
            inspector.inspect(folder / "stack-memory.dng")
        masters = {inspector.inspect(folder / "same-without-the-tag.dng").master for _ in range(2)}
    assert len(masters) == 1
