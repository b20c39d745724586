"""The pool of connections in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local.layout import REPOSITORY

pytestmark = pytest.mark.engines

_ASKS_AND_ENDS = """
import sys
from imagemarket.platform.database import Database
database = Database(lambda: sys.argv[1])
print(database.fetch_one("SELECT 1 AS n")["n"])
"""


def test_a_process_that_asked_ends_at_once_and_without_a_word(database_url: str) -> None:
    """From Python 3.13 on a pool that was not closed holds up the end for five seconds a thread, and complains."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _ASKS_AND_ENDS, database_url],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "shared")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
