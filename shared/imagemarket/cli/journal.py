"""What an uploader remembers between runs, so that the next one sends only what is missing."""

from __future__ import annotations

import fcntl
import io
import json
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from imagemarket.cli.client import CliError

State = Literal["announced", "sent", "ended"]


@dataclass(frozen=True)
class Entry:
    """How far one picture of one account got.

    `announced`: the API was asked, or about to be, with `idempotency_key`; `parts` are the ETags of those parts of a
    large file that the store has, by their number. `sent`: the store has all bytes. `ended`: processing came to
    `status`, for `reason` if it was refused.
    """

    state: State
    idempotency_key: str
    announced_at: float
    image_id: str | None = None
    parts: Mapping[int, str] = field(default_factory=dict)
    status: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Entry:
        """The entry of a journal's line. Raises `ValueError` when it is none."""
        known: dict[str, Any] = {each.name: record[each.name] for each in fields(cls) if each.name in record}
        texts = [known.get(name) for name in ("image_id", "status", "reason")]
        if (
            known.get("state") not in get_args(State)
            or not isinstance(known.get("idempotency_key"), str)
            or not isinstance(known.get("announced_at"), int | float)
            or not all(text is None or isinstance(text, str) for text in texts)
        ):
            raise ValueError("no entry of a journal")
        parts = known.get("parts") or {}
        if not isinstance(parts, Mapping) or not all(isinstance(etag, str) for etag in parts.values()):
            raise ValueError("parts: an ETag by the number of each part")
        known["parts"] = {int(number): etag for number, etag in parts.items()}
        return cls(**known)


_BEGINNING = b'{"account_id": "'


_LONGEST_LINE = 1024**2
_MOST_STRANGE_LINES = 1000
_NAMED_LINES = 20


def _private(path: str, flags: int) -> int:
    """Opens what can be read to its end and written to: a file, or what keeps nothing."""
    handle = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(handle).st_mode) or Path(path).samefile(os.devnull):
        return handle
    os.close(handle)
    raise CliError(f"the journal {path} is no file (--journal)")


def default_journal() -> Path:
    """In the user's state folder, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "imagemarket" / "uploads.jsonl"


class Journal:
    """A file of JSON lines, one for each step forward, the last one of a picture being the true one.

    Lines are only ever added, each by one write, so a run that is killed loses at most the line it
    was writing. `warnings` says which lines could not be read; the last one, cut off, is taken out. One run at a time:
    a second would send everything twice. Raises `CliError`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[tuple[str, str], Entry] = {}
        self._lock = threading.Lock()
        self.warnings: list[str] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: io.FileIO = open(path, "ab+", buffering=0, opener=_private)  # noqa: SIM115
        except OSError as error:
            raise CliError(f"the journal {path} cannot be written: {error.strerror} (--journal)") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise CliError(f"another upload is using the journal {path}; let it end first") from None
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        self._file.seek(0)
        reader = io.BufferedReader(self._file)
        line, whole, number, unread = b"", 0, 0, []
        try:
            while piece := reader.readline(_LONGEST_LINE):
                line = (line + piece)[: _LONGEST_LINE + 1]  # of a longer one, which is none of ours, the beginning
                if not piece.endswith(b"\n"):
                    continue
                whole, number = reader.tell(), number + 1
                if not self._take(line):
                    unread.append(number)
                line = b""
                if not self._entries and len(unread) > _MOST_STRANGE_LINES:
                    break
        finally:
            reader.detach()
        if not self._entries and (unread or not (line.startswith(_BEGINNING) or _BEGINNING.startswith(line))):
            raise CliError(f"{self._path} is a file of another kind and no journal (--journal)")
        if unread:
            named = ", ".join(map(str, unread[:_NAMED_LINES]))
            more = f" and {len(unread) - _NAMED_LINES} more" if len(unread) > _NAMED_LINES else ""
            self.warnings.append(
                f"The journal {self._path} has lines that are none of its own and are ignored: {named}{more}."
            )
        if line:
            self.warnings.append(f"The last line of the journal {self._path} was cut off and is ignored.")
            self._file.truncate(whole)

    def _take(self, line: bytes) -> bool:
        """Whether the line is an entry, which is then known."""
        if len(line) > _LONGEST_LINE:
            return False
        try:
            record = json.loads(line)
            self._entries[str(record["account_id"]), str(record["sha256"])] = Entry.of(record)
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        return True

    def close(self) -> None:
        """Lets another run use the file."""
        self._file.close()

    def get(self, account_id: str, sha256: str) -> Entry | None:
        """How far an account's file with this checksum got, None when no run told of it."""
        return self._entries.get((account_id, sha256))

    def put(self, account_id: str, sha256: str, entry: Entry) -> None:
        """Writes it down before anything depends on it. Raises `CliError` when it cannot be written."""
        line = json.dumps({"account_id": account_id, "sha256": sha256} | asdict(entry)).encode() + b"\n"
        with self._lock:
            try:
                written = self._file.write(line)
            except OSError as error:
                raise CliError(f"the journal {self._path} cannot be written: {error.strerror} (--journal)") from None
            if written != len(line):
                raise CliError(f"the journal {self._path} cannot be written: no room is left (--journal)")
            self._entries[account_id, sha256] = entry
