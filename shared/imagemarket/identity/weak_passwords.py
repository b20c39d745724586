"""Which passwords are too easy to guess: common ones, names, dates, keyboard rows, and how people vary them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log10
from typing import Any

LEAST_GUESSES_LOG10 = 8.0
"""Guesses that a password must be good for, as a power of ten: beyond what the limits on sign-ins let through in
centuries, and a day's work per password for who has stolen bcrypt's hashes."""
_READ_CHARACTERS = 72
"""As much as the estimate takes, whose time grows with the square of it."""


def weakness_of(password: str, *, about: Sequence[str]) -> str | None:
    """Why the password is too easy to guess, or None. `about` are words that a guesser would try first.

    The estimate and its lists of common passwords, names and words are those of zxcvbn (Wheeler, USENIX Security
    2016); it is made of the letters and digits alone as well, since who guesses "passwordpassword" guesses
    "password password", too.
    """
    found = min(
        (_estimate(text, about) for text in {password, re.sub(r"[\W_]+", "", password)} if text),
        key=lambda estimate: estimate["guesses_log10"],
    )
    if found["guesses_log10"] >= LEAST_GUESSES_LOG10:
        return None
    warning = str(found["feedback"]["warning"]).rstrip(".")
    because = f": {warning[0].lower()}{warning[1:]}" if warning else ""
    return f"is too easy to guess{because}; a phrase of several words is better"


def _estimate(text: str, about: Sequence[str]) -> dict[str, Any]:
    """zxcvbn's, without the 10^4 guesses that it adds for each further part, however common all of them are."""
    from zxcvbn import zxcvbn

    found = zxcvbn(text[:_READ_CHARACTERS], user_inputs=list(about))
    parts = sum(log10(part.get("guesses", 1)) for part in found["sequence"])
    return {**found, "guesses_log10": min(found["guesses_log10"], parts)}
