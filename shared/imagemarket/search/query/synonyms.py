"""Words with one meaning: WordNet's, and a list that people edit.

A line of a list is a group, `sofa, couch`, each word standing for the others; or one way only,
`ocean => sea, waves`, where the first is looked for as the others as well. A line of the edited list
replaces what WordNet says of its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from imagemarket.search.query.words import folded, other_numbers

_DATA = Path(__file__).with_name("data")
WORDNET = _DATA / "wordnet.txt"
EDITED = _DATA / "synonyms.txt"

NOT_PLURALS = _DATA / "not_plurals.txt"
OFFENSIVE = _DATA / "offensive.txt"
_OFFENSIVE_ELSEWHERE = _DATA / "offensive_elsewhere.txt"
PERSONS = _DATA / "persons.txt"

_ACCENTS_COUNT = "!"

MOST_SYNONYMS = 4
"""How many other words are looked for in a word's place at most."""


def read_list(text: str) -> dict[str, tuple[str, ...]]:
    """What each word may be called instead. Raises ValueError, with the line, for one that is neither form."""
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        told = line.partition("#")[0].strip().lower()
        if not told:
            continue
        one, arrow, others = told.partition("=>")
        words = _words(others if arrow else told)
        if (arrow and not (one.strip() and words)) or (not arrow and len(words) < 2):
            raise ValueError(f"line {number}: {line!r} is neither `a, b` nor `a => b, c`")
        if arrow:
            found[one.strip()] = tuple(words)
        else:
            found |= {word: tuple(other for other in words if other != word) for word in words}
    return found


def _words(told: str) -> list[str]:
    return [word.strip() for word in told.split(",") if word.strip()]


def _lines(path: Path) -> frozenset[str]:
    return frozenset(
        told
        for line in path.read_text(encoding="utf-8").splitlines()
        if (told := line.partition("#")[0].strip().lower())
    )


@cache
def offensive() -> frozenset[str]:
    """Words that are said to nobody, as a synonym or a suggestion; what people type themselves is searched."""
    return _lines(OFFENSIVE)


@cache
def offensive_elsewhere() -> frozenset[str]:
    """The same of other languages, with and without their accents."""
    return told_by_accents() | {
        form for word in _lines(_OFFENSIVE_ELSEWHERE) if word[-1] != _ACCENTS_COUNT for form in (word, folded(word))
    }


@cache
def told_by_accents() -> frozenset[str]:
    """Those of them that are another, harmless word without their accents."""
    return frozenset(word[:-1] for word in _lines(_OFFENSIVE_ELSEWHERE) if word[-1] == _ACCENTS_COUNT)


@cache
def groups() -> frozenset[str]:
    """Words for who people are, several of them: "muslims" and "chinese", not "muslim"."""
    return frozenset(word for word in persons() if word.endswith("ese") or not persons().isdisjoint(singulars(word)))


@cache
def persons() -> frozenset[str]:
    """Words for who people are, of which some, as "roma" and "the blind", mean several as they are."""
    return _lines(PERSONS)


def singulars(word: str) -> Iterator[str]:
    """What a word may be the plural of, as it is spelt."""
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
    if word.endswith(("ches", "oes", "ses", "shes", "xes", "zes")):
        yield word[:-2]
    if word.endswith(("s", "z")):
        yield word[:-1]
    if word.endswith("men"):
        yield f"{word[:-2]}an"


def without_synonyms() -> frozenset[str]:
    """Words that stand for no other and for which no other stands: those that offend, those for who people are, and
    those whose first sense is another than pictures have. An aborigine is no way to look for native plants."""
    return offensive() | _lines(PERSONS)


@cache
def not_plurals() -> frozenset[str]:
    """Nouns that look like another's plural: "physics" is not several of a "physic"."""
    return _lines(NOT_PLURALS)


@cache
def shipped() -> Mapping[str, tuple[str, ...]]:
    """The lists that the search comes with, without what offends and who people are; read once."""
    lists = read_list(WORDNET.read_text(encoding="utf-8")) | read_list(EDITED.read_text(encoding="utf-8"))
    without = without_synonyms()
    held = {word: tuple(other for other in others if other not in without) for word, others in lists.items()}
    return {word: others for word, others in held.items() if others and word not in without}


def alternatives(words: Sequence[str], synonyms: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """For each word of a query, as it is written, what it may be called instead. A plural has its singular's synonyms,
    which find plurals too."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        plain = word.lower()
        others = synonyms.get(plain)
        if others is None and plain not in not_plurals():
            others = next((synonyms[each] for each in other_numbers(plain) if each in synonyms), None)
        if others:
            found[word] = others[:MOST_SYNONYMS]
    return found
