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
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from local.layout import LOOPBACK, Layout, LocalError, digest_of, make_private, port_is_free, write_private

_AGAIN_AFTER_S = 0.3

MARK = "IMAGEMARKET_LOCAL_STATE"
"""Variable in the environment of everything that `up` starts, inherited by what those start; by it strays are known."""


def mark_of(layout: Layout) -> str:
    """What `MARK` says: the state's folder itself, which a move leaves as it is and a copy does not, and its path."""
    return f"{_identity(layout.state)} {layout.state}"


def _identity(folder: Path) -> str:
    there = folder.stat()
    return f"{there.st_dev}:{there.st_ino}"


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
    prepare: Callable[[], None] | None = None
    """Called before each start: clears away what a killed one left."""
    passing_refusals: Sequence[str] = ()
    """Words in the log of a start that failed for something that passes by itself: it is tried again."""

    def fingerprint(self) -> str:
        """What it is started from: command, environment, sources."""
        started_from = json.dumps([list(self.command), dict(self.environment), digest_of(self.sources)], sort_keys=True)
        return hashlib.sha256(started_from.encode()).hexdigest()


@dataclass(frozen=True)
class Standing:
    """How one part stands now. `memory_mib` counts its children too."""

    part: Part
    pid: int | None
    memory_mib: float
    ready: bool


class Supervisor:
    """Starts, finds and stops the parts of one state folder."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def log_path(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"

    def process(self, name: str) -> psutil.Process | None:
        """The part's own process; None when it is gone, also where its pid went to somebody else, or where this state
        is a copy of the one that it belongs to."""
        known = self._known(name)
        try:
            if known["folder"] != _identity(self._layout.state):
                return None
            found = psutil.Process(known["pid"])
            same = abs(found.create_time() - known["create_time"]) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except (KeyError, psutil.Error):
            return None
        return found if same else None

    def port(self, name: str) -> int | None:
        """Where the part listens, when it is up."""
        return None if self.process(name) is None else self._known(name).get("port")

    def moved(self) -> bool:
        """Whether a part that is up was started while the state lay elsewhere: it looks there for what it needs."""
        for path in self._layout.run.glob("*.json"):
            state = self._known(path.stem).get("state", "")
            if state and self.process(path.stem) is not None and not _same_folder(Path(state), self._layout.state):
                return True
        return False

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
        for each in [process, *descendants(process)]:
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
        make_private(log.parent)
        if log.exists() and log.stat().st_size > 20 * 2**20:
            log.replace(log.with_suffix(".log.1"))
        deadline = time.monotonic() + part.patience_s
        while True:
            written = log.stat().st_size if log.exists() else 0
            if self._launch(part, log):
                return True
            tail = "\n".join(log.read_bytes()[written:].decode(errors="replace").splitlines()[-15:])
            self.stop(part)
            refused = any(words in tail for words in part.passing_refusals)
            if not refused or time.monotonic() > deadline:
                raise LocalError(
                    f"{part.title} did not come up within {part.patience_s:.0f} s; the end of {log}:\n{tail}"
                )
            time.sleep(_AGAIN_AFTER_S)

    def _launch(self, part: Part, log: Path) -> bool:
        """Start it once. Whether it became ready."""
        if part.prepare is not None:
            part.prepare()
        environment = without_aws(os.environ) | dict(part.environment) | {MARK: mark_of(self._layout)}
        with open(log, "ab", opener=_private) as out:
            child = subprocess.Popen(
                part.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self._layout.state,
                start_new_session=True,
                umask=0o077,
            )
        self._reap(part.name)
        self._started[part.name] = child
        process = psutil.Process(child.pid)
        write_private(
            self._layout.run / f"{part.name}.json",
            json.dumps(
                {
                    "pid": process.pid,
                    "create_time": process.create_time(),
                    "fingerprint": part.fingerprint(),
                    "port": part.port,
                    "state": str(self._layout.state),
                    "folder": _identity(self._layout.state),
                }
            ),
        )
        return self._wait(part, process, child)

    def stop(self, part: Part) -> bool:
        """Stop the part and what it started. False when it was not up."""
        process = self.process(part.name)
        if process is None:
            (self._layout.run / f"{part.name}.json").unlink(missing_ok=True)
            self._reap(part.name)
            return False
        children = descendants(process)
        process.send_signal(part.stop_signal)
        if not _gone_within(process, part.stop_patience_s):
            process.kill()
        end_processes(children, patience_s=3)
        self._reap(part.name)
        (self._layout.run / f"{part.name}.json").unlink(missing_ok=True)
        return True

    def sweep_strays(self) -> int:
        """End what outlived the part that started it, e.g. after a `kill -9`. How many there were."""
        strays: list[psutil.Process] = []
        known = {process.pid for path in self._layout.run.glob("*.json") if (process := self.process(path.stem))}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid not in known and self._is_mine(process) and process.pid != os.getpid():
                    ancestors = {ancestor.pid for ancestor in process.parents()}
                    if not ancestors & known:
                        strays.append(process)
        end_processes(strays, patience_s=5)
        return len(strays)

    def _is_mine(self, process: psutil.Process) -> bool:
        """Whether it was started for this state, or for one at this path that was removed under it."""
        identity, _, path = process.environ().get(MARK, "").partition(" ")
        if identity == _identity(self._layout.state):
            return True
        return path == str(self._layout.state) and Path(f"/proc/{process.pid}/cwd").stat().st_nlink == 0

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


def _private(path: str, flags: int) -> int:
    """An opener of files that their owner alone may read."""
    return os.open(path, flags, 0o600)


def _same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def command_line(process: psutil.Process) -> list[str]:
    """The words that the process was started by; none where it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """The processes that it started, and those they did; none where it is gone."""
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


def end_processes(processes: list[psutil.Process], *, patience_s: float) -> None:
    """Terminate them, and kill what is left after that patience."""
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

    The user keeps one privilege, CAP_DAC_READ_SEARCH, to pass folders that root alone may enter (a clone under root's
    home). With it go reading any file, though not writing one: there is no smaller one that passes folders.

    Raises:
        LocalError: Root runs this, and this machine cannot run the command's program as another user.
    """
    if os.geteuid() != 0:
        return list(command)
    prefix = _as_nobody()
    tried = subprocess.run([*prefix, "test", "-x", command[0]], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        why = f" ({tried.stderr.strip()})" if tried.stderr.strip() else ""
        raise LocalError(
            f"PostgreSQL refuses to run as root, and the user nobody may not run {command[0]}{why}: run ./market as "
            "an ordinary user, or move the clone to a folder that everybody may enter, e.g. under /srv"
        )
    return [*prefix, *command]


@cache
def _as_nobody() -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalError(
            "PostgreSQL refuses to run as root, and setpriv (Debian: util-linux) was not found to run it "
            "as another user: install it, or run ./market as an ordinary user"
        )
    # access(2), by which PostgreSQL looks for its own programs, ignores what privileges an ordinary user has, unless
    # user ids have nothing to do with privileges at all: no_setuid_fixup.
    kept = "-all,+dac_read_search"
    pass_folders = (
        *(f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"),
        "--securebits=+no_setuid_fixup",
    )
    identity = (f"--reuid={UNPRIVILEGED_ID}", f"--regid={UNPRIVILEGED_ID}", "--clear-groups")
    return [setpriv, *identity, *pass_folders, "--"]


UNPRIVILEGED_ID = 65534
"""`nobody`, on Debian and its kin, Fedora and Alpine alike."""
