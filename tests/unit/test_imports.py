"""What importing a handler must not import: a cold start pays for it before it knows the request."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from local.layout import REPOSITORY

FUNCTIONS = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/handler.py"))
HEAVY = {
    *("fastapi", "mangum", "starlette", "boto3", "botocore.session", "psycopg", "valkey", "bcrypt"),
    *("PIL", "pyvips", "rawpy", "numpy", "onnxruntime", "tokenizers", "alembic", "sqlalchemy"),
    *("opensearchpy", "qdrant_client", "grpc", "jinja2", "markdown_it"),
}
_PROGRAM = "import json, sys; import functions.{name}.handler; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_is_imported_without_its_engines(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(name=name)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")])},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(done.stdout))
    assert f"functions.{name}.handler" in imported
    assert imported & HEAVY == set()
    assert "local" not in imported, "the product does not know the launcher"
