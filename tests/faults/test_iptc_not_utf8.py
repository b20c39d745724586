"""IPTC in Latin-1 or Windows' Latin is read as it was meant."""

from __future__ import annotations

from pathlib import Path

from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.metadata import read_description


def test_latin_1_is_read(folder: Path) -> None:
    for found in (read_description(folder / "latin1.jpg"), inspect(folder / "latin1.jpg").described):
        assert found.title == "Café in Zürich"
        assert [keyword.lower() for keyword in found.keywords] == ["straße"]  # as tags are published
        assert found.description == "Ein schöner Tag"


def test_declared_utf_8_is_read(folder: Path) -> None:
    assert read_description(folder / "utf8-declared.jpg").title == "Café in Zürich"
    assert inspect(folder / "utf8-declared.jpg").described.title == "Café in Zürich"
