"""`samples/faults/file-names`: names that are no UTF-8 or decomposed, notes with a mark, JPEG by other names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from imagemarket.cli.app import app
from imagemarket.platform.database import Database
from tests.integration.market import EMAIL, Market, a_market

pytestmark = pytest.mark.engines


@pytest.fixture
def market(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    with a_market(database, monkeypatch) as found:
        yield found


def made_by(folder: Path, tmp_path: Path) -> Path:
    """What the folder's own program makes."""
    subprocess.run([sys.executable, folder / "make.py"], cwd=tmp_path, check=True)
    return tmp_path / "names"


def made_here(tmp_path: Path, *, encoding: str = "utf-8") -> Path:
    """The same kind, made smaller."""
    names = tmp_path / "names"
    names.mkdir()
    decomposed = unicodedata.normalize("NFD", "Caf\u00e9 terrace.jpg").encode()
    for number, name in enumerate((b"caf\xe9.jpg", decomposed, b"plain.jpg", b"photo.jfif", b"old.JPE")):
        with open(os.path.join(os.fsencode(names), name), "wb") as file:  # noqa: PTH118, PTH123 - a name in bytes
            Image.new("RGB", (40, 30), (10 * number, 0, 0)).save(file, "JPEG")
    notes = {"Caf\u00e9 terrace.jpg": {"title": "The terrace of a cafe\u0301", "tags": ["Cafe\u0301"]}}
    (names / "metadata.json").write_text(json.dumps(notes, ensure_ascii=False), encoding=encoding)
    return names


def sent(market: Market, names: Path, tmp_path: Path) -> dict[str, tuple[str, list[str]]]:
    """Title and tags of each image, by the file name that was announced."""
    journal = str(tmp_path / "j.jsonl")
    done = CliRunner().invoke(app, ["upload", str(names), "--as", EMAIL, "--journal", journal])
    assert done.exit_code == 0, (done.output, done.exception)
    rows = market.database.fetch_all(
        "SELECT filename, title, array(SELECT tag FROM image_tags t WHERE t.image_id = i.id) AS tags"
        " FROM images i JOIN uploads u ON u.image_id = i.id"
    )
    return {row["filename"]: (row["title"], row["tags"]) for row in rows}


def test_every_name_that_was_got_wrong_is_sent(folder: Path, market: Market, tmp_path: Path) -> None:
    assert sent(market, made_by(folder, tmp_path), tmp_path) == {
        "caf\u00e9.jpg": ("Caf\u00e9", []),
        "Caf\u00e9 terrace.jpg": ("The terrace of a caf\u00e9", ["cafe"]),
        "plain.jpg": ("Plain", []),
        "photo.jfif": ("Photo", []),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_names_like_them_are_sent(market: Market, tmp_path: Path, encoding: str) -> None:
    assert sent(market, made_here(tmp_path, encoding=encoding), tmp_path) == {
        "caf\u00e9.jpg": ("Caf\u00e9", []),
        "Caf\u00e9 terrace.jpg": ("The terrace of a caf\u00e9", ["caf\u00e9"]),
        "plain.jpg": ("Plain", []),
        "photo.jfif": ("Photo", []),
        "old.jpe": ("Old", []),
    }


def test_a_contact_sheet_shows_them(tmp_path: Path) -> None:
    names = made_here(tmp_path)
    done = CliRunner().invoke(app, ["contact-sheet", str(names), "-o", str(tmp_path / "sheet.png")])
    assert done.exit_code == 0, (done.output, done.exception)
    assert (tmp_path / "sheet.png").is_file()
