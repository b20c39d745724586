"""`samples/faults/upload-journal`: the same folder sent twice; `test_uploader.py` cuts runs off, also by Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from imagemarket.cli.app import app
from imagemarket.cli.journal import Entry, Journal
from imagemarket.platform.database import Database
from local.pictures import paint_landscape
from tests.integration.market import EMAIL, a_market

pytestmark = pytest.mark.engines


def test_the_expectation_is_about_what_is_tested_here(folder: Path) -> None:
    told = (folder / "EXPECTED.md").read_text(encoding="utf-8")
    assert "the second run sends nothing" in told


def test_an_entry_is_read_back(tmp_path: Path) -> None:
    entry = Entry("ended", "key", 1.5, image_id="i", status="approved")
    journal = Journal(tmp_path / "j.jsonl")
    journal.put("account", "ab" * 32, entry)
    journal.close()
    again = Journal(tmp_path / "j.jsonl")
    assert again.get("account", "ab" * 32) == entry
    again.close()


def test_the_second_run_sends_nothing_and_lists_the_status_of_the_first(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    for seed in range(3):
        paint_landscape(tmp_path / "pictures" / f"{seed}.jpg", seed=seed, size=(60, 40))
    words = ["upload", str(tmp_path / "pictures"), "--as", EMAIL, "--journal", str(tmp_path / "j.jsonl")]
    with a_market(database, monkeypatch) as market:
        for _ in range(2):
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 0, done.output
            assert "3 files: 3 approved" in done.output
            assert len(database.fetch_all("SELECT id FROM images")) == 3
            assert set(market.posted.values()) <= {1, 2}, "sent in parts or by a form, once"
            assert all(number == 1 for number in market.posted.values())
