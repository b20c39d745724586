"""Which passwords are too easy to guess: common ones, names, dates, keyboard rows, and how people vary them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from math import log10
from pathlib import Path
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
_PLAIN_LETTERS = str.maketrans({"đ": "d", "ð": "d", "\u0131": "i", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss"})
"""Letters that Unicode does not take apart."""
_GUESSED_FIRST = Path(__file__).parent / "data" / "guessed_first.txt"
_ELSEWHERE = tuple(str.maketrans(layout, _KEYS) for layout in _LAYOUTS)


def weakness_of(password: str, *, about: Sequence[str]) -> str | None:
    """Why the password is too easy to guess, or None. `about` are words that a guesser would try first.

    The estimate and its lists of common passwords, names and words are those of zxcvbn (Wheeler, USENIX Security
    2016); it is made of the letters and digits alone as well, since who guesses "passwordpassword" guesses
    "password password", too. It knows the rows of American keyboards, so that it is made of what the same keys would
    write there as well. Accents count for nothing, which guessers leave out too, and a list of our own has what the
    others lack: words of other languages and phrases that everybody has heard.
    """
    words = tuple(dict.fromkeys([*_words_of(about), *_guessed_first()]))
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
    bare = _letters_of(password)
    for text in (password, bare, _plain(password), _letters_of(_plain(password))):
        yield text
    for text in (password, bare):
        for keys in _ELSEWHERE:
            yield text.lower().translate(keys)


def _words_of(about: Sequence[str]) -> Iterator[str]:
    """Each with its parts, and without what stands above its letters."""
    for text in about:
        for spelling in (text, _plain(text)):
            yield spelling
            yield from re.findall(r"[^\W_]{3,}", spelling)


def _plain(text: str) -> str:
    """In lower case, without what stands above or below its letters."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN_LETTERS))
    return "".join(each for each in apart if not unicodedata.combining(each))


def _letters_of(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


@cache
def _guessed_first() -> tuple[str, ...]:
    lines = _GUESSED_FIRST.read_text(encoding="utf-8").splitlines()
    entries = (entry for line in lines if not line.startswith("#") for entry in line.lower().split(","))
    spellings = (_letters_of(text) for entry in entries for text in (entry, _plain(entry)))
    return tuple(dict.fromkeys(text for text in spellings if text))


def _estimate(text: str, about: Sequence[str]) -> dict[str, Any]:
    """zxcvbn's, without the 10^4 guesses that it adds for each further part, however common all of them are."""
    from zxcvbn import zxcvbn

    found = zxcvbn(text[:_READ_CHARACTERS], user_inputs=list(about))
    parts = sum(log10(part.get("guesses", 1)) for part in found["sequence"])
    return {**found, "guesses_log10": min(found["guesses_log10"], parts)}
