"""The form that every benchmark ends in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import report

FIELDS = {"claim", "ours", "peer", "unit", "ratio", "goal", "holds"}


def test_less_than_a_peer_needs() -> None:
    row = report.against_peer("import", ours=40.0, peer=380.123456, unit="ms", at_least=2)
    assert row == {
        "claim": "import",
        "ours": 40.0,
        "peer": 380.1,
        "unit": "ms",
        "ratio": 9.503,
        "goal": "≥ 2x",
        "holds": True,
    }
    assert not report.against_peer("import", ours=300.0, peer=380.0, unit="ms", at_least=2)["holds"]


@pytest.mark.parametrize(("ours", "holds"), [(299, True), (300, True), (301, False)])
def test_a_limit_is_held_up_to_itself(ours: float, holds: bool) -> None:
    assert report.at_most("memory", ours=ours, unit="MB", limit=300)["holds"] is holds
    assert report.at_least("memory", ours=600 - ours, unit="MB", limit=300)["holds"] is holds


def test_more_than_a_peer_reaches() -> None:
    row = report.at_least("recall", ours=0.9, peer=0.6, unit="share", limit=0.8)
    assert (row["ratio"], row["holds"]) == (1.5, True)


def test_what_could_not_be_measured_says_why() -> None:
    row = report.unmeasured("load", unit="s", goal="≤ 5", reason="no disk")
    assert row["holds"] is None
    assert row["reason"] == "no disk"
    assert set(row) == FIELDS | {"reason"}


def test_the_command_prints_writes_and_fails_with_a_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        report.at_most("peak [memory]", ours=400, unit="MB", limit=300),
        report.unmeasured("load", unit="s", goal="≤ 5", reason="no disk"),
    ]

    def measure() -> list[report.Row]:
        return rows

    file = tmp_path / "rows.json"
    assert report.main(measure, ["--json", str(file)]) == 1
    assert json.loads(file.read_text(encoding="utf-8")) == rows
    printed = capsys.readouterr().out
    assert "peak [memory]" in printed
    assert "not measured: no disk" in printed
    assert report.main(lambda: rows[1:], []) == 0
