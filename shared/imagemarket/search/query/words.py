"""What a query's words ask for, and what of a text is indexed: the same for every engine.

Engines differ in how they cut texts into words, so they are given none to cut: `searchable` writes a document's text
as plain words with spaces between, and `read` makes of a query the words that they are compared with. What people
write in several ways (T-shirt, Tshirt, t shirt; U.S.A., USA) is indexed in parts and joined, and scripts without
spaces letter by letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, product
from pathlib import Path
from uuid import UUID

from imagemarket.platform.text import LINE_BREAK_HINTS

_DATA = Path(__file__).with_name("data")
PLURALS = _DATA / "plurals.txt"
SPELLINGS = _DATA / "spellings.txt"

LONGEST = 100
"""Clauses that are read at most: as many as fit in a query."""

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
_CLAUSE = re.compile(r'(-*)(?:"([^"]*)"|([^\s"]+))')
# A minus right behind a sign ("cat;-dog", "(-dog)"), which is one as well; ":-D" has none, nor has "(-5)".
_MINUS_BEHIND_A_SIGN = re.compile(r'(?<=[^\w\s"-])(?<!\s[:;=])(?<!^[:;=])-+(?=[(\[{]*(?:[^\W\d_]|"))')
_NOT_BEFORE_BRACKETS = re.compile(r"(?<![^\s(\[{])NOT(?=[(\[{])")
_PLUS = re.compile(r"(?<=[^\W\d_]{2})\+(?=\w)|(?<=\w)\+(?=[^\W\d_]{2})")
"""A plus between words, of which one at least has more than a letter: A+B is a name."""
_BETWEEN_WORDS = (
    r"(?:(?<=[^\W\d_]{3})/(?=[^\W\d_]{3})|(?<=[^\W\d_]{2})/(?=[^\W\d_]{4})|(?<=[^\W\d_]{4})/(?=[^\W\d_]{2}))"
)
_SLASH = re.compile(_BETWEEN_WORDS)
"""A slash between words, of which one may be short ("DJ/producer"): AC/DC and TCP/IP are names."""
_QUOTED_OR_LEFT_OUT = re.compile(r'("[^"]*"|(?<!\w)(?:-|NOT\s+)[^\s"]+)')
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_IN_APOSTROPHES = re.compile(r"""((?<![^\s(\[{,;|/])-+|(?<!\S)NOT\s+)'(?=[^\s'])((?:[^'"]|'(?=\w))*)'(?!\w)""")
"""A phrase behind a minus in apostrophes, which elsewhere are none: -'red cars'."""
_SEVERAL = re.compile(rf"[,;|]|{_BETWEEN_WORDS}")
"""Signs between things that are left out each: "-dogs,birds", "-cat/dog"; AC/DC is one."""
_BETWEEN = (",", ";", "|", "/")
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
_LETTERS = re.compile(r"[^\W_]")
_WORD = f"[^\\W_](?:[^\\W_]|[{_MARKS}])*"
# A word with what joins it to the next, or a name such as C#, C/C++ and .NET, C++20 with what stands behind it.
_TERM = re.compile(
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
_UNSPACED = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7a3\u0e00-\u0eff\u1000-\u109f"
    "\u1780-\u17ff\U00020000-\U0003ffff]"
)
_AROUND_AN_ID = " \t\r\n\"'.,;:!?()[]{}<>"
_LETTERS_ALIKE = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ħ": "h", "Ħ": "H", "\u0131": "i"}
    | {"\u03c2": "\u03c3", "\u03a3": "\u03c3"}  # the sigma at a word's end, and the capital, which may become it
    # as Lucene's normalizers of Arabic and Persian have it; a hamza above or below is an accent
    | {"\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a", "\u0629": "\u0647", "\u06a9": "\u0643"}
)
"""Letters of their own that people write in place of one another."""
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

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
def _parts(term: str) -> tuple[str, ...]:
    """The plain words that a term is made of."""
    term = folded(term)
    for sign, name in NAMED.items():  # of "C/C++" only the last part is a name
        if term.endswith(sign):
            *parts, last = _parts(term.removesuffix(sign))
            return (*parts, f"{last}{name}".lower())
    for sign, name in NAMED_BEFORE.items():
        if term.startswith(sign):
            first, *parts = _parts(term.removeprefix(sign))
            return (f"{name}{first}".lower(), *parts)
    if term.lower().endswith("'s") and len(term) > 3:
        term = term[:-2]
    return tuple(unit for part in _JOINTS.split(term) for unit in _units(part))


def _units(part: str) -> list[str]:
    """A word, or the letters of one in a script without spaces."""
    if not _UNSPACED.search(part):
        return [part]
    units: list[str] = []
    run = ""
    for letter in part:
        if unicodedata.category(letter)[0] == "M" and not run and units:
            units[-1] += letter
        elif _UNSPACED.match(letter):
            if run:
                units.append(run)
                run = ""
            units.append(letter)
        else:
            run += letter
    return [*units, run] if run else units


def _joined(term: str, parts: tuple[str, ...]) -> str | None:
    """The term in one word, where it is made of several and is no number."""
    if len(parts) < 2 or _UNSPACED.search(term) or not any(part.isalpha() for part in parts):
        return None
    return "".join(parts)


def _pairs(one: str, other: str) -> bool:
    """Whether two words may be written in one: one of them is a letter or two, as in "t shirt", "wi fi", "3 d"."""
    short = {word for word in (one.lower(), other.lower()) if len(word) <= 2}
    return bool(short) and (one + other).isalnum() and not (one + other).isdigit() and not short & (STOP_WORDS - _LONE)


_NO = frozenset({"not", "without", "no"})
_LONE = frozenset("st")
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

    for match in _TERM.finditer(alike(text)):
        term = match[0]
        parts = _parts(term)
        words += parts
        if (whole := _joined(term, parts)) is not None:
            joined[whole] = None
        single = parts[0] if len(parts) == 1 else None
        if single is None or len(single) > 1:
            spell()
        else:
            letters.append(single)
        if before is not None and single is not None and _pairs(before, single):
            joined[before + single] = None
        before = single
    spell()
    return " ".join([*words, *joined])


@cache
def _inflections() -> Mapping[str, tuple[str, ...]]:
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
    return (*regular, *_inflections().get(word, ()))


@dataclass(frozen=True)
class Form:
    """Plain words that a document must have, all of them, or side by side in this order."""

    words: tuple[str, ...]
    side_by_side: bool = False
    inflected: bool = False
    """Whether the plural or the singular of the word that was typed."""


@dataclass(frozen=True)
class Clause:
    """Words that a document must have, as a phrase or at all, or must not have."""

    text: str
    phrase: bool = False
    excluded: bool = False
    added: bool = False
    """Whether another way of putting it, which nobody typed."""

    @property
    def strict(self) -> bool:
        """Whether it says exactly what is wanted: quotes, a minus, and names whose sign tells them from others."""
        return (
            self.phrase
            or self.excluded
            or self.text.endswith(tuple(NAMED))
            or self.text.startswith(tuple(NAMED_BEFORE))
        )

    @property
    def replaceable(self) -> bool:
        """Whether it may be put otherwise: what was typed, and not as exactly what is wanted."""
        return not self.strict and not self.added

    def write(self) -> str:
        """As a person would type it."""
        together = self.phrase or (self.excluded and " " in self.text)
        return ("-" if self.excluded else "") + (f'"{self.text}"' if together else self.text)

    @property
    def forms(self) -> tuple[Form, ...]:
        """The ways in which documents may have it."""
        terms = self.text.split()
        parts = tuple(part for term in terms for part in _parts(term))
        if len(terms) != 1:
            return (Form(parts, side_by_side=self.phrase),)
        if self.phrase:
            return self._written(parts)
        spelt = [(part, *other_spellings(part.lower())) for part in parts]
        ways = islice(product(*spelt), _MOST_SPELLINGS)
        return (*(form for way in ways for form in self._written(way)), *_inflected(parts))

    def _written(self, parts: tuple[str, ...]) -> tuple[Form, ...]:
        """A single term, of these parts, in one word and in several."""
        whole = _joined(self.text, parts)
        if whole is None:
            return (Form(parts, side_by_side=len(parts) > 1),)
        telling = [part for part in parts if len(part) > 1 and part.lower() not in STOP_WORDS]
        apart = (Form(parts, side_by_side=True),) if len(telling) > 1 else ()
        return (Form((whole,)), *apart)


_MOST_SPELLINGS = 4
"""In how many ways a term is looked for at most, which engines' clauses are counted by."""


def _inflected(parts: tuple[str, ...]) -> Iterator[Form]:
    """The other numbers of a single word, in all their spellings."""
    if len(parts) == 1:
        others = {
            other for each in _inflections().get(parts[0].lower(), ()) for other in (each, *other_spellings(each))
        }
        yield from (Form((other,), inflected=True) for other in sorted(others))


@dataclass(frozen=True)
class Words:
    """A query: of each group any clause is wanted, and every group."""

    groups: tuple[tuple[Clause, ...], ...]
    image_id: UUID | None = None
    """Set where the query is an image's id and nothing else."""

    @property
    def plain(self) -> bool:
        """Whether they are words alone. Quotes, minus and `or` say exactly what is wanted, so only plain words
        may be loosened to any of them."""
        typed = [[clause for clause in group if not clause.added] for group in self.groups]
        return all(len(group) == 1 and not group[0].strict for group in typed)

    @property
    def only_without(self) -> bool:
        """Whether nothing is wanted but that something is not there, so that nothing ranks what is found."""
        return bool(self.groups) and all(clause.excluded or clause.added for group in self.groups for clause in group)

    @property
    def leaves_out(self) -> bool:
        """Whether something is not wanted."""
        return any(clause.excluded for group in self.groups for clause in group)

    @property
    def replaceable(self) -> frozenset[str]:
        """The words, and two of them as one, that may be put otherwise."""
        return frozenset(clause.text for group in self.groups for clause in group if clause.replaceable)

    @property
    def exact(self) -> Words:
        """What quotes and minus say, which holds for every result however it was found."""
        return Words(tuple(group for group in self.groups if any(each.strict for each in group)))

    @property
    def meant(self) -> str:
        """The words without those that are not wanted, as one would say what the picture shows."""
        return " ".join(
            clause.text for group in self.groups for clause in group if not clause.excluded and not clause.added
        )

    def write(self) -> str:
        """The query again, without the signs that mean nothing."""
        if self.image_id is not None:
            return str(self.image_id)
        typed = [[clause for clause in group if not clause.added] for group in self.groups]
        return " ".join(" or ".join(clause.write() for clause in group) for group in typed)

    def with_synonyms(self, instead: dict[str, tuple[str, ...]]) -> Words:
        """The same, each word also in the other ways of putting it, and two side by side ("line up") as one."""
        groups: list[tuple[Clause, ...]] = []
        place = 0
        while place < len(self.groups):
            group, pair = self.groups[place], self.groups[place : place + 2]
            plain = len(pair) == 2 and all(len(each) == 1 and not each[0].strict for each in pair)
            if plain and (both := f"{pair[0][0].text} {pair[1][0].text}") in instead:
                group, place = (Clause(both),), place + 1
            place += 1
            others = [other for clause in group if clause.replaceable for other in instead.get(clause.text, ())]
            groups.append((*group, *(Clause(other, added=True) for other in others)))
        return Words(tuple(groups), self.image_id)

    def sparing(self, same: Mapping[str, tuple[str, ...]]) -> Words:
        """The same, but that what is not wanted leaves out no picture that has one of these phrases, which say the
        same: "no strings attached" is no picture of strings."""
        groups = [
            (*group, *(Clause(each, phrase=True, added=True) for each in same.get(group[0].write()[1:], ())))
            if len(group) == 1 and group[0].excluded
            else group
            for group in self.groups
        ]
        return Words(tuple(groups), self.image_id)


def signs_apart(text: str) -> str:
    """The text with a space behind a `NOT` before brackets, and a plus or a slash between words as the joint that it
    is. Where nothing else parts the words, as in an address that was pasted, a plus is the space between them."""
    text = _NOT_BEFORE_BRACKETS.sub("NOT ", text)
    joint = " + " if re.search(r"\s", text.strip()) else " "
    parts = _QUOTED_OR_LEFT_OUT.split(text)
    parts[::2] = [_SLASH.sub(" / ", _PLUS.sub(joint, part)) for part in parts[::2]]
    return "".join(parts)


def with_quotes_closed(text: str) -> str:
    """The text without a quotation mark that nothing closes; behind a minus it takes in what follows, which is not
    wanted."""
    if text.count('"') % 2 == 0:
        return text
    before, behind = text.rsplit('"', 1)
    minus = before.endswith("-") and not before.rstrip("-")[-1:].isalnum()
    return f'{text}"' if minus and _LETTERS.search(behind) else f"{before} {behind}"


def read(text: str | Words) -> Words:
    """Quotes keep a phrase as it is, a minus or `NOT` before a word or a phrase excludes it, `or` stands between
    alternatives. Everything else is words; signs are nothing."""
    return text if isinstance(text, Words) else _read(text)


@lru_cache(maxsize=256)
def _read(text: str) -> Words:
    if _ID.fullmatch(bare := alike(text).strip(_AROUND_AN_ID)):
        return Words((), UUID(bare))
    groups: list[tuple[Clause, ...]] = []
    joins = negates = goes_on = False
    within, end = 0, -1
    typed = signs_apart(_IN_APOSTROPHES.sub(r'\1"\2"', alike(text)))
    found = _CLAUSE.finditer(_minuses_apart(with_quotes_closed(typed)))
    matches = list(islice(found, LONGEST))
    said = [match.groups(default="") for match in matches]
    for place, (minus, quoted, typed) in enumerate(said):
        joined, end = matches[place].start() == end, matches[place].end()
        bare = "NOT" if typed.lstrip("([{") == "NOT" else typed
        if not minus and not quoted and (bare.lower() == "or" or bare in {"NOT", "AND"}):
            following = said[place + 1][2].lstrip("([{") if place + 1 < len(said) else ""
            # "with or without" and "ready or not" are no alternatives; "cat or NOT dog" is one
            joins = (joins and bare == "NOT") or (
                bare.lower() == "or"
                and bool(groups)
                and not within
                and (following == "NOT" or following.lower() not in _NO)
            )
            negates = bare == "NOT"
            continue
        terms = [term for term in _TERM.findall(quoted or bare) if _parts(term)]
        if negates and not quoted and terms and all(term.lower() in STOP_WORDS for term in terms):
            if bare.islower():  # "NOT in the mist"
                continue
            negates = False  # "NOT FOR SALE"
        if within or ((minus or negates) and bare.startswith(_OPENING)):
            within += sum(bare.count(sign) for sign in _OPENING)
        # -"cars","trucks" is a list of what is not wanted
        goes_on = joined and goes_on and (bool(quoted) or typed.startswith(_BETWEEN))
        excluded = bool(minus) or negates or bool(within) or goes_on
        within = max(0, within - sum(bare.count(sign) for sign in _CLOSING))
        goes_on = excluded and (typed.endswith(_BETWEEN) or bool(quoted))
        if not quoted and not minus:  # an alternative to nothing, by which nothing is found
            terms = [term for term in terms if term.lower() != "or"]
        if not terms:
            negates = negates and bool(within)  # "NOT ( a"
            continue
        negates = False
        several = excluded and not quoted and _SEVERAL.search(bare)
        if several:
            terms = [term for part in _SEVERAL.split(bare) for term in _TERM.findall(part) if _parts(term)]
        # what is never looked for by itself is looked for as it stands
        for part in terms if several or not (quoted or excluded) else [" ".join(terms)]:
            stopped = excluded and all(word.lower() in NEVER_ALONE for word in part.split())
            clause = Clause(part, phrase=bool(quoted) or stopped, excluded=excluded)
            if joins:
                groups[-1] = (*groups[-1], clause)
            else:
                groups.append((clause,))
            joins = False
    return Words(tuple(dict.fromkeys(tuple(dict.fromkeys(group)) for group in _written_in_one(groups))))


def _minuses_apart(text: str) -> str:
    """The text with a space before each minus that stands right behind a sign, but for what is in quotes."""
    outside = text.split('"')
    outside[::2] = [_MINUS_BEHIND_A_SIGN.sub(r" \g<0>", f'{part}"')[:-1] for part in outside[::2]]
    return '"'.join(outside)


def _written_in_one(groups: list[tuple[Clause, ...]]) -> list[tuple[Clause, ...]]:
    """The groups, words that may be written in one with the next as an alternative: "t shirt" is "tshirt" as well, and
    letters by themselves are a word together."""
    kept: list[tuple[Clause, ...]] = []
    place = 0
    while place < len(groups):
        run = _single_letters(groups, place)
        if len(run) > 1:
            kept.append((Clause("".join(run)),))
            place += len(run)
            continue
        following = groups[place + 1] if place + 1 < len(groups) else ()
        one, other = _bare(groups[place]), _bare(following)
        if one and other and len(_single_letters(groups, place + 1)) < 2 and _pairs(one, other):
            together = Clause(f"{one}-{other}", added=one.lower() not in _LONE)
            kept.append((Clause(f"{one} {other}"), together) if together.added else (together,))
            place += 2
            continue
        kept.append(groups[place])
        place += 1
    return kept


def _bare(group: tuple[Clause, ...]) -> str:
    """The one plain word of a group; empty where it is something else."""
    if len(group) != 1 or group[0].strict or not group[0].text.isalnum() or _UNSPACED.search(group[0].text):
        return ""
    return group[0].text


def _single_letters(groups: list[tuple[Clause, ...]], place: int) -> list[str]:
    found: list[str] = []
    for group in groups[place:]:
        word = _bare(group)
        if len(word) != 1 or not word.isalpha():
            break
        found.append(word)
    # Of "plan b a day" no letters are a word together, of "u s a" they are.
    return found if len(found) > 2 or not {"a", "i"} & {word.lower() for word in found} else found[:1]
