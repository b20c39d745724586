"""`./market test`: every check, in the order of its cost, each with the words of the tool that makes it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from local.layout import REPOSITORY, Layout, make_private
from local.tooling import INTERRUPTED, home_for_tools, install_node_tools, node_environment, run_interruptibly

_STACK = "tests/stack"
_PATHS = ("shared", "functions", "cdk", "local", "sagemaker", "benchmarks", "tests")

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}
"""Two processes of tests use both cores. With a thread for each core in both, those that wait for another spin: reading
a watermark takes ten times the processor's time."""


def _run(title: str, command: Sequence[str], environment: dict[str, str]) -> int:
    print(f"\n=== {title}", flush=True)
    began = time.monotonic()
    status = run_interruptibly(command, environment)
    how = {0: "ok", INTERRUPTED: "interrupted"}.get(status, "FAILED")
    print(f"--- {title}: {how} in {time.monotonic() - began:.0f} s", flush=True)
    return status


def environment_of_checks(layout: Layout) -> dict[str, str]:
    """What the checks run in: whatever they leave lies with all else of the clone, the folders of tests and the
    databases in them among it, of which pytest keeps those of the last three runs."""
    tests = layout.made / "tests"
    make_private(tests)
    return (
        {"PYTEST_DEBUG_TEMPROOT": str(tests)}
        | _ONE_THREAD
        | node_environment(layout)
        | {
            "HOME": home_for_tools(layout),
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'shared'}",
            "MARKET_NODE_MODULES": str(layout.node_modules),
        }
    )


def run_checks(layout: Layout, selection: Sequence[str]) -> int:
    """All checks, or pytest alone on the selection (its own arguments). The exit status for the shell."""
    environment = environment_of_checks(layout)
    install_node_tools(layout)
    cache = layout.made / "cache"
    pytest = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache / 'pytest'}"]
    if selection:
        return run_interruptibly([*pytest, *selection], environment)

    paths = [path for path in _PATHS if (REPOSITORY / path).is_dir()]
    tool = str(layout.python.parent)
    checks = [
        ("lint", [f"{tool}/ruff", "check", *paths]),
        ("format", [f"{tool}/ruff", "format", "--check", *paths]),
        ("imports", [f"{tool}/lint-imports", "--cache-dir", str(cache / "import-linter")]),
        ("types", [f"{tool}/basedpyright", "--level", "error"]),
        # Each process takes half of the modules, and the one that is through takes half of what the other has left.
        ("tests on two processes", [*pytest, "-n", "2", "--dist", "worksteal", "--ignore", _STACK]),
        ("tests of the whole local cloud", [*pytest, _STACK, "-p", "no:randomly"]),
    ]
    failed: list[str] = []
    for title, command in checks:
        status = _run(title, command, environment)
        if status == INTERRUPTED:
            return status
        failed += [title] if status else []
    print("\n" + (f"FAILED: {', '.join(failed)}" if failed else "All checks passed."))
    return 1 if failed else 0
