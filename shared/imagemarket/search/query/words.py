"""Plain words: what of a text is indexed and compared, the same for every engine.

Engines differ in how they cut texts into words, so they are given none to cut: `searchable` writes a document's text
as plain words with spaces between. What people write in several ways (T-shirt, Tshirt, t shirt; U.S.A., USA) is indexed
in parts and joined, and scripts without spaces letter by letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from imagemarket.platform.text import LINE_BREAK_HINTS

_DATA = Path(__file__).with_name("data")
PLURALS = _DATA / "plurals.txt"
SPELLINGS = _DATA / "spellings.txt"

# Quotation marks and dashes of any keyboard; those that NFKC does not make alike itself.
_SIGNS = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e\u301f\u300c\u300d\u300e\u300f\uff02", '"')
    | dict.fromkeys("\u2039\u203a\u275d\u275e\u3008\u3009\u300a\u300b\ufe41\ufe42\ufe43\ufe44\uff62\uff63", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u0060\u00b4\u02bc\uff07", "'")
    # the letters that Hawaiian, Arabic and others write as one, which people type as they can
    | dict.fromkeys("\u02b9\u02bb\u02bd\u02be\u02bf\ua78b\ua78c\u275b\u275c", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\u02d7\u2043\u2796\u2e3a\u2e3b", "-")
    | dict.fromkeys(LINE_BREAK_HINTS + "\u0640", "")  # a tatweel only draws a word out
    | {"\u266f": "#"}
)

# Accents and points that do not matter, where no one letter holds them (NFKC): of Latin, Greek and Cyrillic, of Hebrew
# and of Arabic, and those above signs.
_ACCENTS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
)
ACCENT = re.compile(f"[{_ACCENTS}]")
# The other marks belong to their word, such as the vowels of Indic scripts: two words may differ in nothing else.
_MARKS = "".join(
    chr(code)
    for codes in (range(0x700, 0x1E00), range(0xA800, 0xAC00), range(0x10A00, 0x11F60))
    for code in codes
    if unicodedata.category(chr(code))[0] == "M" and not ACCENT.match(chr(code))
)

_WORD = f"[^\\W_](?:[^\\W_]|[{_MARKS}])*"
# A word with what joins it to the next, or a name such as C#, C/C++ and .NET, C++20 with what stands behind it.
TERM = re.compile(
    r"(?:(?<![\w.])\.(?=net\b))?WORD(?:[-'./&+_]WORD)*(?:(?:\+\+|#)(?!\w)|(?<=(?<!\w)[^\W\d_])(?:\+\+|#)(?=\d))?".replace(
        "WORD", _WORD
    ),
    re.IGNORECASE,
)
_JOINTS = re.compile(r"[-'./&+_]")
NAMED = {"#": "sharp", "++": "plusplus"}
"""Signs behind a word that tell a name from another word, and what is written in their place."""
NAMED_BEFORE = {".": "dot"}
"""The same of signs before a word: .NET is no fishing net."""

# Scripts that put no spaces between words: kana, Han, Hangul, Thai, Lao, Burmese, Khmer.
UNSPACED = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7a3\u0e00-\u0eff\u1000-\u109f"
    "\u1780-\u17ff\U00020000-\U0003ffff]"
)

_LETTERS_ALIKE = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ħ": "h", "Ħ": "H", "\u0131": "i"}
    | {"\u03c2": "\u03c3", "\u03a3": "\u03c3"}  # the sigma at a word's end, and the capital, which may become it
    # as Lucene's normalizers of Arabic and Persian have it; a hamza above or below is an accent
    | {"\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a", "\u0629": "\u0647", "\u06a9": "\u0643"}
)
"""Letters of their own that people write in place of one another."""

STOP_WORDS = frozenset(
    "a am an and are as at be but by for he i if in into is it me my no not of on or s so such t that the their then"  # noqa: SIM905 - shorter
    " there these they this to up us was we will with".split()
)
"""Words that say nothing by themselves; both engines' own lists are near this one."""
NEVER_ALONE = STOP_WORDS | frozenset(
    "about above after again against all any because been before being below between both can did do does doing don"  # noqa: SIM905 - shorter
    " down during each few from further had has have having he her here hers herself him himself his how i its itself"
    " just me more most myself nor now off once only other our ours ourselves out over own same she should some than"
    " theirs them themselves those through too under until very we were what when where which while who whom why you"
    " your yours yourself yourselves".split()
)
"""With those that PostgreSQL passes over besides."""


def alike(text: str) -> str:
    """The text with one form of each letter and sign: quotation marks and dashes are those of a typewriter, and accents
    that are signs of their own are none."""
    return ACCENT.sub("", unicodedata.normalize("NFKC", text.translate(_SIGNS))).translate(_SIGNS)


def folded(term: str) -> str:
    """A term in plain letters, so that engines have none to fold, each in its own way."""
    if term.isascii():
        return term
    bare = ACCENT.sub("", unicodedata.normalize("NFD", term))
    return unicodedata.normalize("NFC", bare).translate(_LETTERS_ALIKE)


@lru_cache(maxsize=4096)
def parts_of(term: str) -> tuple[str, ...]:
    """The plain words that a term is made of."""
    term = folded(term)
    for sign, name in NAMED.items():  # of "C/C++" only the last part is a name
        if term.endswith(sign):
            *parts, last = parts_of(term.removesuffix(sign))
            return (*parts, f"{last}{name}".lower())
    for sign, name in NAMED_BEFORE.items():
        if term.startswith(sign):
            first, *parts = parts_of(term.removeprefix(sign))
            return (f"{name}{first}".lower(), *parts)
    if term.lower().endswith("'s") and len(term) > 3:
        term = term[:-2]
    return tuple(unit for part in _JOINTS.split(term) for unit in _units(part))


def _units(part: str) -> list[str]:
    """A word, or the letters of one in a script without spaces."""
    if not UNSPACED.search(part):
        return [part]
    units: list[str] = []
    run = ""
    for letter in part:
        if unicodedata.category(letter)[0] == "M" and not run and units:
            units[-1] += letter
        elif UNSPACED.match(letter):
            if run:
                units.append(run)
                run = ""
            units.append(letter)
        else:
            run += letter
    return [*units, run] if run else units


def joined_term(term: str, parts: tuple[str, ...]) -> str | None:
    """The term in one word, where it is made of several and is no number."""
    if len(parts) < 2 or UNSPACED.search(term) or not any(part.isalpha() for part in parts):
        return None
    return "".join(parts)


def pairs_up(one: str, other: str) -> bool:
    """Whether two words may be written in one: one of them is a letter or two, as in "t shirt", "wi fi", "3 d"."""
    short = {word for word in (one.lower(), other.lower()) if len(word) <= 2}
    return (
        bool(short)
        and (one + other).isalnum()
        and not (one + other).isdigit()
        and not short & (STOP_WORDS - LONE_LETTERS)
    )


LONE_LETTERS = frozenset("st")
"""Stop words that are half a word before another, as in "t shirt"."""


def searchable(text: str) -> str:
    """A text as engines index it: its words in their order, and behind them those that may be written in one."""
    words: list[str] = []
    joined: dict[str, None] = {}
    before: str | None = None
    letters: list[str] = []

    def spell() -> None:
        if len(letters) > 1:
            joined["".join(letters)] = None
        letters.clear()

    for match in TERM.finditer(alike(text)):
        term = match[0]
        parts = parts_of(term)
        words += parts
        if (whole := joined_term(term, parts)) is not None:
            joined[whole] = None
        single = parts[0] if len(parts) == 1 else None
        if single is None or len(single) > 1:
            spell()
        else:
            letters.append(single)
        if before is not None and single is not None and pairs_up(before, single):
            joined[before + single] = None
        before = single
    spell()
    return " ".join([*words, *joined])


@cache
def inflections() -> Mapping[str, tuple[str, ...]]:
    """Of words whose plural no stemmer makes one with its singular, the one of the other."""
    lines = PLURALS.read_text(encoding="utf-8").splitlines()
    pairs = [(plural, singular) for line in lines if line[0] != "#" for plural, singular in [line.split(": ")]]
    found: dict[str, tuple[str, ...]] = {}
    for plural, singulars in pairs:
        for singular in singulars.split():
            found[plural] = (*found.get(plural, ()), singular)
            found[singular] = (*found.get(singular, ()), plural)
    return found


@cache
def _spellings() -> Mapping[str, tuple[str, ...]]:
    """Of words that are spelt in several ways, all of these."""
    lines = SPELLINGS.read_text(encoding="utf-8").splitlines()
    groups = [tuple(line.split()) for line in lines if line[0] != "#"]
    return {word: group for group in groups for word in group}


def other_spellings(word: str) -> tuple[str, ...]:
    """How a word in lower case is spelt elsewhere: grey and gray are one."""
    return tuple(other for other in _spellings().get(word, ()) if other != word)


def one_spelling(word: str) -> str:
    """The same for all spellings of a word in lower case."""
    return _spellings().get(word, (word,))[0]


def other_numbers(word: str) -> tuple[str, ...]:
    """What a word in lower case may be the plural of, and a plural of it that is made otherwise than by an s."""
    regular = (word.removesuffix("s"),) if word.endswith("s") else ()
    return (*regular, *inflections().get(word, ()))
