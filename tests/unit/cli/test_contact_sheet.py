"""The contact sheet: a page of what would become of a folder's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imagemarket.cli import contact_sheet
from imagemarket.cli.app import app
from imagemarket.cli.client import CliError
from imagemarket.imaging import sandbox
from imagemarket.imaging.models import Inspection
from imagemarket.imaging.sandbox import DecoderError, Inspector
from imagemarket.platform.errors import DependencyUnavailable
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


class _Inspector:
    """Fails on some files, each in a way of its own."""

    TROUBLE: ClassVar[dict[str, Exception]] = {
        "library.jpg": DecoderError("RuntimeError decoding.py:12"),
        "denied.jpg": PermissionError(13, "Permission denied"),
        "away.jpg": DependencyUnavailable("The decoder's process did not start."),
        "memory.jpg": MemoryError(),
    }

    def __init__(self) -> None:
        self._real = Inspector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def inspect(self, path: Path) -> Inspection:
        if path.name in self.TROUBLE:
            raise self.TROUBLE[path.name]
        return self._real.inspect(path)


def test_whatever_one_file_does_the_others_have_their_cells(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _Inspector.TROUBLE:
        (folder / name).write_bytes(b"something")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "lost.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "round.jpg").symlink_to(folder / "round.jpg")
    told: dict[str, str] = {}
    monkeypatch.setattr(sandbox, "Inspector", _Inspector)
    monkeypatch.setattr(contact_sheet, "_pages", lambda cells, **_: told.update({c.name: c.told for c in cells}) or [])
    done = CliRunner().invoke(app, ["contact-sheet", str(folder), "-o", str(tmp_path / "sheet.png")])
    assert done.exit_code == 0, done.output
    assert "11 files, 2 accepted, 9 refused" in done.output
    assert told["library.jpg"].startswith("refused, it cannot be processed, which is a bug of ours: DecoderError")
    assert told["denied.jpg"] == "refused, it cannot be read (Permission denied)"
    assert "The decoder's process did not start" in told["away.jpg"]
    assert "bug of ours: MemoryError" in told["memory.jpg"]
    assert told["pipe.jpg"] == "refused, not a file"
    assert told["lost.jpg"] == "refused, a link that leads nowhere"
    assert told["round.jpg"].startswith("refused, it cannot be read")
    assert told["broken.jpg"].startswith("refused, unreadable-image")


def test_a_sheet_that_cannot_be_written_is_told_in_a_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = CliRunner().invoke(app, ["contact-sheet", str(folder), "-o", str(tmp_path / "no" / "sheet.png")])
    assert "there is no such folder" in str(absent.exception)
    monkeypatch.setattr(sandbox, "Inspector", _Inspector)
    (tmp_path / "sheet.png").mkdir()
    done = CliRunner().invoke(app, ["contact-sheet", str(folder), "-o", str(tmp_path / "sheet.png")])
    assert isinstance(done.exception, CliError)
    assert "sheet.png: cannot be written" in str(done.exception)


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
