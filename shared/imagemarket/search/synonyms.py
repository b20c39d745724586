"""Words with one meaning: WordNet's, and a list that people edit.

A line of a list is a group, `sofa, couch`, each word standing for the others; or one way only,
`ocean => sea, waves`, where the first is looked for as the others as well. A line of the edited list
replaces what WordNet says of its words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

_DATA = Path(__file__).with_name("data")
WORDNET = _DATA / "wordnet.txt"
EDITED = _DATA / "synonyms.txt"

MOST_PHRASINGS = 6
"""How many ways of putting a query are looked for at most, its own among them."""


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


@cache
def shipped() -> Mapping[str, tuple[str, ...]]:
    """The lists that the search comes with; read once."""
    return read_list(WORDNET.read_text(encoding="utf-8")) | read_list(EDITED.read_text(encoding="utf-8"))


def alternatives(words: Sequence[str], synonyms: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """For each word of a query, as it is written, what it may be called instead; plurals stay plurals."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        if others := synonyms.get(word.lower()):
            found[word] = others
        elif word.endswith("s") and (others := synonyms.get(word.lower().removesuffix("s"))):
            found[word] = tuple(other if other.endswith("s") else f"{other}s" for other in others)
    return found


def phrasings(words: Sequence[str], instead: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The query in each way of putting it, its own first; `MOST_PHRASINGS` at most."""

    def ways() -> Iterator[str]:
        for chosen in itertools.product(*((word, *instead.get(word, ())) for word in words)):
            yield " ".join(chosen)

    return list(dict.fromkeys(itertools.islice(ways(), MOST_PHRASINGS)))
