"""A command whose reader has gone (`| head`): it ends without a word, as programs do that SIGPIPE ends."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from typing import TextIO

READER_GONE = 141
"""The shell's status of a program that SIGPIPE ended (128 and the signal's number)."""


def until_nobody_reads(run: Callable[[], int]) -> int:
    """The exit status of what `run` does; `READER_GONE` where there is nobody any more to read it.

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
    except SystemExit as ended:  # so typer and rich do it
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
    for stream in _outputs():
        if _is_closed(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return READER_GONE


def shell_status(returncode: int) -> int:
    """How a shell tells the end of a process; `subprocess` counts signals below zero."""
    return returncode if returncode >= 0 else 128 - returncode


def _outputs() -> list[TextIO]:
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


def _is_closed(stream: TextIO) -> bool:
    """Whether the other end of a pipe is closed."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return bool(poll.poll(0))
