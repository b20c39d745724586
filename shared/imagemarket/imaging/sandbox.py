"""Inspection in a process of its own, so that a hostile file can cost no more than that process.

libvips can be asked to stop only between rows, and not at all while a decoder gathers the scans of a progressive
JPEG; LibRaw cannot be asked; a signal's handler in Python waits for the C code to return. A process can be ended
at any moment, its memory has a limit of its own, a crash in it is an answer, it is given none of our secrets, and
the kernel does little for it (`seccomp`). It is started once and asked again and again, so that its start is paid as
rarely as that of the one that asks; only for camera RAW there are two of its own.

By hand, since the standard library's process pools, and Pebble's on top of them, need semaphores, which Lambda has not
(it mounts no /dev/shm), and hand their processes our whole environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from pydantic import TypeAdapter

from imagemarket.imaging.errors import ImageRejected, ImageTooLarge, UnreadableImage
from imagemarket.imaging.formats import RAW_FORMATS, sniff
from imagemarket.imaging.models import Inspection
from imagemarket.imaging.seccomp import confine, hide_memory
from imagemarket.platform.errors import DependencyUnavailable, error_classes
from imagemarket.platform.telemetry import count, logger

if TYPE_CHECKING:
    from types import TracebackType

DECODE_SECONDS = 60.0
"""A decode of 200 megapixels takes some 5 on one core."""
ADDRESS_SPACE_BYTES = 2 * 1024**3
"""What arithmetic lets pass stays below 900 MB; this ends what lies to it."""

_HEAD_BYTES_MAX = 100_000
_ANSWER_BYTES_MAX = 50_000_000
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "TZ")
ONE_THREAD = {"VIPS_CONCURRENCY": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Side by side with other pictures threads win nothing, and each costs memory."""
_FILLINGS = (0xFF, 0x01)
"""For two processes that look at one RAW: new memory is their complement, black to one and white to another."""
_PLACES_TOLD = 12
_OURSELVES = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class DecoderError(Exception):
    """The decoder failed in a way that is no refusal; its text says what was raised and where, and nothing else."""


def raised(error: BaseException) -> str:
    """What was raised and where, innermost last; not what it says, which may quote the file."""
    if isinstance(error, DecoderError):
        return f"DecoderError: {error}"
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return " ".join([type(error).__name__, *places[-_PLACES_TOLD:]])


class Inspector:
    """`imagemarket.imaging.inspection.inspect`, confined. One picture at a time; safe to share between threads.

    A camera RAW is inspected in two processes of its own: LibRaw shows what it leaves unset as memory had it, so
    there must be nobody's picture in it, and where the two answers differ it has.
    """

    def __init__(
        self, *, seconds: float = DECODE_SECONDS, address_space_bytes: int | None = ADDRESS_SPACE_BYTES
    ) -> None:
        self._seconds = seconds
        self._address_space_bytes = address_space_bytes
        self._lock = threading.Lock()
        self._process: _Decoder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process that decodes what is no RAW, where one is running."""
        return self._process.pid if self._process and self._process.is_running else None

    def inspect(self, path: Path) -> Inspection:
        """What `inspect` of this path says, or raises.

        Raises:
            ImageRejected: As there. `UnreadableImage` also where the decoder crashes or takes longer than its
                time, or two developments of a RAW differ; `ImageTooLarge` also where it asks for more memory than it
                may have.
            DependencyUnavailable: The process was ended from outside.
        """
        with path.open("rb") as file, self._lock:
            if sniff(file) in RAW_FORMATS:
                return self._inspect_raw(file.fileno())
            if self._process is None or not self._process.is_running:
                self.close()
                self._process = _Decoder(self._address_space_bytes)
            try:
                return self._process.inspect(file.fileno(), seconds=self._seconds, of=self._seconds)
            finally:
                if not self._process.is_running:
                    self.close()

    def close(self) -> None:
        """End the process; the next picture starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _inspect_raw(self, descriptor: int) -> Inspection:
        ends, answers = time.monotonic() + self._seconds, list[Inspection]()
        for filling in _FILLINGS:
            process = _Decoder(self._address_space_bytes, filling=filling)
            try:
                left = max(ends - time.monotonic(), 0.001)
                answers.append(process.inspect(descriptor, seconds=left, of=self._seconds))
            finally:
                process.close()
        if answers[0] != answers[1]:
            raise UnreadableImage(
                "The RAW file is damaged: developed twice it gives two pictures, since it does not say all that is"
                " shown. Save it again, or upload a JPEG or TIFF made from it."
            )
        return answers[0]


class _Decoder:
    """One process of ours that decodes what it is handed, and the pipes to it.

    `filling` is the byte that glibc sets new memory to, so that what a decoder leaves unset is seen.
    """

    def __init__(self, address_space_bytes: int | None, *, filling: int | None = None) -> None:
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **ONE_THREAD}
        if filling is not None:
            environment["MALLOC_PERTURB_"] = str(filling)
        hide_memory()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter and this module
                    [sys.executable, "-P", "-m", "imagemarket.imaging.sandbox", str(address_space_bytes or 0)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    env=environment,
                )
            except OSError as error:  # no memory or no process number left: not the picture's fault
                self._orders.close()
                raise DependencyUnavailable("The decoder's process could not be started.") from error
        assert self._process.stdout is not None
        self._answers = self._process.stdout
        ready = self._answers.readline(_HEAD_BYTES_MAX)
        if not ready:
            self.close()
            raise DependencyUnavailable("The decoder's process did not start.")
        if unconfined := json.loads(ready)["unconfined"]:
            logger.warning("the decoder may do all that this user may", reason=unconfined)
            count("DecodersUnconfined")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def inspect(self, descriptor: int, *, seconds: float, of: float) -> Inspection:
        """The answer for an open file, or what it raises. Ends the process where there is none in time."""
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            answer = self._ask(descriptor)
        finally:
            timer.cancel()
        if answer is not None:
            return answer
        status = self._process.wait()
        if overdue.is_set():
            raise UnreadableImage(
                f"The picture could not be decoded within {of:g} seconds, the most that is spent on one."
            )
        if -status in _OURSELVES:
            raise DependencyUnavailable("The decoder's process was ended from outside.")
        if status < 0:
            raise UnreadableImage("The file is damaged: its decoder broke down over it.")
        raise DecoderError(f"status {status}")

    def close(self) -> None:
        self._process.kill()
        self._orders.close()
        with contextlib.suppress(OSError):
            self._answers.close()
        self._process.wait()

    def _ask(self, descriptor: int) -> Inspection | None:
        """What the process answers; None where it ends in place of an answer."""
        try:
            socket.send_fds(self._orders, [b"\n"], [descriptor])
        except OSError:
            return None
        line = self._answers.readline(_HEAD_BYTES_MAX)
        if not line.endswith(b"\n"):
            return None
        head = json.loads(line)
        if "refused" in head:
            raise _rejections()[head["refused"]](head["detail"])
        if "failed" in head:
            raise DecoderError(head["failed"])
        parts = [self._answers.read(min(size, _ANSWER_BYTES_MAX)) for size in head["sizes"]]
        if [len(part) for part in parts] != head["sizes"]:
            return None
        facts, master, model_input = parts
        return replace(TypeAdapter(Inspection).validate_json(facts), master=master, model_input=model_input)


def _rejections() -> dict[str, type[ImageRejected]]:
    return {error.__name__: error for error in error_classes(ImageRejected) if issubclass(error, ImageRejected)}


# --- the other side --------------------------------------------------------------------------------


def _serve(address_space_bytes: int) -> None:
    """Answer for each file that is handed over by standard input, a socket, until it is closed."""
    orders = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not come between
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from imagemarket.imaging.decoding import Source
    from imagemarket.imaging.inspection import inspect_source, load_libraries

    load_libraries()
    with Path(os.devnull).open("wb") as nothing:  # what is written there is the log's, which it would share with us
        os.dup2(nothing.fileno(), sys.stdout.fileno())
        os.dup2(nothing.fileno(), sys.stderr.fileno())
    adapter = TypeAdapter(Inspection)
    if address_space_bytes and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (address_space_bytes, address_space_bytes))
    _answer(answers, {"unconfined": confine()})
    while (handed := socket.recv_fds(orders, 1, 1))[0]:
        descriptor = handed[1][0]
        try:
            found = inspect_source(Source(descriptor))
        except ImageRejected as error:
            _answer(answers, {"refused": type(error).__name__, "detail": error.detail})
        except MemoryError:
            limit = f"{address_space_bytes / 1e6:,.0f} MB" if address_space_bytes else "there is"
            detail = f"Decoding the picture would take more memory than the {limit} that it may have."
            _answer(answers, {"refused": ImageTooLarge.__name__, "detail": detail})
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            _answer(answers, {"failed": raised(error)})
        else:
            facts = adapter.dump_json(replace(found, master=b"", model_input=b""))
            parts = (facts, found.master, found.model_input)
            _answer(answers, {"sizes": [len(part) for part in parts]}, *parts)
        finally:
            os.close(descriptor)


def _answer(answers: BinaryIO, head: dict[str, object], *parts: bytes) -> None:
    answers.write(json.dumps(head).encode() + b"\n")
    answers.writelines(parts)
    answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
