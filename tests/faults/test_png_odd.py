"""PNGs that are not plain are right, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagemarket.imaging.errors import UnsupportedFormat
from imagemarket.imaging.inspection import inspect


def test_an_animation_of_one_frame_is_accepted(folder: Path) -> None:
    assert inspect(folder / "apng-of-one-frame.png").format == "png"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cgbi.png", "It is a PNG made for iPhones by Xcode; save it as a plain PNG"),
        ("hdr-pq-cicp.png", r"colours are HDR \(PQ\)"),
    ],
)
def test_what_is_not_taken_is_refused_by_name(folder: Path, name: str, said: str) -> None:
    with pytest.raises(UnsupportedFormat, match=said):
        inspect(folder / name)
