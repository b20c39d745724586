"""What is put into a function's code, and that it runs from there alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from cdk.foundation import assets
from cdk.foundation.assets import digest, function_names, stage_function
from cdk.stages.model import Stage
from tests.infra.conftest import Deployment, synthesize


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.update(f"{file.relative_to(folder)} {file.stat().st_mode & 0o111}\0".encode() + file.read_bytes())
    return found.hexdigest()


def test_the_same_sources_give_the_same_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        monkeypatch.setattr(assets, "_staging", lambda name=name: tmp_path / name)
        made.append(_digest(stage_function("auth_api", interpreter="/usr/bin/python3")))
    assert made[0] == made[1]


def test_code_is_the_function_and_the_library_and_nothing_else() -> None:
    folder = stage_function("auth_api", interpreter=sys.executable)
    assert sorted(path.name for path in folder.iterdir()) == ["bootstrap", "functions", "imagemarket"]
    assert [path.name for path in (folder / "functions").iterdir()] == ["auth_api"]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if "__pycache__" in path.parts or path.suffix == ".pyc"]
    assert not (folder / "imagemarket" / "cli").exists()
    assert sum(path.stat().st_size for path in files) < 5 * 2**20


@pytest.mark.parametrize("name", ["docs_api", "image_pages"])
def test_code_holds_the_templates_of_its_pages(name: str) -> None:
    folder = stage_function(name, interpreter=None)
    held = {path.relative_to(folder / "functions" / name) for path in (folder / "functions" / name).rglob("*.html")}
    assert held == {path.relative_to(assets.FUNCTIONS / name) for path in (assets.FUNCTIONS / name).rglob("*.html")}
    assert held
    frame = folder / "imagemarket" / "platform" / "templates"
    assert sorted(path.name for path in frame.iterdir()) == ["frame.css", "frame.html"]


def test_code_for_aws_has_no_bootstrap() -> None:
    folder = stage_function("auth_api", interpreter=None)
    assert sorted(path.name for path in folder.iterdir()) == ["functions", "imagemarket"]


def test_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"functions/sell_kidney/handler\.py"):
        stage_function("sell_kidney", interpreter=None)


@pytest.mark.parametrize("name", function_names())
def test_a_handler_is_imported_from_its_code_alone(name: str, compiled: Path, tmp_path: Path) -> None:
    folder = stage_function(name, interpreter=sys.executable)
    program = (
        "import importlib, imagemarket\n"
        f"module = importlib.import_module('functions.{name}.handler')\n"
        "assert callable(module.handler)\n"
        "print(imagemarket.__file__, module.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", f"pycache_prefix={compiled}", "-c", program],
        env={"PYTHONPATH": str(folder), "POWERTOOLS_SERVICE_NAME": name},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(folder)) for path in done.stdout.split())


def test_a_function_on_this_machine_sees_its_own_code_and_not_where_the_emulator_stands(tmp_path: Path) -> None:
    """The bootstrap with a stand-in for Python that tells how it was called."""
    python = tmp_path / "py thon"
    python.write_text('#!/bin/sh\necho "$PWD|$PYTHONPATH|$*"\n')
    python.chmod(0o755)
    folder = stage_function("docs_api", interpreter=str(python))
    task = tmp_path / "task"
    task.mkdir()
    done = subprocess.run(
        [str(folder / "bootstrap")],
        env={"LAMBDA_TASK_ROOT": str(task), "_HANDLER": "functions.docs_api.handler.handler", "PYTHONPATH": "/else"},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{task}|{task}|-m awslambdaric functions.docs_api.handler.handler"


def test_the_digest_of_revisions_follows_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "REPOSITORY", tmp_path)
    (tmp_path / "0001.py").write_text("a = 1\n")
    (tmp_path / "notes.txt").write_text("x")
    first = digest(tmp_path)
    (tmp_path / "notes.txt").write_text("y")
    assert digest(tmp_path) == first
    (tmp_path / "0001.py").write_text("a = 2\n")
    assert digest(tmp_path) != first


def test_unchanged_code_is_not_deployed_again(stage: Stage, deployment: Deployment, tmp_path: Path) -> None:
    again = synthesize(stage, tmp_path)
    assert again.stacks == deployment.stacks
