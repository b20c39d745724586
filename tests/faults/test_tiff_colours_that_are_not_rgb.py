"""A TIFF in colours other than RGB looks as it should, or is refused by a sentence that names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagemarket.imaging.decoding import decode
from imagemarket.imaging.errors import UnsupportedFormat


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cielab-8bit.tif", "CIELAB of 8-bit whole numbers"),
        ("icclab-8bit.tif", "ICCLAB of 8-bit whole numbers"),
        ("cmyk-float.tif", "inks of 32-bit floats"),
    ],
)
def test_each_is_refused_by_name_and_says_what_to_do(folder: Path, name: str, said: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"colours are {said}; save it as RGB"):
        decode(folder / name)
