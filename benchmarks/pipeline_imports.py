"""Import CPU of each function against FastAPI, boto3 and psycopg imported eagerly.

    python -m benchmarks.pipeline_imports

A cold start pays for what importing the handler pulls in. Each import runs in an interpreter of its
own; counted is user and system CPU of the import statement alone. The two sides take turns, so that
a busy machine weighs on both. The peer of every row is the same three packages imported eagerly. What
a handler does not import at init it imports at its first request, and only if that request needs it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import report

REPOSITORY = Path(__file__).resolve().parent.parent
PEER = "fastapi, boto3, psycopg"
RUNS = 7
GOAL = 2.0

_PROGRAM = "import time; began = time.process_time(); import {what}; print(time.process_time() - began)"


def measure(runs: int = RUNS) -> list[report.Row]:
    """One row for each function; milliseconds of CPU, medians of `runs`."""
    functions = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/handler.py"))
    modules = [f"functions.{name}.handler" for name in functions]
    samples: dict[str, list[float]] = {what: [] for what in (PEER, *modules)}
    for what in samples:
        _import_cpu_seconds(what)  # writes byte code, which Lambda finds in the asset
    for _ in range(runs):
        for what, taken in samples.items():
            taken.append(_import_cpu_seconds(what))
    medians = {what: statistics.median(taken) * 1000 for what, taken in samples.items()}
    return [
        report.against_peer(
            f"import of {module}",
            ours=medians[module],
            peer=medians[PEER],
            unit="ms CPU",
            at_least=GOAL,
        )
        for module in modules
    ]


def _import_cpu_seconds(what: str) -> float:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")]),
        "POWERTOOLS_SERVICE_NAME": "bench",
        "PYTHONHASHSEED": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(what=what)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    raise SystemExit(report.main(measure))
