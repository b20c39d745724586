"""`./market test`: what its tools run in."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import checks
from local.checks import environment_of_checks, run_checks
from local.layout import REPOSITORY, Layout
from local.tooling import INTERRUPTED


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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_checks_that_are_told_to_end_stop_what_they_started(tmp_path: Path, how: signal.Signals) -> None:
    """Killed, the tests would leave their engines running."""
    (tmp_path / "test_long.py").write_text(f"""
import time
from pathlib import Path
import pytest

@pytest.fixture
def engine():
    Path({str(tmp_path / "up")!r}).touch()
    yield
    Path({str(tmp_path / "up")!r}).unlink()
    time.sleep(1)  # it takes its time
    Path({str(tmp_path / "down")!r}).touch()

def test_long(engine):
    time.sleep(600)
""")
    program = f"""
import sys
from local import checks, commands
checks.install_node_tools = lambda layout: None
sys.argv = ["market", "test", {str(tmp_path)!r}, "-p", "no:cacheprovider", "-c", "/dev/null", "-p", "no:randomly"]
sys.exit(commands.main())
"""
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")])
    environment = os.environ | {"PYTHONPATH": paths, "MARKET_STATE": str(tmp_path / "state")}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "up").exists():
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(how)
            assert process.wait(60) == INTERRUPTED
        finally:
            process.kill()
    assert (tmp_path / "down").exists()


def test_what_comes_after_an_interrupted_check_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(checks, "install_node_tools", lambda _: None)
    monkeypatch.setattr(checks, "run_interruptibly", lambda command, _: begun.append(command) or INTERRUPTED)
    assert run_checks(Layout(made=tmp_path, state=tmp_path, port=8080), []) == INTERRUPTED
    assert len(begun) == 1
