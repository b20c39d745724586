"""Whatever prints, and however: with nobody any more to read it, a command ends without a word."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from imagemarket.cli.closed_pipe import READER_GONE, shell_status
from local.layout import REPOSITORY

_BEFORE = "import os, sys\nfrom imagemarket.cli.closed_pipe import until_nobody_reads\n"
_AFTER = "\nsys.exit(until_nobody_reads(run))"

PRINTING = [
    "def run():\n print('a line that stays in the buffer'); return 0",
    "def run():\n for _ in range(100_000): print('a line')\n return 0",
    "def run():\n print('a line', flush=True); return 0",
    "def run():\n print('a line'); sys.exit(0)",
    "def run():\n import typer; typer.echo('a line'); return 0",
    "def run():\n from rich.console import Console; Console().print('a line'); return 0",
    "import typer\napp = typer.Typer()\n@app.command()\ndef say(): print('a line', flush=True)\ndef run(): app([])",
    "def run():\n os.write(1, b'a line'); return 0",
]


def _run(script: str, *, reader: bool) -> tuple[int, str]:
    """Status and standard error of a script, its reader gone or not."""
    reading, writing = os.pipe()
    if not reader:
        os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _BEFORE + script + _AFTER],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "shared")},
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
        if reader:
            os.close(reading)
    return done.returncode, done.stderr


@pytest.mark.parametrize("script", PRINTING)
def test_a_command_whose_reader_has_gone_ends_without_a_word(script: str) -> None:
    assert _run(script, reader=False) == (READER_GONE, "")


@pytest.mark.parametrize("script", PRINTING[:-1])
def test_an_answer_that_finds_no_room_is_told_in_a_line(script: str) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-c", _BEFORE + script + _AFTER],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "shared")},
            timeout=60,
            check=False,
        )
    told = "What there is to write cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize(
    ("ending", "status"), [("return 0", 0), ("return 3", 3), ("sys.exit(3)", 3), ("sys.exit()", 0)]
)
def test_with_a_reader_it_ends_as_it_ends(ending: str, status: int) -> None:
    assert _run(f"def run():\n print('a line'); {ending}", reader=True) == (status, "")


def test_another_pipe_that_breaks_is_an_error_like_any() -> None:
    status, said = _run("def run():\n raise BrokenPipeError('of a program that was fed')", reader=True)
    assert status == 1
    assert "of a program that was fed" in said


def test_a_signals_end_is_told_as_a_shell_does() -> None:
    assert [shell_status(returncode) for returncode in (0, 3, -13, -9)] == [0, 3, 141, 137]
