"""Inspection in a process of its own, so that a hostile file can cost no more than that process.

libvips can be asked to stop only between rows, and not at all while a decoder gathers the scans of a progressive
JPEG; LibRaw cannot be asked; a signal's handler in Python waits for the C code to return. A process can be ended
at any moment, its memory has a limit of its own, a crash in it is an answer, and it is given none of our secrets.
It is started once and asked again and again, so that its start is paid as rarely as that of the one that asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from pydantic import TypeAdapter

from imagemarket.imaging.models import Inspection
from imagemarket.platform.errors import DependencyUnavailable, ImageRejected, ImageTooLarge, UnreadableImage, walk

if TYPE_CHECKING:
    from types import TracebackType

DECODE_SECONDS = 60.0
"""A decode of 200 megapixels takes some 5 on one core."""
ADDRESS_SPACE_BYTES = 2 * 1024**3
"""What arithmetic lets pass stays below 900 MB; this ends what lies to it."""

_HEAD_BYTES_MAX = 100_000
_ANSWER_BYTES_MAX = 50_000_000
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "TZ")
ONE_THREAD = {"VIPS_CONCURRENCY": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Side by side with other pictures threads win nothing, and each costs memory."""
_OURSELVES = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Inspector:
    """`imagemarket.imaging.inspection.inspect`, confined. One picture at a time; safe to share between threads."""

    def __init__(
        self, *, seconds: float = DECODE_SECONDS, address_space_bytes: int | None = ADDRESS_SPACE_BYTES
    ) -> None:
        self._seconds = seconds
        self._address_space_bytes = address_space_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process that decodes, where one is running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def inspect(self, path: Path) -> Inspection:
        """What `inspect` of this path says, or raises.

        Raises:
            ImageRejected: As there. `UnreadableImage` also where the decoder crashes or takes longer than its
                time, `ImageTooLarge` also where it asks for more memory than it may have.
            DependencyUnavailable: The process was ended from outside.
        """
        with self._lock:
            process = self._running()
            overdue = threading.Event()

            def end() -> None:
                overdue.set()
                process.kill()

            timer = threading.Timer(self._seconds, end)
            timer.start()
            try:
                answer = _ask(process, path)
            finally:
                timer.cancel()
            if answer is None:
                raise self._ended(process, overdue=overdue.is_set())
            return answer

    def close(self) -> None:
        """End the process; the next picture starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            _forget(process)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._start()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **ONE_THREAD}
        process = subprocess.Popen(  # noqa: S603 - this interpreter and this module
            [sys.executable, "-P", "-m", "imagemarket.imaging.confinement", str(self._address_space_bytes or 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert process.stdout is not None
        if not process.stdout.readline(_HEAD_BYTES_MAX):  # says that it is ready
            _forget(process)
            raise DependencyUnavailable("The decoder's process did not start.")
        return process

    def _ended(self, process: subprocess.Popen[bytes], *, overdue: bool) -> Exception:
        status = process.wait()
        self.close()
        if overdue:
            return UnreadableImage(
                f"The picture could not be decoded within {self._seconds:g} seconds, the most that is spent on one."
            )
        if -status in _OURSELVES:
            return DependencyUnavailable("The decoder's process was ended from outside.")
        return UnreadableImage("The file is damaged: its decoder broke down over it.")


def _forget(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


def _ask(process: subprocess.Popen[bytes], path: Path) -> Inspection | None:
    """What the process answers; None where it ends in place of an answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(str(path)).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        return None
    line = process.stdout.readline(_HEAD_BYTES_MAX)
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    if "refused" in head:
        raise _rejections()[head["refused"]](head["detail"])
    if "failed" in head:
        raise RuntimeError(head["failed"])
    parts = [process.stdout.read(min(size, _ANSWER_BYTES_MAX)) for size in head["sizes"]]
    if [len(part) for part in parts] != head["sizes"]:
        return None
    facts, master, model_input = parts
    return replace(TypeAdapter(Inspection).validate_json(facts), master=master, model_input=model_input)


def _rejections() -> dict[str, type[ImageRejected]]:
    return {error.__name__: error for error in walk(ImageRejected) if issubclass(error, ImageRejected)}


# --- the other side --------------------------------------------------------------------------------


def _serve(address_space_bytes: int) -> None:
    """Answer paths from standard input, one a line, until it is closed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not come between
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from imagemarket.imaging.inspection import inspect, load_libraries

    load_libraries()
    if address_space_bytes and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    _answer(answers, {"ready": True})
    for line in sys.stdin.buffer:
        try:
            found = inspect(Path(json.loads(line)))
        except ImageRejected as error:
            _answer(answers, {"refused": type(error).__name__, "detail": error.detail})
        except MemoryError:
            limit = f"{address_space_bytes / 1e6:,.0f} MB" if address_space_bytes else "there is"
            detail = f"Decoding the picture would take more memory than the {limit} that it may have."
            _answer(answers, {"refused": ImageTooLarge.__name__, "detail": detail})
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            _answer(answers, {"failed": f"{type(error).__name__}: {error}"[:1000]})
        else:
            facts = TypeAdapter(Inspection).dump_json(replace(found, master=b"", model_input=b""))
            parts = (facts, found.master, found.model_input)
            _answer(answers, {"sizes": [len(part) for part in parts]}, *parts)


def _answer(answers: BinaryIO, head: dict[str, object], *parts: bytes) -> None:
    answers.write(json.dumps(head).encode() + b"\n")
    answers.writelines(parts)
    answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
