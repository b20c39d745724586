"""What the words of a query say beyond words: the shape, the colours and the categories that they name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.search.query.negation import MARKS
from imagemarket.search.request import Filters
from imagemarket.search.result import Interpretation

SHAPES = {
    "vertical": "portrait",
    "upright": "portrait",
    "horizontal": "landscape",
    "panoramic": "landscape",
}
# "Times Square" is a place and "landscape" a subject: these are shapes only of a picture.
_SHAPES_OF_A_PICTURE = {"square": "square", "portrait": "portrait", "landscape": "landscape"}
_FORMATS = {"format", "orientation"}
_CALLED_BY_A_SHAPE = {
    "upright": {"piano", "bass", "vacuum", "freezer"},
    "vertical": {"garden", "farm", "farming", "blind", "limit", "takeoff"},
    "horizontal": {"bar", "stabilizer"},
    "panoramic": {"view", "window", "roof", "sunroof", "train", "lift", "elevator"},
}
"""What is called by such a word: an upright piano lies in pictures of any shape."""
COLOURS = {name: name for name in COLOUR_NAMES} | {
    "gray": "grey",
    "violet": "purple",
    "crimson": "red",
    "scarlet": "red",
    "turquoise": "cyan",
    "azure": "blue",
    "magenta": "purple",
}
"""Words for colours, by what the filter calls them."""
_LITTLE = {"and", "the", "of"}
_CATEGORIES = {
    word: category.slug
    for category in CATEGORIES
    for word in re.findall(r"[a-z]+", category.name.lower())
    if word not in _LITTLE
}


@dataclass(frozen=True)
class BoostTerms:
    """What an image is boosted for having."""

    colours: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    """The query's words, for tags that are exactly one of them or all of them."""


def bare_word(word: str) -> str:
    """Without the signs of a sentence: "Red." is a colour."""
    return word.lower().strip(MARKS)


def interpret(
    words: list[str], filters: Filters, denied: frozenset[str]
) -> tuple[list[str], Filters, list[Interpretation], BoostTerms]:
    """A shape becomes a filter and is no word any more, unless the query filters by shape itself; colours
    and categories stay words, and pictures that have them come further up. Words of a negation that was not read
    (`denied`) do nothing of this."""
    kept: list[str] = []
    told: list[Interpretation] = []
    shape: str | None = None
    place = 0
    while place < len(words):
        word, following = bare_word(words[place]), bare_word(words[place + 1]) if place + 1 < len(words) else ""
        name = not {following, following.removesuffix("s")}.isdisjoint(_CALLED_BY_A_SHAPE.get(word, ()))
        named = (
            None if name else SHAPES.get(word) or (_SHAPES_OF_A_PICTURE.get(word) if following in _FORMATS else None)
        )
        if named and word not in denied and shape is None and not filters.orientation:
            shape = named
            span = 2 if following in _FORMATS else 1
            said = " ".join(words[place : place + span])
            told.append(Interpretation(words=said, parameter="orientation", value=named, effect="filter"))
            place += span
            continue
        kept.append(words[place])
        place += 1
    lower = [bare for word in kept if (bare := bare_word(word)) and bare not in denied]
    colours = {word: COLOURS[word] for word in lower if word in COLOURS}
    categories = {word: _CATEGORIES[word] for word in lower if word in _CATEGORIES}
    told += [Interpretation(words=w, parameter="color", value=v, effect="boost") for w, v in colours.items()]
    told += [Interpretation(words=w, parameter="category", value=v, effect="boost") for w, v in categories.items()]
    if shape:
        filters = Filters.model_validate(filters.model_dump() | {"orientation": [shape]})
    wanted = BoostTerms(frozenset(colours.values()), frozenset(categories.values()), frozenset(lower))
    return kept, filters, told, wanted
