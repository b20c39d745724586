"""What an uploader remembers between runs, so that the next one sends only what is missing."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from imagemarket.cli.client import CliError

State = Literal["announced", "sent", "ended"]


@dataclass(frozen=True)
class Entry:
    """How far one picture of one account got.

    `announced`: the API was asked, or about to be, with `idempotency_key`. `sent`: the store has the
    bytes. `ended`: processing came to `status`, for `reason` if it was refused.
    """

    state: State
    idempotency_key: str
    announced_at: float
    image_id: str | None = None
    status: str | None = None
    reason: str | None = None


def default_journal() -> Path:
    """In the user's state folder, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "imagemarket" / "uploads.jsonl"


class Journal:
    """A file of JSON lines, one for each step forward, the last one of a picture being the true one.

    Lines are only ever added, each by one write, so a run that is killed loses at most the line it
    was writing. One run at a time: a second would send everything twice. Raises `CliError`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[tuple[str, str], Entry] = {}
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("ab+", buffering=0)
            path.chmod(0o600)
        except OSError as error:
            raise CliError(f"the journal {path} cannot be written: {error.strerror} (--journal)") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise CliError(f"another upload is using the journal {path}; let it end first") from None
        self._read()

    def _read(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        for line in text.splitlines():
            try:
                record = json.loads(line)
                self._entries[record.pop("account_id"), record.pop("sha256")] = Entry(**record)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # the line a killed run was writing
        if text and not text.endswith(b"\n"):
            self._file.write(b"\n")

    def close(self) -> None:
        self._file.close()

    def get(self, account_id: str, sha256: str) -> Entry | None:
        return self._entries.get((account_id, sha256))

    def put(self, account_id: str, sha256: str, entry: Entry) -> None:
        line = json.dumps({"account_id": account_id, "sha256": sha256} | asdict(entry)) + "\n"
        with self._lock:
            self._entries[account_id, sha256] = entry
            self._file.write(line.encode())
