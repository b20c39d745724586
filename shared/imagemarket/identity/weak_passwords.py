"""Which passwords are too easy to guess: common ones, names, dates, keyboard rows, and how people vary them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, groupby
from math import comb, log10, prod
from pathlib import Path
from typing import Any

LEAST_GUESSES_LOG10 = 8.0
"""Guesses that a password must be good for, as a power of ten: beyond what the limits on sign-ins let through in
centuries, and a day's work per password for who has stolen bcrypt's hashes."""
_READ_CHARACTERS = 72
"""As much as the estimate takes, whose time grows with the square of it."""
_MOST_DISGUISES = 16
"""Ways to read signs as letters, each of which takes as long as the rest of the estimate."""

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
_IN_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
"""As Germans and Danes write theirs where there is no key for them."""
_HANGUL_KEYS = {
    ord(first) + place: key
    for first, keys in (
        ("\u1100", "r r s e e f a q q t t d w w c z x v g"),
        ("\u1161", "k o i o j p u p h hk ho hl y n nj np nl b m ml l"),
        ("\u11a8", "r r rt s sw sg e f fr fa fq ft fx fv fg a q qt t t d w c z x v g"),
    )
    for place, key in enumerate(keys.split())
}
"""The keys of Korea's keyboard (KS X 5002) for the letters of a syllable: those that begin it, vowels, those that end
it."""
_DATA = Path(__file__).parent / "data"
_GUESSED_FIRST, _GUESSED_IN_ORDER = _DATA / "guessed_first.txt", _DATA / "guessed_in_order.txt"
_ELSEWHERE = tuple(str.maketrans(layout, _KEYS) for layout in _LAYOUTS)


def weakness_of(password: str, *, about: Sequence[str]) -> str | None:
    """Why the password is too easy to guess, or None. `about` are words that a guesser would try first.

    The estimate and its lists of common passwords, names and words are those of zxcvbn (Wheeler, USENIX Security
    2016); it is made of the letters and digits alone as well, since who guesses "passwordpassword" guesses
    "password password", too. It knows the rows of American keyboards, so that it is made of what the same keys would
    write there as well. Accents count for nothing, which guessers leave out too, nor does a key pressed twice each
    time. Lists of our own have what the others lack: words of other languages, also as who forgets to change the
    keyboard's language types them, phrases that everybody has heard, and what people recite in order.
    """
    words = tuple(dict.fromkeys(_words_of(about)))
    found = min(
        (_estimate(text, words, further) for text, further in dict(_readings(password)).items() if text),
        key=lambda estimate: estimate["guesses_log10"],
    )
    if found["guesses_log10"] >= LEAST_GUESSES_LOG10:
        return None
    warning = str(found["feedback"]["warning"]).rstrip(".")
    because = f": {warning[0].lower()}{warning[1:]}" if warning else ""
    return f"is too easy to guess{because}; a phrase of several words is better"


def _readings(password: str) -> Iterator[tuple[str, float]]:
    """What a password may be read as, and the guesses that the reading leaves out, as a power of ten: none for one
    kind of sign, which may stand between all words; for more one for each further kind, and those for where signs
    stand."""
    bare = _letters_of(password)
    signs = [each for each in password if unicodedata.category(each)[0] in "PSZ"]
    kinds = len(set(signs))
    without_signs = 0 if kinds < 2 else kinds - 1 + log10(comb(len(password), len(signs)))
    for text, further in ((password, 0.0), (bare, without_signs)):
        yield text, further
        yield _plain(text), further
        for keys in _ELSEWHERE:
            yield text.lower().translate(keys), further
        runs = [(key, len(list(run))) for key, run in groupby(text)]
        if all(length > 1 for _, length in runs):
            yield "".join(key for key, _ in runs), further


def _words_of(about: Sequence[str]) -> Iterator[str]:
    """Each with its parts, and without what stands above its letters."""
    for text in about:
        for spelling in (text, _plain(text)):
            yield spelling
            yield from re.findall(r"[^\W_]{3,}", spelling)


def _plain(text: str) -> str:
    """In lower case, without what stands above or below its letters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN_LETTERS))
    return "".join(each for each in apart if not unicodedata.combining(each))


def _letters_of(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


@cache
def _give_lists() -> None:
    """Hands zxcvbn our lists once; as a user's words they would be read anew for each estimate."""
    from zxcvbn.matching import RANKED_DICTIONARIES

    RANKED_DICTIONARIES["guessed_first"] = _guesses()


def _guesses() -> dict[str, int]:
    """The guesses that each text of our lists takes: an entry's rank; of a row's part, as many as the rows up to its
    own have, were they all as long."""
    guesses: dict[str, int] = {}
    for rank, entry in enumerate((each for line in _lines(_GUESSED_FIRST) for each in line.split(",")), 1):
        for text in _spellings(entry):
            guesses.setdefault(text, rank)
    for place, row in enumerate(map(str.split, _lines(_GUESSED_IN_ORDER)), 1):
        parts = [row[first:last] for first, last in combinations(range(len(row) + 1), 2) if last - first > 1]
        for part in parts:
            for text in (*_spellings("".join(part)), *_spellings("".join(reversed(part)))):
                guesses[text] = min(guesses.get(text, place * len(parts)), place * len(parts))
    return guesses


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").lower().splitlines() if line and line[0] != "#"]


def _spellings(entry: str) -> set[str]:
    """An entry as people type it: with accents, without, in two letters, and on the keys of a Latin keyboard."""
    entry = re.sub(r"\s", "", entry)
    written = {entry, _plain(entry), _plain(entry.translate(_IN_TWO_LETTERS))}
    keyed = {entry.translate(keys) for keys in _ELSEWHERE} if not entry.isascii() else set()
    keyed.add(unicodedata.normalize("NFD", entry).translate(_HANGUL_KEYS))
    written |= {text for text in keyed if text.isascii()}
    return (written | set(map(_letters_of, written))) - {""}


def _in_few_disguises(text: str) -> str:
    """The text with its signs told from no letter where too many would stand for one.

    zxcvbn reads the text once for each way to take its signs for letters, as "p@$$" for "pass": for every letter it
    takes one of the signs that stand for it, and there are up to 576 ways. Who disguises a word has a sign for a
    letter.
    """
    from zxcvbn.matching import L33T_TABLE

    ways = prod(max(1, sum(sign in text for sign in signs)) for signs in L33T_TABLE.values())
    if ways <= _MOST_DISGUISES:
        return text
    return re.sub(r"[^\w\s]", "~", text)


def _estimate(text: str, about: Sequence[str], further: float) -> dict[str, Any]:
    """zxcvbn's, without the 10^4 guesses that it adds for each further part, however common all of them are, and
    without those for a part that comes again; with those for where among random signs the known parts stand, and with
    10^`further`."""
    from zxcvbn import zxcvbn

    _give_lists()
    found = zxcvbn(_in_few_disguises(text[:_READ_CHARACTERS]), user_inputs=list(about))
    parts = {part["token"].lower(): log10(part.get("guesses", 1)) for part in found["sequence"]}
    known = {part["token"].lower() for part in found["sequence"] if part["pattern"] != "bruteforce"}
    apart = sum(parts.values()) + log10(comb(len(parts), len(known)))
    return {**found, "guesses_log10": min(found["guesses_log10"], apart) + further}
