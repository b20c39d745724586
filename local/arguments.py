"""Kinds of words that ./market's own commands take, and what they say of others."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

_MOST = 10**9
"""More than anything that is counted here; what takes the numbers has limits of its own beyond it."""


_DIGITS = 30
"""Of longer numbers Python makes none, or slowly."""


def at_least(least: int) -> Callable[[str], int]:
    """A whole number, not less than this, and not more than anybody means."""

    def read(text: str) -> int:
        digits = text.strip().removeprefix("+")
        number = 0 if not digits.isdecimal() else int(digits) if len(digits) <= _DIGITS else _MOST + 1
        if not digits.isdecimal() or number < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, {least} or more")
        if number > _MOST:
            raise argparse.ArgumentTypeError(f"{text[:_DIGITS]!r} is too much: {_MOST} at most")
        return number

    return read


def said(text: str) -> str:
    """Words that say something: those of a variable that is not set say nothing, and would match everything."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty (a variable that is not set?)")
    return text.strip()


def file_to_write(text: str) -> Path:
    """A file that can be written, known before the work whose outcome it takes; what stands in it stays until then."""
    path = Path(text)
    there = path.exists()
    try:
        if not there or path.is_file():
            path.open("ab").close()
            if not there:
                path.unlink()
        elif path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder: name a file in it")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {why}") from error
    return path
