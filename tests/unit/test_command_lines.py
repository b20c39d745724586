"""What every command line of the repository keeps, whichever module holds it."""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import report
from local.arguments import file_to_write
from local.commands import COMMANDS
from local.layout import REPOSITORY, Layout

FOLDERS = ("benchmarks", "cdk", "functions", "local", "sagemaker", "shared")


def _parsers() -> Iterator[tuple[str, ast.Call]]:
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if named in {"ArgumentParser", "add_parser"}:
                        yield f"{path.relative_to(REPOSITORY)}:{node.lineno}", node


def test_no_parser_takes_an_option_for_what_it_begins_with() -> None:
    """`reset --ye` must not be `--yes`: what is not written out was not said."""
    found = dict(_parsers())
    assert len(found) > 10
    loose = {
        place
        for place, call in found.items()
        if not any(
            word.arg == "allow_abbrev" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in call.keywords
        )
    }
    assert loose == set()


@pytest.mark.parametrize(
    ("command", "word"),
    [("reset", "--y"), ("reset", "--ye"), ("logs", "--foll"), ("logs", "--req=x"), ("dashboard", "--onc")],
)
def test_an_option_that_is_not_written_out_is_refused(
    capsys: pytest.CaptureFixture[str], command: str, word: str
) -> None:
    layout = Layout(made=REPOSITORY, state=REPOSITORY / "nowhere", port=8080)
    with pytest.raises(SystemExit) as ended:
        COMMANDS[command](layout, [word])
    assert ended.value.code == 2
    assert f"unrecognized arguments: {word}" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["", ".", "nowhere/x.json", "a file/x.json", "/proc/x.json", "nul\0.json"])
def test_rows_that_could_not_be_written_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a file").touch()
    begun: list[str] = []
    with pytest.raises(SystemExit) as ended:
        report.main(lambda: begun.append("begun") or [], ["--json", place])
    assert (ended.value.code, begun) == (2, [])
    assert "argument --json" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        COMMANDS["chaos"](Layout(made=tmp_path, state=tmp_path, port=8080), ["--json", place])
    assert ended.value.code == 2


def test_a_file_that_can_be_written_is_as_it_was_until_then(tmp_path: Path) -> None:
    assert file_to_write(str(tmp_path / "new.json")) == tmp_path / "new.json"
    assert not (tmp_path / "new.json").exists()
    (tmp_path / "old.json").write_text("kept")
    file_to_write(str(tmp_path / "old.json"))
    assert (tmp_path / "old.json").read_text() == "kept"
    with pytest.raises(argparse.ArgumentTypeError, match="is a folder"):
        file_to_write(str(tmp_path))


@pytest.mark.parametrize("where", ["itself", "a worker"])
def test_a_benchmark_that_is_interrupted_ends_without_a_traceback(tmp_path: Path, where: str) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "sleeper.py").write_text(f"""
import multiprocessing, os, signal
if __name__ == "__main__":
    if {where!r} == "a worker":
        worker = multiprocessing.get_context("fork").Process(target=os.kill, args=(0, signal.SIGINT))
        worker.start()
        worker.join()
    os.kill(os.getpid(), signal.SIGINT)
""")
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY), str(REPOSITORY / "shared")])
    done = subprocess.run(
        [sys.executable, "-m", "local.benchmark", "sleeper"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
