"""The contact sheet: a page of what would become of a folder's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imagemarket.cli.app import app
from imagemarket.cli.client import CliError
from local.pictures import paint_landscape


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "pictures"
    (inside / "deeper").mkdir(parents=True)
    paint_landscape(inside / "a landscape.jpg", seed=1, size=(900, 600))
    Image.new("RGBA", (400, 300), (200, 30, 30, 128)).save(inside / "deeper" / "see-through.png")
    (inside / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (inside / "notes.txt").write_text("no picture")
    (inside / ".hidden.jpg").write_bytes(b"")
    return inside


def test_every_file_is_on_it(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    done = CliRunner().invoke(app, ["contact-sheet", str(folder), "-o", str(output), "--columns", "1"])
    assert done.exit_code == 0, done.output
    assert "4 files, 2 accepted, 2 refused" in done.output
    with Image.open(output) as page:
        pixels = np.asarray(page.convert("RGB")).astype(int)
    assert pixels.shape[0] > 500  # two rows of pictures and the words between them
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 60)
    assert red.any()  # a refusal's words
    pinkish = (abs(pixels - (227, 142, 142)) < 12).all(axis=2)  # the see-through red on the preview's white
    assert pinkish.sum() > 10_000


def test_more_than_a_page_becomes_several(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.jpg"
    done = CliRunner().invoke(app, ["contact-sheet", str(folder), "-o", str(output), "--columns", "1", "--rows", "3"])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["sheet-2.jpg", "sheet.jpg"]


@pytest.mark.parametrize(("argument", "output"), [("nowhere", "a.jpg"), (".", "a.gif")])
def test_what_cannot_be_done_is_said(tmp_path: Path, argument: str, output: str) -> None:
    done = CliRunner().invoke(app, ["contact-sheet", str(tmp_path / argument), "-o", str(tmp_path / output)])
    assert isinstance(done.exception, CliError)
    empty = CliRunner().invoke(app, ["contact-sheet", str(tmp_path), "-o", str(tmp_path / "a.jpg")])
    assert "no files" in str(empty.exception)
