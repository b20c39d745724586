"""The benchmark of memory measures the step itself, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.imaging_memory import measured
from tests.unit.imaging.colour import swatches


def test_the_function_and_its_decoder_are_measured_apart(tmp_path: Path) -> None:
    from PIL import Image

    picture, refused = tmp_path / "picture.png", tmp_path / "refused.gif"
    Image.fromarray(swatches(channels=3, seed=1, size=(480, 320))).save(picture)
    Image.new("L", (480, 320)).save(refused)
    found = measured(picture)
    assert found["said"] == "png, 480 x 320"
    assert 40 < found["function"] < 150
    assert 40 < found["decoder"] < 150
    assert measured(refused)["said"] == "unsupported-format"
