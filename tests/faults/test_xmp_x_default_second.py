"""Of a title in several languages the default is taken, wherever it stands."""

from __future__ import annotations

from pathlib import Path

from imagemarket.imaging.metadata import read_description


def test_the_default_is_taken(folder: Path) -> None:
    assert read_description(folder / "two-languages.jpg").title == "Kayak on a mountain lake"
