"""Of a title in several languages the default is taken, wherever it stands."""

from __future__ import annotations

from pathlib import Path

from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.metadata import read_description


def test_the_default_is_taken(folder: Path) -> None:
    picture = folder / "two-languages.jpg"
    for found in (read_description(picture), inspect(picture).described):
        assert found.title == "Kayak on a mountain lake"
