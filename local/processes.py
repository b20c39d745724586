"""The parts of the local cloud as processes: started apart from the terminal, stopped by pid alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from local.layout import LOOPBACK, Layout, LocalError, digest_of, port_is_free, write_private

MARK = "IMAGEMARKET_LOCAL_STATE"
"""Variable in the environment of everything that `up` starts, inherited by what those start; by it strays are known."""


def without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without a person's own cloud account: nothing here may ever reach the real one."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


@dataclass(frozen=True)
class Part:
    """One server of the local cloud. `ready` answers within a second and never raises."""

    name: str
    title: str
    port: int
    command: Sequence[str]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = 60.0
    stop_patience_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM
    sources: Sequence[Path] = ()
    """Files and folders of the clone that it runs from: where they changed, `up` starts it anew."""

    def fingerprint(self) -> str:
        """What it is started from: command, environment, sources."""
        started_from = json.dumps([list(self.command), dict(self.environment), digest_of(self.sources)], sort_keys=True)
        return hashlib.sha256(started_from.encode()).hexdigest()


@dataclass(frozen=True)
class Standing:
    """How one part stands now. `memory_mb` counts its children too."""

    part: Part
    pid: int | None
    memory_mb: float
    ready: bool


class Supervisor:
    """Starts, finds and stops the parts of one state folder."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def log_path(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"

    def process(self, name: str) -> psutil.Process | None:
        """The part's own process; None when it is gone, also where its pid went to somebody else."""
        known = self._known(name)
        try:
            found = psutil.Process(known["pid"])
            same = abs(found.create_time() - known["create_time"]) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except (KeyError, psutil.Error):
            return None
        return found if same else None

    def _known(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self._layout.run / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}

    def standing(self, part: Part) -> Standing:
        process = self.process(part.name)
        if process is None:
            return Standing(part, None, 0.0, ready=False)
        memory = 0
        for each in [process, *_children(process)]:
            with contextlib.suppress(psutil.Error):
                memory += each.memory_info().rss
        return Standing(part, process.pid, memory / 2**20, ready=part.ready())

    def start(self, part: Part) -> bool:
        """Bring the part up and wait until it is ready. False when it was up already."""
        running = self.process(part.name)
        if running is not None:
            if self._known(part.name).get("fingerprint") == part.fingerprint() and self._wait(part, running):
                return False
            self.stop(part)  # of another version, or alive and deaf
        if not port_is_free(part.port):
            raise LocalError(
                f"port {part.port} on {LOOPBACK} is in use by another program, and {part.title} needs it. "
                f"Stop that program, or choose another with MARKET_PORT=8081 ./market up"
            )
        log = self.log_path(part.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > 20 * 2**20:
            log.replace(log.with_suffix(".log.1"))
        environment = without_aws(os.environ) | dict(part.environment) | {MARK: str(self._layout.state)}
        with log.open("ab") as out:
            child = subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self._layout.state,
                start_new_session=True,
            )
        self._reap(part.name)
        self._started[part.name] = child
        process = psutil.Process(child.pid)
        write_private(
            self._layout.run / f"{part.name}.json",
            json.dumps({"pid": process.pid, "create_time": process.create_time(), "fingerprint": part.fingerprint()}),
        )
        if not self._wait(part, process, child):
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            self.stop(part)
            raise LocalError(f"{part.title} did not come up within {part.patience_s:.0f} s; the end of {log}:\n{tail}")
        return True

    def stop(self, part: Part) -> bool:
        """Stop the part and what it started. False when it was not up."""
        process = self.process(part.name)
        if process is None:
            (self._layout.run / f"{part.name}.json").unlink(missing_ok=True)
            self._reap(part.name)
            return False
        children = _children(process)
        process.send_signal(part.stop_signal)
        if not _gone_within(process, part.stop_patience_s):
            process.kill()
        _end(children, patience_s=3)
        self._reap(part.name)
        (self._layout.run / f"{part.name}.json").unlink(missing_ok=True)
        return True

    def sweep_strays(self) -> int:
        """End what outlived the part that started it, e.g. after a `kill -9`. How many there were."""
        strays: list[psutil.Process] = []
        mine = str(self._layout.state)
        known = {process.pid for path in self._layout.run.glob("*.json") if (process := self.process(path.stem))}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid not in known and process.environ().get(MARK) == mine and process.pid != os.getpid():
                    ancestors = {ancestor.pid for ancestor in process.parents()}
                    if not ancestors & known:
                        strays.append(process)
        _end(strays, patience_s=5)
        return len(strays)

    def _reap(self, name: str) -> None:
        """Let go of a dead child that this very process had started."""
        if child := self._started.pop(name, None):
            child.wait()

    def _wait(self, part: Part, process: psutil.Process, child: subprocess.Popen[bytes] | None = None) -> bool:
        deadline = time.monotonic() + part.patience_s
        while time.monotonic() < deadline:
            if part.ready():
                return True
            if (child is not None and child.poll() is not None) or not process.is_running():
                return False
            time.sleep(0.1)
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _gone_within(process: psutil.Process, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            process.wait(0)  # reaps it where it is a child of ours
        except psutil.TimeoutExpired:
            time.sleep(0.05)
        except psutil.Error:
            return True
        else:
            return True
    return False


def _end(processes: list[psutil.Process], *, patience_s: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=0)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(alive, timeout=patience_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=patience_s)


def unprivileged(command: Sequence[str]) -> list[str]:
    """The command as PostgreSQL accepts it: as it is, or under an ordinary user when root runs this.

    The user keeps one privilege, to pass folders that root alone may enter (a clone under a private home).
    """
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalError(
            "PostgreSQL refuses to run as root, and setpriv (Debian: util-linux) was not found to run it "
            "as another user: install it, or run ./market as an ordinary user"
        )
    pass_folders = ("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")
    identity = (f"--reuid={UNPRIVILEGED_ID}", f"--regid={UNPRIVILEGED_ID}", "--clear-groups")
    return [setpriv, *identity, *pass_folders, "--", *command]


UNPRIVILEGED_ID = 65534
"""`nobody`, on Debian and its kin, Fedora and Alpine alike."""
