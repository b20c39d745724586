"""A RAW that ends before its data is refused, and shows nothing of the picture that was decoded before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagemarket.imaging.decoding import decode
from imagemarket.imaging.errors import UnreadableImage
from imagemarket.imaging.sandbox import Inspector


def test_what_ends_before_its_data_is_refused_after_anothers_picture(folder: Path) -> None:
    with Inspector() as inspector:
        assert inspector.inspect(folder / "victim.dng").width == 1280
        for name in ("attacker.dng", "cut.rw2"):
            decode(folder / "victim.dng")  # in this process too
            for look in (decode, inspector.inspect):
                with pytest.raises(UnreadableImage, match="beyond its end: it is damaged or cut short"):
                    look(folder / name)


def test_the_whole_one_is_right_and_none_of_its_cuts_is(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "whole.dng").read_bytes()
    decoded = decode(folder / "whole.dng")
    assert (decoded.width, decoded.height) == (256, 192)
    for at in range(200, len(whole), 1500):
        (tmp_path / "cut.dng").write_bytes(whole[:at])
        with pytest.raises(UnreadableImage):
            decode(tmp_path / "cut.dng")
