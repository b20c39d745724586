"""What a function's code is: `functions/<name>/` and the library at the root of one folder, staged without Docker."""

from __future__ import annotations

import atexit
import hashlib
import shlex
import shutil
import tempfile
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = REPOSITORY / "shared" / "imagemarket"
FUNCTIONS = REPOSITORY / "functions"
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "cli")


@cache
def _staging() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="imagemarket-assets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def function_names() -> list[str]:
    """Every function of the repository."""
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))


def stage_function(name: str, *, interpreter: str | None) -> Path:
    """The folder that becomes the function's code; the same sources always give the same bytes.

    With an interpreter of this machine it carries the `bootstrap` by which a custom runtime starts it: AWS's own
    runtime client in that Python, seeing the folder's code alone.
    """
    folder = _staging() / (hashlib.sha256(interpreter.encode()).hexdigest()[:16] if interpreter else "aws") / name
    if folder.exists():
        return folder
    source = FUNCTIONS / name
    if not (source / "handler.py").is_file():
        raise FileNotFoundError(f"functions/{name}/handler.py")
    shutil.copytree(source, folder / "functions" / name, ignore=_LEFT_OUT)
    shutil.copytree(LIBRARY, folder / "imagemarket", ignore=_LEFT_OUT)
    if interpreter is not None:
        bootstrap = folder / "bootstrap"
        bootstrap.write_text(
            '#!/bin/sh\ncd "$LAMBDA_TASK_ROOT" && '
            f'PYTHONPATH="$LAMBDA_TASK_ROOT" exec {shlex.quote(interpreter)} -m awslambdaric "$_HANDLER"\n'
        )
        bootstrap.chmod(0o755)
    return folder


def digest(*paths: Path) -> str:
    """Twenty hex digits of all Python and SQL files under the paths, by name and content."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in {".py", ".sql"}:
                found.update(f"{file.relative_to(REPOSITORY)}\0".encode())
                found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:20]
