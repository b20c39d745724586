"""`./market test`: what its tools run in."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from local.checks import environment_of_checks
from local.layout import Layout


def test_what_tests_leave_lies_in_the_clones_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT", raising=False)
    layout = Layout(made=tmp_path / "made", state=tmp_path, port=8080)
    root = Path(environment_of_checks(layout)["PYTEST_DEBUG_TEMPROOT"])
    assert root.parent == layout.made
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", "/mine")
    assert environment_of_checks(layout)["PYTEST_DEBUG_TEMPROOT"] == "/mine"
