"""A command whose reader has gone (`| head`): it ends without a word, as programs do that SIGPIPE ends. One whose
output cannot be written (a full disk) says so in a line."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable, Iterable
from typing import TextIO

READER_GONE = 141
"""The shell's status of a program that SIGPIPE ended (128 and the signal's number)."""

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""A disk that takes no more, or no longer."""


def until_nobody_reads(run: Callable[[], int]) -> int:
    """The exit status of what `run` does; `READER_GONE` where there is nobody any more to read it, 1 where its output
    cannot be written.

    The signal itself is no help: it would also end a command one of whose connections broke.
    """
    try:
        try:
            return run()
        finally:
            for stream in _outputs():
                stream.flush()  # what is left would be told of at the interpreter's end
    except BrokenPipeError:
        if not any(_is_closed(stream) for stream in _outputs()):
            raise
    except OSError as error:
        if error.errno not in DISK_FULL or error.filename is not None:
            raise
        _silence([stream for stream in _outputs() if not _takes_what_is_left(stream)])
        with contextlib.suppress(OSError):
            print(f"What there is to write cannot be written: {error.strerror}", file=sys.stderr, flush=True)
        return 1
    except SystemExit as ended:  # so typer and rich do it
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
    _silence([stream for stream in _outputs() if _is_closed(stream)])
    return READER_GONE


def shell_status(returncode: int) -> int:
    """How a shell tells the end of a process; `subprocess` counts signals below zero."""
    return returncode if returncode >= 0 else 128 - returncode


def _outputs() -> list[TextIO]:
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


def _silence(streams: Iterable[TextIO]) -> None:
    """What is left in them goes nowhere, and the interpreter's end has nothing to tell of."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _takes_what_is_left(stream: TextIO) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _is_closed(stream: TextIO) -> bool:
    """Whether the other end of a pipe is closed."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return bool(poll.poll(0))
