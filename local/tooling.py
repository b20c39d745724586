"""Node tools (the CDK command, the API linter), from the lock file, without a Node of the machine's own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from imagemarket.cli.closed_pipe import shell_status
from local.layout import REPOSITORY, Layout, LocalError, digest_of, make_private
from local.processes import descendants, end_processes
from local.progress import Say, console

_NPM_TIMEOUT_MS = 20_000
_NPM_TIMEOUTS_WITHOUT_A_PACKAGE = 5
"""From the first attempt that failed on, after so many of its timeouts in which no package came, npm is ended. Of
itself it goes on for a quarter of an hour with a registry that takes connections and never answers: fifteen requests
wait at a time, and each is tried anew behind all the others."""
_STALLED_EVERY_S = 0.2
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
        "npm_config_fetch_timeout": str(_NPM_TIMEOUT_MS),
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
    stalled: Callable[[], bool] | None = None,
) -> None:
    """Run a long command with its words in a log, each line also told to `hear`; it is ended when it has `stalled`.

    Raises:
        LocalError: It failed; the end of the log is the message.
    """
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
            with _ended_when(stalled, process) as ended:
                for line in process.stdout or ():
                    out.write(line)
                    if hear is not None:
                        hear(line.decode(errors="replace").rstrip())
                status = process.wait()
        except BaseException:
            end_whole(process)
            raise
    if status != 0 or ended.is_set():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        how = "came no further and was ended" if ended.is_set() else f"failed (status {status})"
        raise LocalError(f"{what} {how}; the end of {log}:\n{tail}")


@contextmanager
def _ended_when(stalled: Callable[[], bool] | None, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Yields what is set where it was ended."""
    over, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while stalled is not None and not over.wait(_STALLED_EVERY_S):
            if stalled():
                ended.set()
                end_whole(process)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """An interrupt comes at the end of this: what was being started is known by then to whoever has to end it."""
    told: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: told.append(number)) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    for number in told:
        signal.raise_signal(number)


INTERRUPTED = 130
"""A shell's status of what Ctrl-C ended."""


def run_interruptibly(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The status for a shell of a program that stops the servers it started when it is interrupted, which it is, with
    its processes, where this one is interrupted or told to end; `INTERRUPTED` then, once it has ended."""
    told: list[int] = []
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs inherit that they ignore it
    running = subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True)

    def end(number: int, _: object) -> None:
        told.append(number)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGINT)

    try:
        for each in before:
            signal.signal(each, end)
        status = shell_status(running.wait())
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return INTERRUPTED if told else status


def end_whole(process: subprocess.Popen[bytes]) -> None:
    """With what it started: npm is a script that starts Node, which would go on alone."""
    try:
        started = descendants(psutil.Process(process.pid))
    except psutil.Error:
        return
    process.terminate()
    end_processes(started, patience_s=3)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()


class _Npm:
    """What npm says: tells how many packages have come, and that the registry does not answer, which npm bears in
    silence."""

    def __init__(self, say: Say | None, environment: Mapping[str, str]) -> None:
        said = next((value for name, value in environment.items() if name.lower() == "npm_config_fetch_timeout"), "")
        timeout_ms = int(said) if said.isascii() and said.isdecimal() else _NPM_TIMEOUT_MS
        self._patience_s = _NPM_TIMEOUTS_WITHOUT_A_PACKAGE * timeout_ms / 1000
        self._say = say
        self._fetched = 0
        self._told: set[str] = set()
        self._failing_since: float | None = None

    def hear(self, line: str) -> None:
        if line.startswith("npm http fetch GET 200"):
            self._fetched += 1
            self._failing_since = None
            if self._say is not None:
                self._say(f"{self._fetched} packages fetched")
        elif failed := _NPM_RETRY.search(line):
            self._failing_since = self._failing_since or time.monotonic()
            if failed[1] not in self._told:
                self._told.add(failed[1])
                console.print(f"  the package registry does not answer ({failed[1]}); trying again")

    def stalled(self) -> bool:
        """Whether nothing but failed attempts has come for longer than a package may take. One that comes slowly, or
        from the cache, fails no attempt."""
        return self._failing_since is not None and time.monotonic() > self._failing_since + self._patience_s


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
    environment = node_environment(layout)
    npm = _Npm(say, environment)
    run_logged(
        [str(layout.python.parent / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=http"],
        layout.logs / "npm.log",
        cwd=folder,
        environment=environment,
        what="installing the Node tools (npm ci; is a package registry in reach?)",
        hear=npm.hear,
        stalled=npm.stalled,
    )
    stamp.write_text(wanted)
    return True
