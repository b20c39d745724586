"""Which passwords are too easy to guess: common ones, names, dates, keyboard rows, and how people vary them."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_GUESSES_LOG10 = 8.0
"""Guesses that a password must be good for, as a power of ten: beyond what the limits on sign-ins let through in
centuries, and a day's work per password for who has stolen bcrypt's hashes."""
_READ_CHARACTERS = 72
"""As much as the estimate takes, whose time grows with the square of it."""


def weakness_of(password: str, *, about: Sequence[str]) -> str | None:
    """Why the password is too easy to guess, or None. `about` are words that a guesser would try first.

    The estimate and its lists of common passwords, names and words are those of zxcvbn (Wheeler, USENIX Security
    2016).
    """
    from zxcvbn import zxcvbn

    found = zxcvbn(password[:_READ_CHARACTERS], user_inputs=list(about))
    if found["guesses_log10"] >= LEAST_GUESSES_LOG10:
        return None
    warning = str(found["feedback"]["warning"]).rstrip(".")
    because = f": {warning[0].lower()}{warning[1:]}" if warning else ""
    return f"is too easy to guess{because}; a phrase of several words is better"
