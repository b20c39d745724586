"""Node tools (the CDK command, the API linter), from the lock file, without a Node of the machine's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.layout import REPOSITORY, Layout, LocalError, digest_of


def node_environment(layout: Layout) -> dict[str, str]:
    """An environment in which Node's own commands are found."""
    path = f"{layout.python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "NODE_NO_WARNINGS": "1", "npm_config_update_notifier": "false"}


def run_logged(command: list[str], log: Path, *, cwd: Path, environment: Mapping[str, str], what: str) -> None:
    """Run a long command with its words in a log; when it fails, the end of the log is the message."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        done = subprocess.run(
            command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise LocalError(f"{what} failed (status {done.returncode}); the end of {log}:\n{tail}")


def install_node_tools(layout: Layout) -> bool:
    """Bring `node_modules` in line with the lock file. False when nothing was missing."""
    sources = [REPOSITORY / "package.json", REPOSITORY / "package-lock.json"]
    folder = layout.node_modules.parent
    stamp = folder / "installed"
    wanted = digest_of(sources)
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for source in sources:
        shutil.copy(source, folder / source.name)
    run_logged(
        [str(layout.python.parent / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        layout.logs / "npm.log",
        cwd=folder,
        environment=node_environment(layout),
        what="installing the Node tools (npm ci)",
    )
    stamp.write_text(wanted)
    return True
