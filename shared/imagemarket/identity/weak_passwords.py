"""Which passwords are too easy to guess: common ones, names, dates, keyboard rows, and how people vary them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from math import log10
from typing import Any

LEAST_GUESSES_LOG10 = 8.0
"""Guesses that a password must be good for, as a power of ten: beyond what the limits on sign-ins let through in
centuries, and a day's work per password for who has stolen bcrypt's hashes."""
_READ_CHARACTERS = 72
"""As much as the estimate takes, whose time grows with the square of it."""


_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,./"
_LAYOUTS = (
    "azertyuiop^$qsdfghjklmùwxcvbn,;:!",
    "qwertzuiopü+asdfghjklöäyxcvbnm,.-",
    "йцукенгшщзхъфывапролджэячсмитьбю.",
    "йцукенгшщзхїфівапролджєячсмитьбю.",
    ";ςερτυθιοπ[]ασδφγηξκλ\u0384'ζχψωβνμ,./",
    "/'קראטוןםפ[]שדגכעיחלךף,זסבהנמצתץ.",
    "ضصثقفغعهخحجدشسيبلاتنمكطئءؤر\0ىةوزظ",
    "ضصثقفغعهخحجچشسیبلاتنمکگظطزرذدپو./",
)
"""What the same keys write elsewhere: in France, Germany, Russia, Ukraine, Greece, Israel, Arab countries (where one
writes two letters) and Iran."""
_ELSEWHERE = tuple(str.maketrans(layout, _KEYS) for layout in _LAYOUTS)


def weakness_of(password: str, *, about: Sequence[str]) -> str | None:
    """Why the password is too easy to guess, or None. `about` are words that a guesser would try first.

    The estimate and its lists of common passwords, names and words are those of zxcvbn (Wheeler, USENIX Security
    2016); it is made of the letters and digits alone as well, since who guesses "passwordpassword" guesses
    "password password", too. It knows the rows of American keyboards, so that it is made of what the same keys would
    write there as well.
    """
    words = tuple(dict.fromkeys(_words_of(about)))
    found = min(
        (_estimate(text, words) for text in dict.fromkeys(_readings(password)) if text),
        key=lambda estimate: estimate["guesses_log10"],
    )
    if found["guesses_log10"] >= LEAST_GUESSES_LOG10:
        return None
    warning = str(found["feedback"]["warning"]).rstrip(".")
    because = f": {warning[0].lower()}{warning[1:]}" if warning else ""
    return f"is too easy to guess{because}; a phrase of several words is better"


def _readings(password: str) -> Iterator[str]:
    for text in (password, re.sub(r"[\W_]+", "", password)):
        yield text
        for keys in _ELSEWHERE:
            yield text.lower().translate(keys)


def _words_of(about: Sequence[str]) -> Iterator[str]:
    """Each with its parts, and without what stands above its letters."""
    for text in about:
        plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
        for spelling in (text, plain):
            yield spelling
            yield from re.findall(r"[^\W_]{3,}", spelling)


def _estimate(text: str, about: Sequence[str]) -> dict[str, Any]:
    """zxcvbn's, without the 10^4 guesses that it adds for each further part, however common all of them are."""
    from zxcvbn import zxcvbn

    found = zxcvbn(text[:_READ_CHARACTERS], user_inputs=list(about))
    parts = sum(log10(part.get("guesses", 1)) for part in found["sequence"])
    return {**found, "guesses_log10": min(found["guesses_log10"], parts)}
