"""What a query means beyond its words: the shape, the colours and the categories it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.search.models import Filters, Interpretation, SearchQuery, Spelling, Synonyms
from imagemarket.search.query import negation
from imagemarket.search.query import synonyms as lists
from imagemarket.search.query.negation import MARKS
from imagemarket.search.query.spelling import PARTICLES, Speller, words_of
from imagemarket.search.query.words import Words, alike, read, signs_apart

_SHAPES = {
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
_BARE_WORD = re.compile(rf"[^\s{re.escape(MARKS)}]+")
"""A word without the signs of a sentence around it."""
_EXACT = re.compile(r'"|(?:^|\s)-\w|\s(?:or|OR)\s')
"""Quotes, `or` and a minus that is not read by itself say exactly what is wanted."""
_LEFT_OUT = re.compile(r"""(?<![^\s,;])-+(?:\([^()"]*\)|(?:[^\s"]|"[^"]*")+)""")
"""What a minus leaves out, a list in brackets in one."""

MOST_LOOK_UPS = 4
"""How many words of a query are looked up before they are corrected, in one round trip. A query with more that are
neither the catalogue's nor English has no slips: it is of another language, or made up, and stays as it is."""


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
    """The words as a person would type them; empty where there are none."""
    words: Words
    """The same for the engines, synonyms among them."""
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

    def read(self, query: SearchQuery, present: Callable[[Collection[str]], Collection[str]]) -> Understood:
        """What to ask the engines. `present` says which of some words pictures have, and is asked at most once: of
        those that would be corrected, of which none that pictures have is."""
        asked = read(query.q)
        typed = query.q if asked.groups or asked.image_id else ""  # signs alone are no words
        if not typed or query.verbatim or asked.image_id:
            told = [negation.unread(query.q)] if query.q and not typed else negation.untold(typed, asked, [])
            return Understood(typed, asked, query.filters(), interpreted=tuple(told))
        return self._understood(typed, query, present)

    def _understood(
        self,
        typed: str,
        query: SearchQuery,
        present: Callable[[Collection[str]], Collection[str]],
        spelling: Spelling | None = None,
    ) -> Understood:
        """What `typed` means with the query's filters; with `spelling` it is put right already."""
        without, filters = negation.Asked(signs_apart(alike(typed))), query.filters()
        if self._reading.interpretation:
            without = negation.without_negations(typed, people=filters.people, shapes=_SHAPES)
        interpreted = negation.untold(typed, read(without.text), without.told)
        without = _minuses_aside(without)
        if self._reading.interpretation and filters.people is not True:
            without, told = negation.people_by_filter(without)
            interpreted += told
        if without.nobody:
            filters = Filters.model_validate(filters.model_dump() | {"people": False})
        text = without.text
        exact = _EXACT.search(without.kept) is not None or not read(without.kept).plain
        words = without.kept.split()
        wanted = Wanted(words=frozenset(map(_bare, words)))
        if self._reading.interpretation and not exact:
            words, filters, more, wanted = _interpret(words, filters, without.denied)
            interpreted += more
        correct = self._reading.spelling and spelling is None and not without.foreign and '"' not in without.kept
        if correct and (speller := self._speller()) is not None:
            unwanted = without.said_in_words
            better = _corrections(words, unwanted, speller, present, alone=negation.CUES if exact else None)
            asked = " ".join(words)
            if not better.keys().isdisjoint(unwanted):  # "lake without ducsk"
                said = alike(typed)
                corrected = Spelling(asked=said, searched=_put_right(said, better))
                return self._understood(corrected.searched, query, present, corrected)
            if (searched := _put_right(asked, better)) != asked:
                corrected = Spelling(asked=asked, searched=searched)
                if negation.without_negations(searched, people=None, shapes=_SHAPES).told:  # "lake witout ducks"
                    return self._understood(_put_right(alike(typed), better), query, present, corrected)
                if not exact:
                    spelling, words = corrected, searched.split()
        if exact:
            words_asked = without.sparing(read(text))
            return Understood(text, words_asked, filters, spelling=spelling, interpreted=tuple(interpreted))
        instead: dict[str, tuple[str, ...]] = {}
        if self._reading.synonyms:
            known = lists.shipped() if self._synonyms is None else self._synonyms
            instead = lists.alternatives([word.strip(MARKS) for word in words if _bare(word) not in COLOURS], known)
            if (speller := self._speller()) is not None:
                instead = _in_one_word(words, speller, _in_the_catalogue(instead, speller))
        searched = without.with_rest(" ".join(words))
        words_asked = read(searched).with_synonyms(instead)
        return Understood(
            text=searched,
            words=without.sparing(words_asked),
            filters=filters,
            wanted=wanted,
            spelling=spelling,
            interpreted=tuple(interpreted),
            synonyms=tuple(
                Synonyms(word=word, instead=list(others))
                for word, others in instead.items()
                if word in words_asked.replaceable
            ),
        )


def _minuses_aside(asked: negation.Asked) -> negation.Asked:
    """The query with what minuses leave out beside the words that remain, which are read as ever then. Where that would
    ask for something else ("cat or -dog") it stays as it is."""
    aside = tuple(_LEFT_OUT.findall(asked.kept))
    kept = " ".join(_LEFT_OUT.sub(" ", asked.kept).split())
    apart = {*read(kept).groups, *read(" ".join(aside)).groups}
    if not aside or apart != set(read(asked.kept).groups):
        return asked
    return replace(asked, kept=kept, without=(*aside, *asked.without))


def _in_the_catalogue(instead: dict[str, tuple[str, ...]], speller: Speller) -> dict[str, tuple[str, ...]]:
    """The synonyms that pictures have; others find nothing and only puzzle."""
    held = {
        word: tuple(other for other in others if all(map(speller.has, words_of(other))))
        for word, others in instead.items()
    }
    return {word: others for word, others in held.items() if others}


def _in_one_word(words: list[str], speller: Speller, instead: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The synonyms, and of two words that stand side by side the one that they make: for each ("web site"), or for both
    where the second says nothing by itself ("line up"). An "in" before another word is a preposition: "cab in snow"."""
    found = dict(instead)
    for place, (first, second) in enumerate(pairwise(words), 2):
        other = second.rstrip(MARKS)
        particle = other.lower() in PARTICLES
        if other.lower() == "in" and place < len(words):
            continue
        if (word := speller.together(first, other)) is not None and word not in lists.without_synonyms():
            both = (f"{first} {other}",) if particle else (first, other)
            found |= {each: (*found.get(each, ()), word) for each in both}
    return found


def _bare(word: str) -> str:
    """Without the signs of a sentence: "Red." is a colour."""
    return word.lower().strip(MARKS)


def _corrections(
    words: list[str],
    unwanted: Collection[str],
    speller: Speller,
    present: Callable[[Collection[str]], Collection[str]],
    alone: Collection[str] | None = None,
) -> dict[str, str]:
    """By a word that no picture has the two that it is made of, where pictures have these, else the nearest; with
    `alone` only what is put right to one of these, or what is `unwanted`."""
    bare = [*(word.strip(MARKS) for word in words), *unwanted]
    apart = {word: pairs for word in bare if alone is None and (pairs := speller.apart(word))}
    nearest = {word: found for word in bare if (found := speller.correct(word)) is not None}
    better = {word: found for word, found in nearest.items() if alone is None or found in alone or word in unwanted}
    unknown = list(dict.fromkeys(word for word in bare if word in apart or word in better))
    if not unknown or len(unknown) > MOST_LOOK_UPS:
        return {}
    kept = present([*unknown, *(_side_by_side(pair) for pairs in apart.values() for pair in pairs)])
    better |= {word: pair for word, pairs in apart.items() for pair in reversed(pairs) if _side_by_side(pair) in kept}
    return {word: right for word, right in better.items() if word not in kept}


def _put_right(text: str, better: Mapping[str, str]) -> str:
    """The text with the words that are better instead of others."""
    return _BARE_WORD.sub(lambda word: better.get(word[0], word[0]), text)


def _side_by_side(pair: str) -> str:
    """Two words as engines find them in any number, but only one behind the other."""
    return pair.replace(" ", "-")


def _interpret(
    words: list[str], filters: Filters, denied: frozenset[str]
) -> tuple[list[str], Filters, list[Interpretation], Wanted]:
    """A shape becomes a filter and is no word any more, unless the query filters by shape itself; colours
    and categories stay words, and pictures that have them come further up. Words of a negation that was not read
    (`denied`) do nothing of this."""
    kept: list[str] = []
    told: list[Interpretation] = []
    shape: str | None = None
    place = 0
    while place < len(words):
        word, following = _bare(words[place]), _bare(words[place + 1]) if place + 1 < len(words) else ""
        name = not {following, following.removesuffix("s")}.isdisjoint(_CALLED_BY_A_SHAPE.get(word, ()))
        named = (
            None if name else _SHAPES.get(word) or (_SHAPES_OF_A_PICTURE.get(word) if following in _FORMATS else None)
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
    lower = [bare for word in kept if (bare := _bare(word)) and bare not in denied]
    colours = {word: COLOURS[word] for word in lower if word in COLOURS}
    categories = {word: _CATEGORIES[word] for word in lower if word in _CATEGORIES}
    told += [Interpretation(words=w, parameter="color", value=v, effect="boost") for w, v in colours.items()]
    told += [Interpretation(words=w, parameter="category", value=v, effect="boost") for w, v in categories.items()]
    if shape:
        filters = Filters.model_validate(filters.model_dump() | {"orientation": [shape]})
    wanted = Wanted(frozenset(colours.values()), frozenset(categories.values()), frozenset(lower))
    return kept, filters, told, wanted
