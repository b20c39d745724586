"""The syntax of a query: `read` makes of it the plain words that documents are compared with.

Quotes keep a phrase, a minus or `NOT` excludes, and `or` stands between alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from uuid import UUID

from imagemarket.search.query.words import (
    LONE_LETTERS,
    NAMED,
    NAMED_BEFORE,
    NEVER_ALONE,
    STOP_WORDS,
    TERM,
    UNSPACED,
    alike,
    inflections,
    joined_term,
    other_spellings,
    pairs_up,
    parts_of,
)

LONGEST = 100
"""Clauses that are read at most: as many as fit in a query."""

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

_LETTERS = re.compile(r"[^\W_]")

_AROUND_AN_ID = " \t\r\n\"'.,;:!?()[]{}<>"

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)

_NO = frozenset({"not", "without", "no"})


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
        parts = tuple(part for term in terms for part in parts_of(term))
        if len(terms) != 1:
            return (Form(parts, side_by_side=self.phrase),)
        if self.phrase:
            return self._written(parts)
        spelt = [(part, *other_spellings(part.lower())) for part in parts]
        ways = islice(product(*spelt), _MOST_SPELLINGS)
        return (*(form for way in ways for form in self._written(way)), *_inflected(parts))

    def _written(self, parts: tuple[str, ...]) -> tuple[Form, ...]:
        """A single term, of these parts, in one word and in several."""
        whole = joined_term(self.text, parts)
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
        others = {other for each in inflections().get(parts[0].lower(), ()) for other in (each, *other_spellings(each))}
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
        terms = [term for term in TERM.findall(quoted or bare) if parts_of(term)]
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
            terms = [term for part in _SEVERAL.split(bare) for term in TERM.findall(part) if parts_of(term)]
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
        if one and other and len(_single_letters(groups, place + 1)) < 2 and pairs_up(one, other):
            together = Clause(f"{one}-{other}", added=one.lower() not in LONE_LETTERS)
            kept.append((Clause(f"{one} {other}"), together) if together.added else (together,))
            place += 2
            continue
        kept.append(groups[place])
        place += 1
    return kept


def _bare(group: tuple[Clause, ...]) -> str:
    """The one plain word of a group; empty where it is something else."""
    if len(group) != 1 or group[0].strict or not group[0].text.isalnum() or UNSPACED.search(group[0].text):
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
