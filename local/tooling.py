"""Node tools (the CDK command, the API linter), from the lock file, without a Node of the machine's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from local.layout import REPOSITORY, Layout, LocalError, digest_of, make_private
from local.progress import Say, console

_NPM_RETRY = re.compile(r"^npm http fetch GET .* attempt \d+ failed with (\S+)")


def node_environment(layout: Layout) -> dict[str, str]:
    """An environment in which Node's own commands are found, keep their caches in the clone, and do not wait for
    minutes for a registry that is out of reach. What a person has set of these stays."""
    path = f"{layout.python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    caches = layout.made / "cache"
    defaults = {
        "npm_config_cache": str(caches / "npm"),
        "npm_config_fetch_retries": "2",
        "npm_config_fetch_retry_mintimeout": "1000",
        "npm_config_fetch_retry_maxtimeout": "4000",
        "npm_config_fetch_timeout": "120000",
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(caches / "jsii"),
        "CDK_HOME": str(caches / "cdk"),
        "NODE_COMPILE_CACHE": str(caches / "node"),
    }
    set_already = {name.lower() for name in os.environ}
    chosen = {name: value for name, value in defaults.items() if name.lower() not in set_already}
    return os.environ | chosen | {"PATH": path, "NODE_NO_WARNINGS": "1", "npm_config_update_notifier": "false"}


def home_for_tools(layout: Layout) -> str:
    """A home of their own for tools that keep a cache in one whatever they are told (aws-cdk-lib)."""
    home = layout.made / "cache" / "home"
    make_private(home)
    return str(home)


def run_logged(
    command: list[str],
    log: Path,
    *,
    cwd: Path,
    environment: Mapping[str, str],
    what: str,
    hear: Callable[[str], None] | None = None,
) -> None:
    """Run a long command with its words in a log, each line also told to `hear`; when it fails, the end of the log
    is the message."""
    make_private(log.parent)
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                out.write(line)
                if hear is not None:
                    hear(line.decode(errors="replace").rstrip())
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
    if status != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise LocalError(f"{what} failed (status {status}); the end of {log}:\n{tail}")


def _npm_heard(say: Say) -> Callable[[str], None]:
    """Tells how many packages have come, and that the registry does not answer, which npm bears in silence."""
    fetched = 0
    told: set[str] = set()

    def hear(line: str) -> None:
        nonlocal fetched
        if line.startswith("npm http fetch GET 200"):
            fetched += 1
            say(f"{fetched} packages fetched")
        elif (failed := _NPM_RETRY.search(line)) and failed[1] not in told:
            told.add(failed[1])
            console.print(f"  the package registry does not answer ({failed[1]}); trying again")

    return hear


def install_node_tools(layout: Layout, say: Say | None = None) -> bool:
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
        [str(layout.python.parent / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=http"],
        layout.logs / "npm.log",
        cwd=folder,
        environment=node_environment(layout),
        what="installing the Node tools (npm ci; is a package registry in reach?)",
        hear=_npm_heard(say) if say else None,
    )
    stamp.write_text(wanted)
    return True
