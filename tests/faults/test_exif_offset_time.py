"""A time of exposure has the time zone that its file names."""

from __future__ import annotations

from pathlib import Path

from imagemarket.imaging.inspection import inspect


def test_the_distance_from_utc_is_kept(folder: Path) -> None:
    technical = inspect(folder / "tokyo.jpg").technical
    assert technical.model_dump(mode="json")["taken_at"] == "2024-05-01T12:00:00+09:00"
