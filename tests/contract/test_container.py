"""The model server's container, without an engine that builds it: its Dockerfile read, and what it copies served."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import httpx
import pytest

from imagemarket.vision.models import JPEGS, pack
from local.layout import REPOSITORY, free_port
from tests.unit.vision.kit import jpeg, lite_bundle, photo

DOCKERFILE = REPOSITORY / "sagemaker/server/Dockerfile"


def _instructions() -> list[tuple[str, str]]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def _all(name: str) -> list[str]:
    return [rest for found, rest in _instructions() if found == name]


def _environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in _all("ENV") for pair in shlex.split(line))


def _python_packages() -> set[str]:
    return {
        found.group(1)
        for line in (REPOSITORY / "requirements/model-server.txt").read_text().splitlines()
        if (found := re.match(r"([a-z0-9._-]+)==", line))
    }


def _left_out() -> set[str]:
    """What the file beside the Dockerfile keeps from every COPY; each of its lines is a file."""
    lines = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    files = {line for line in lines if line and not line.startswith("#")}
    assert all((REPOSITORY / file).is_file() for file in files)
    return files


def _copied(root: Path) -> None:
    """As COPY does: a folder's content into the folder named, a file under the name or into the folder named."""
    left_out = _left_out()

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if str((Path(folder) / name).relative_to(REPOSITORY)) in left_out}

    for line in _all("COPY"):
        *sources, target = shlex.split(line)
        for source in sources:
            path, to = REPOSITORY / source, root / target.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, to, dirs_exist_ok=True, ignore=ignored)
            else:
                to = to / path.name if target.endswith("/") else to
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)


def test_each_instruction_is_one_and_says_what_sagemaker_needs() -> None:
    known = {"FROM", "ENV", "COPY", "RUN", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in _instructions()} <= known
    (base,) = _all("FROM")
    assert re.fullmatch(r"\S+:\d[^\s:]*", base), "the base image is named with its version"
    assert _all("EXPOSE") == ["8080"]
    entry, command = (json.loads(_all(name)[0]) for name in ("ENTRYPOINT", "CMD"))
    assert command == ["serve"]
    assert "0.0.0.0" in entry
    assert entry[entry.index("--bundle") + 1] == "/opt/ml/model"


def test_whom_it_runs_as_may_run_all_that_was_installed() -> None:
    names = [name for name, _ in _instructions()]
    (user,) = _all("USER")
    assert user.isdigit(), "a number, which a host can tell from root's"
    assert int(user) > 0
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in {"RUN", "COPY"})
    run = " ".join(_all("RUN"))
    assert f"--uid {user} " in run
    # What an installer fetches for root (uv's own Python) lies in root's home, which nobody else may enter.
    assert not re.search(r"\buv\b.*\b(venv|python)\b", run) or "UV_PYTHON_INSTALL_DIR" in _environment()
    assert "/root" not in run
    assert "~" not in run
    entry = json.loads(_all("ENTRYPOINT")[0])
    assert f"-m venv {Path(entry[0]).parent.parent} " in run
    assert "--require-hashes" in run


def test_what_it_copies_is_there_and_all_that_is_imported_is_copied_or_installed(tmp_path: Path) -> None:
    _copied(tmp_path)
    owners, installed = packages_distributions(), _python_packages()
    assert "onnxruntime-gpu" in installed
    missing = set()
    for file in (tmp_path / "opt/program").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                top = module.partition(".")[0]
                if top in sys.stdlib_module_names or top == "onnxruntime":
                    continue
                if top in {"sagemaker", "imagemarket"}:
                    inside = [tmp_path / "opt/program" / part / module.replace(".", "/") for part in (".", "shared")]
                    if not any(path.is_dir() or path.with_suffix(".py").exists() for path in inside):
                        missing.add(module)
                elif not {each.lower().replace("_", "-") for each in owners[top]} & installed:
                    missing.add(top)
    assert not missing


@pytest.mark.timeout(120)
def test_what_it_copies_serves_a_picture(tmp_path: Path) -> None:
    """From a folder with nothing of the clone beside it, with the environment and the command of the Dockerfile."""
    _copied(tmp_path)
    port = free_port()
    environment = {name: re.sub(r"(^|:)/", rf"\1{tmp_path}/", value) for name, value in _environment().items()}
    entry = json.loads(_all("ENTRYPOINT")[0])
    command = [sys.executable, *entry[1:], *json.loads(_all("CMD")[0])]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    command[command.index("/opt/ml/model")] = str(lite_bundle())
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=tmp_path / _all("WORKDIR")[0].lstrip("/"),
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        answer = _first_answer(port, process)
        (analysis,) = answer.json()["analyses"]
        assert len(analysis["embedding"]) == 768
        assert analysis["categories"] == ["animals"]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _first_answer(port: int, process: subprocess.Popen[bytes]) -> httpx.Response:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        while process.poll() is None:
            try:
                pong = client.get("/ping")
            except httpx.TransportError:
                pong = None
            if pong is not None and pong.status_code == 200:
                assert pong.json()["device"] == "cpu"
                return client.post(
                    "/invocations", content=pack([jpeg(photo("chelsea.png"))]), headers={"content-type": JPEGS}
                )
            time.sleep(0.1)
    said = process.stderr.read().decode() if process.stderr else ""
    raise AssertionError(said)
