"""`pip install .`: the command is there, and the package carries the files and the packages that the library needs."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from local.layout import REPOSITORY

LIBRARY = REPOSITORY / "shared" / "imagemarket"
ONLY_IN_A_CLONE = {"sagemaker", "local"}
STUBS = {"mypy_boto3"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def _named(distribution: str) -> str:
    return distribution.strip().lower().replace("_", "-")


def test_the_command_starts_the_command_line(project: dict[str, Any]) -> None:
    ((name, target),) = project["project"]["scripts"].items()
    assert name == "imagemarket"
    module, _, function = target.partition(":")
    assert callable(getattr(import_module(module), function))


def test_what_is_no_module_goes_along(project: dict[str, Any]) -> None:
    patterns = {
        LIBRARY.parent.joinpath(*package.split(".")): globs
        for package, globs in project["tool"]["setuptools"]["package-data"].items()
    }
    carried = {path for folder, globs in patterns.items() for glob in globs for path in folder.glob(glob)}
    for path in LIBRARY.rglob("*"):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        assert path.suffix == ".py" or path in carried, path


def test_every_package_that_the_library_imports_is_asked_for(project: dict[str, Any]) -> None:
    files = project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    asked = {
        _named(line.split(">=")[0].split("[")[0])
        for file in files
        for line in (REPOSITORY / file).read_text().splitlines()
        if line and not line.startswith("#")
    }
    distributions = packages_distributions()
    imported = set()
    for source in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").partition(".")[0])
    strangers = {
        name
        for name in imported - sys.stdlib_module_names - ONLY_IN_A_CLONE - {"imagemarket"}
        if not any(name.startswith(stub) for stub in STUBS)
    }
    needed = {name: {_named(each) for each in distributions.get(name, [name])} for name in strangers}
    carried_along = {
        "botocore",
        "pydantic_core",
        "starlette",
        "click",
        "psycopg_pool",
        "cryptography",
        "jwt",
        "httpcore",
    }
    missing = {name: found for name, found in needed.items() if not found & asked and name not in carried_along}
    assert missing == {}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as an installer of wheels leaves it, from a copy of what it is built of; its dependencies are those
    of the environment."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    shutil.copytree(LIBRARY, source / "shared" / "imagemarket", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "requirements", source / "requirements")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    uv = REPOSITORY / ".market" / "boot" / "bin" / "uv"
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", target, source],
        env=os.environ | {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(REPOSITORY / ".market/cache/uv"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--help",), 0, "upload"),
        (("verify",), 1, "no settings are given"),
        (("upload", "--help"), 0, "--as"),
        (("contact-sheet", "nothing-here", "-o", "sheet.jpg"), 1, "nothing-here"),
    ],
)
def test_the_installed_command_runs(
    installed: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """Far from the clone, and without a setting of a market."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MARKET_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, installed / "bin" / "imagemarket", *arguments],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(installed), "COLUMNS": "200", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert (done.returncode != 0) == (status != 0), told
    assert said in told
    assert "Traceback" not in told
