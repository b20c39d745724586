"""A thumbnail in the first directory is not the picture."""

from __future__ import annotations

from pathlib import Path

from imagemarket.imaging.inspection import inspect


def test_the_picture_behind_the_thumbnail_is_taken(folder: Path) -> None:
    found = inspect(folder / "thumbnail-first.tif")
    assert (found.width, found.height) == (640, 480)
