"""A picture of one pixel's width is refused with the limit named, and not tried for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagemarket.imaging.errors import ImageTooNarrow
from imagemarket.imaging.inspection import inspect


def test_a_line_is_refused_with_the_limit_named(folder: Path) -> None:
    with pytest.raises(ImageTooNarrow, match="1 by 30000 pixels; its longer side may be 100 times the shorter"):
        inspect(folder / "1x30000.jpg")
