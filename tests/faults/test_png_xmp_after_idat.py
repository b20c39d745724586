"""XMP behind a PNG's pixels is read like XMP before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.metadata import read_description


@pytest.mark.parametrize("name", ["before.png", "after.png"])
def test_it_is_read_wherever_it_stands(folder: Path, name: str) -> None:
    for found in (read_description(folder / name), inspect(folder / name).described):
        assert (found.title, found.keywords) == ("Tree in autumn", ("tree", "autumn"))
