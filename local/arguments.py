"""Kinds of words that ./market's own commands take, and what they say of others."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """A whole number, not less than this."""

    def read(text: str) -> int:
        if not text.strip().removeprefix("+").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, {least} or more")
        return int(text)

    return read


def said(text: str) -> str:
    """Words that say something: those of a variable that is not set say nothing, and would match everything."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty (a variable that is not set?)")
    return text.strip()
