"""Where one machine's cloud keeps its things, and on which ports its parts listen."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8080
_INNER_PARTS = ("postgres", "valkey", "models", "aws", "opensearch", "counters")


class LocalError(RuntimeError):
    """Something a person has to do before this can go on; the message says what."""


def make_private(folder: Path) -> None:
    """Make the folder where it is missing, its owner's alone, as are those above it that are missing too."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone."""
    make_private(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def digest_of(paths: Iterable[Path]) -> str:
    """One digest of files and of all files under folders, by their content and their names in the repository."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(REPOSITORY)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def port_of(text: str) -> int | None:
    """The port that `MARKET_PORT` names; None where it names none. Raises `LocalError`."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise LocalError(f"MARKET_PORT is {text!r}: it must be a number from 1 to 65535")
    return int(text)


def _remembered_port(state: Path) -> int | None:
    try:
        return port_of((state / "port").read_text().strip())
    except (OSError, ValueError, LocalError):
        return None


def _refuse_anothers(*folders: Path) -> None:
    """What cannot be looked into is not empty. Raises `LocalError`."""
    for folder in folders:
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            raise LocalError(f"{folder} belongs to {_owner_of(folder)} and cannot be read: run ./market as its owner")


def _owner_of(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:  # nobody of this machine
        return f"the user {folder.stat().st_uid}"


def port_is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Layout:
    """The folders of one clone: `made` holds what can be made again from the clone alone, `state` what a
    person would miss. Several states (each with its own port) may share one `made`.
    """

    made: Path
    state: Path
    port: int

    @classmethod
    def of_environment(cls, *, choosing: bool = False) -> Layout:
        """Read `MARKET_STATE` (default `.market` in the clone) and the port of its front door: the one that it was
        last brought up on, at first 8080. Where one is `choosing`, `MARKET_PORT` says another.

        Raises:
            LocalError: A variable holds what it cannot, names another port than the front door's or another stage
                than this machine's, or was printed by another clone's `./market env`.
        """
        stage = os.environ.get("MARKET_STAGE") or "local"
        if stage != "local":
            raise LocalError(
                f"MARKET_STAGE is {stage!r}, and ./market is this machine's cloud alone, the stage local: unset it; "
                "a deployment on AWS is reached by the command imagemarket"
            )
        another = os.environ.get("MARKET_CLONE", "")
        if another and another != str(REPOSITORY):
            raise LocalError(
                f"this shell holds the variables of the clone {another} (./market env), and this is {REPOSITORY}: "
                'open another shell, or say eval "$(env -u MARKET_CLONE -u MARKET_STATE -u MARKET_PORT ./market env)"'
            )
        made = REPOSITORY / ".market"
        state = Path(os.environ.get("MARKET_STATE") or made).expanduser().resolve()
        if state.exists() and not state.is_dir():
            raise LocalError(f"{state} (MARKET_STATE) is no folder")
        _refuse_anothers(state, state / "state", state / "run")
        said, remembered = port_of(os.environ.get("MARKET_PORT", "")), _remembered_port(state)
        if not choosing and said and remembered and said != remembered:
            raise LocalError(
                f"MARKET_PORT is {said}, and the front door of {state} is on port {remembered}: "
                f"unset it, or move the front door with MARKET_PORT={said} ./market up"
            )
        return cls(made=made, state=state, port=said or remembered or DEFAULT_PORT)

    def remember_port(self) -> None:
        """From now on this is the front door's port where nobody says another."""
        write_private(self.state / "port", f"{self.port}\n")

    @property
    def python(self) -> Path:
        return Path(sys.executable)

    @property
    def base_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def node_modules(self) -> Path:
        return self.made / "node" / "node_modules"

    @property
    def model_bundle(self) -> Path:
        return self.made / "models" / "lite"

    @property
    def data(self) -> Path:
        return self.state / "state"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def outputs_file(self) -> Path:
        return self.state / "outputs.json"

    def outputs(self) -> dict[str, str]:
        """What the deployed stacks told of themselves, by output name; empty before the first deploy."""
        if not self.outputs_file.exists():
            return {}
        stacks: dict[str, dict[str, str]] = json.loads(self.outputs_file.read_text())
        return {name: value for stack in stacks.values() for name, value in stack.items()}

    @property
    def uses_opensearch(self) -> bool:
        """Whether this state finds pictures by words with OpenSearch in place of PostgreSQL."""
        return (self.data / "search").exists() and (self.data / "search").read_text() == "opensearch"

    def use_for_search(self, engine: str) -> bool:
        """Choose `postgres` or `opensearch`, remembered until another is chosen. Whether that changed anything."""
        before = self.uses_opensearch
        write_private(self.data / "search", engine)
        return self.uses_opensearch != before

    def ports(self) -> dict[str, int]:
        """The ports of the inner parts, chosen once and remembered."""
        path = self.data / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        if missing := [part for part in _INNER_PARTS if part not in ports]:
            ports |= {part: free_port() for part in missing}
            write_private(path, json.dumps(ports))
        return ports

    def choose_another_port(self, part: str) -> int:
        """Someone else took the port while the part was down."""
        ports = self.ports() | {part: free_port()}
        write_private(self.data / "ports.json", json.dumps(ports))
        return ports[part]

    def secret(self, name: str) -> str:
        """A password of this clone's own, made at first use."""
        path = self.data / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if name not in known:
            known[name] = secrets.token_urlsafe(18)
            write_private(path, json.dumps(known))
        return known[name]
