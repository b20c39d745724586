"""What a query means beyond its words: the shape, the colours and the categories it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.search import synonyms as lists
from imagemarket.search.models import Filters, Interpretation, SearchQuery, Spelling, Synonyms
from imagemarket.search.spelling import Speller

_SHAPES = {
    "vertical": "portrait",
    "upright": "portrait",
    "horizontal": "landscape",
    "panoramic": "landscape",
}
# "Times Square" is a place and "landscape" a subject: these are shapes only of a picture.
_SHAPES_OF_A_PICTURE = {"square": "square", "portrait": "portrait", "landscape": "landscape"}
_FORMATS = {"format", "orientation"}
_COLOURS = {name: name for name in COLOUR_NAMES} | {
    "gray": "grey",
    "violet": "purple",
    "crimson": "red",
    "scarlet": "red",
    "turquoise": "teal",
    "cyan": "teal",
    "azure": "blue",
    "navy": "blue",
    "magenta": "pink",
}
_LITTLE = {"and", "the", "of"}
_CATEGORIES = {
    word: category.slug
    for category in CATEGORIES
    for word in re.findall(r"[a-z]+", category.name.lower())
    if word not in _LITTLE
}
_EXACT = re.compile(r'"|(?:^|\s)-\w|\s(?:or|OR)\s')
"""Quotes, a minus and `or` say exactly what is wanted."""


@dataclass(frozen=True)
class Wanted:
    """What a picture gains by having."""

    colours: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    """The query's words, for tags that are exactly one of them or all of them."""


@dataclass(frozen=True)
class Understood:
    """A query made ready for the engines."""

    text: str
    """For the encoder: the words as they are meant."""
    phrasings: tuple[str, ...]
    """For the keyword engine: the same in each way of putting it, its own first."""
    filters: Filters
    wanted: Wanted = field(default_factory=Wanted)
    spelling: Spelling | None = None
    interpreted: tuple[Interpretation, ...] = ()
    synonyms: tuple[Synonyms, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What is done to queries; each can be left out, to measure what it brings."""

    spelling: bool = True
    synonyms: bool = True
    interpretation: bool = True


class QueryReader:
    """Reads queries. `speller` gives None while the catalogue's words are still being loaded."""

    def __init__(
        self,
        speller: Callable[[], Speller | None] = lambda: None,
        synonyms: Mapping[str, tuple[str, ...]] | None = None,
        reading: Reading | None = None,
    ) -> None:
        """`synonyms` are the shipped lists where None."""
        self._speller = speller
        self._synonyms = synonyms
        self._reading = reading or Reading()

    def read(self, query: SearchQuery, has_results: Callable[[str], bool]) -> Understood:
        """What to ask the engines. `has_results` asks whether pictures have a word; it is called only for one
        that would be corrected, and such a word is never corrected."""
        plain = Understood(query.q, (query.q,), query.filters())
        if not query.q or query.verbatim or _EXACT.search(query.q):
            return plain
        words = query.q.split()
        filters, interpreted = plain.filters, []
        wanted = Wanted(words=frozenset(word.lower() for word in words))
        if self._reading.interpretation:
            words, filters, interpreted, wanted = _interpret(words, filters)
        spelling = None
        if self._reading.spelling and (speller := self._speller()) is not None:
            corrected = [_corrected(word, speller, has_results) for word in words]
            if corrected != words:
                spelling = Spelling(asked=" ".join(words), searched=" ".join(corrected))
                words = corrected
        instead: dict[str, tuple[str, ...]] = {}
        if self._reading.synonyms:
            instead = lists.alternatives(words, lists.shipped() if self._synonyms is None else self._synonyms)
        return Understood(
            text=" ".join(words),
            phrasings=tuple(lists.phrasings(words, instead)) if words else ("",),
            filters=filters,
            wanted=wanted,
            spelling=spelling,
            interpreted=tuple(interpreted),
            synonyms=tuple(Synonyms(word=word, instead=list(others)) for word, others in instead.items()),
        )


def _corrected(word: str, speller: Speller, has_results: Callable[[str], bool]) -> str:
    better = speller.correct(word)
    return word if better is None or has_results(word) else better


def _interpret(words: list[str], filters: Filters) -> tuple[list[str], Filters, list[Interpretation], Wanted]:
    """A shape becomes a filter and is no word any more, unless the query filters by shape itself; colours
    and categories stay words, and pictures that have them come further up."""
    kept: list[str] = []
    told: list[Interpretation] = []
    shape: str | None = None
    place = 0
    while place < len(words):
        word, following = words[place].lower(), words[place + 1].lower() if place + 1 < len(words) else ""
        named = _SHAPES.get(word) or (_SHAPES_OF_A_PICTURE.get(word) if following in _FORMATS else None)
        if named and shape is None and not filters.orientation:
            shape = named
            span = 2 if following in _FORMATS else 1
            said = " ".join(words[place : place + span])
            told.append(Interpretation(words=said, parameter="orientation", value=named, effect="filter"))
            place += span
            continue
        kept.append(words[place])
        place += 1
    lower = [word.lower() for word in kept]
    colours = {word: _COLOURS[word] for word in lower if word in _COLOURS}
    categories = {word: _CATEGORIES[word] for word in lower if word in _CATEGORIES}
    told += [Interpretation(words=w, parameter="color", value=v, effect="boost") for w, v in colours.items()]
    told += [Interpretation(words=w, parameter="category", value=v, effect="boost") for w, v in categories.items()]
    if shape:
        filters = Filters.model_validate(filters.model_dump() | {"orientation": [shape]})
    wanted = Wanted(frozenset(colours.values()), frozenset(categories.values()), frozenset(lower))
    return kept, filters, told, wanted
