"""`./market test`: what its tools run in."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local.checks import environment_of_checks
from local.layout import REPOSITORY, Layout


def test_what_tests_leave_lies_in_the_clones_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT", raising=False)
    layout = Layout(made=tmp_path / "made", state=tmp_path, port=8080)
    root = Path(environment_of_checks(layout)["PYTEST_DEBUG_TEMPROOT"])
    assert root.parent == layout.made
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", "/mine")
    assert environment_of_checks(layout)["PYTEST_DEBUG_TEMPROOT"] == "/mine"


def test_the_tests_of_the_whole_cloud_come_in_one_order_also_where_others_are_shuffled() -> None:
    def order(*shuffled: str) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *shuffled]
        done = subprocess.run(
            [*command, "tests/stack"], cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [line for line in done.stdout.splitlines() if "::" in line]

    as_written = order("-p", "no:randomly")
    assert len(as_written) > 10
    assert order("--randomly-seed=1") == order("--randomly-seed=2") == as_written
