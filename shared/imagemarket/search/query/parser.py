"""Turns what was typed into what is asked of the engines, once a request: negations, spelling, synonyms, filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from imagemarket.search.query import negation
from imagemarket.search.query import synonyms as lists
from imagemarket.search.query.interpretation import COLOURS, SHAPES, BoostTerms, bare_word, interpret
from imagemarket.search.query.negation import MARKS
from imagemarket.search.query.spelling import PARTICLES, Speller, words_of
from imagemarket.search.query.syntax import Clause, Words, read, signs_apart
from imagemarket.search.query.words import alike
from imagemarket.search.request import Filters, SearchQuery
from imagemarket.search.result import Interpretation, Spelling, Synonyms

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
class ParsedQuery:
    """A query made ready for the engines and the ranking."""

    text: str
    """The words as a person would type them; empty where there are none."""
    words: Words
    """The same for the engines, synonyms among them."""
    filters: Filters
    boost_terms: BoostTerms = field(default_factory=BoostTerms)
    spelling: Spelling | None = None
    interpreted: tuple[Interpretation, ...] = ()
    synonyms: tuple[Synonyms, ...] = ()

    @property
    def terms(self) -> str | Words:
        """What keyword engines are asked: nothing where there are no words, which every document matches."""
        return self.words if self.text else ""

    @property
    def meaning(self) -> str:
        """What the model of meaning is asked: the words without those that are not wanted."""
        return self.words.meant if self.words.groups else self.text

    @property
    def vouching(self) -> str:
        """The words that one picture with all of them shows to be the catalogue's; empty where something is left out,
        which pictures need not have, and where words may be missing."""
        return "" if self.words.leaves_out or not self.words.plain else self.words.meant

    @property
    def unread(self) -> bool:
        """Whether words may have meant more than they were read as."""
        return any(each.effect == "unread" for each in self.interpreted)

    def required(self, unknown: Collection[str] = ()) -> Words:
        """What every result must have in its text: what quotes and minus say, and words `unknown` to the model."""
        return Words((*self.words.exact.groups, *((Clause(word),) for word in unknown)))


@dataclass(frozen=True)
class ParseOptions:
    """What is done to a query; each can be left out, to measure what it brings."""

    spelling: bool = True
    synonyms: bool = True
    interpretation: bool = True


class QueryParser:
    """Parses queries. `speller` gives None while the catalogue's words are still being loaded."""

    def __init__(
        self,
        speller: Callable[[], Speller | None] = lambda: None,
        synonyms: Mapping[str, tuple[str, ...]] | None = None,
        options: ParseOptions | None = None,
    ) -> None:
        """`synonyms` are the shipped lists where None."""
        self._speller = speller
        self._synonyms = synonyms
        self._options = options or ParseOptions()

    def parse(self, query: SearchQuery, present: Callable[[Collection[str]], Collection[str]]) -> ParsedQuery:
        """What to ask the engines. `present` says which of some words pictures have, and is asked at most once: of
        those that would be corrected, of which none that pictures have is."""
        asked = read(query.q)
        typed = query.q if asked.groups or asked.image_id else ""  # signs alone are no words
        if not typed or query.verbatim or asked.image_id:
            told = [negation.unread(query.q)] if query.q and not typed else negation.untold(typed, asked, [])
            return ParsedQuery(typed, asked, query.filters(), interpreted=tuple(told))
        return self._parsed(typed, query, present)

    def _parsed(
        self,
        typed: str,
        query: SearchQuery,
        present: Callable[[Collection[str]], Collection[str]],
        spelling: Spelling | None = None,
    ) -> ParsedQuery:
        """What `typed` means with the query's filters; with `spelling` it is put right already."""
        without, filters = negation.Asked(signs_apart(alike(typed))), query.filters()
        if self._options.interpretation:
            without = negation.without_negations(typed, people=filters.people, shapes=SHAPES)
        interpreted = negation.untold(typed, read(without.text), without.told)
        without = _minuses_aside(without)
        if self._options.interpretation and filters.people is not True:
            without, told = negation.people_by_filter(without)
            interpreted += told
        if without.nobody:
            filters = Filters.model_validate(filters.model_dump() | {"people": False})
        text = without.text
        exact = _EXACT.search(without.kept) is not None or not read(without.kept).plain
        words = without.kept.split()
        boost_terms = BoostTerms(words=frozenset(map(bare_word, words)))
        if self._options.interpretation and not exact:
            words, filters, more, boost_terms = interpret(words, filters, without.denied)
            interpreted += more
        correct = self._options.spelling and spelling is None and not without.foreign and '"' not in without.kept
        if correct and (speller := self._speller()) is not None:
            unwanted = without.said_in_words
            better = _corrections(words, unwanted, speller, present, alone=negation.CUES if exact else None)
            asked = " ".join(words)
            if not better.keys().isdisjoint(unwanted):  # "lake without ducsk"
                said = alike(typed)
                corrected = Spelling(asked=said, searched=_put_right(said, better))
                return self._parsed(corrected.searched, query, present, corrected)
            if (searched := _put_right(asked, better)) != asked:
                corrected = Spelling(asked=asked, searched=searched)
                if negation.without_negations(searched, people=None, shapes=SHAPES).told:  # "lake witout ducks"
                    return self._parsed(_put_right(alike(typed), better), query, present, corrected)
                if not exact:
                    spelling, words = corrected, searched.split()
        if exact:
            words_asked = without.sparing(read(text))
            return ParsedQuery(text, words_asked, filters, spelling=spelling, interpreted=tuple(interpreted))
        instead: dict[str, tuple[str, ...]] = {}
        if self._options.synonyms:
            known = lists.shipped() if self._synonyms is None else self._synonyms
            instead = lists.alternatives([word.strip(MARKS) for word in words if bare_word(word) not in COLOURS], known)
            if (speller := self._speller()) is not None:
                instead = _in_one_word(words, speller, _in_the_catalogue(instead, speller))
        searched = without.with_rest(" ".join(words))
        words_asked = read(searched).with_synonyms(instead)
        return ParsedQuery(
            text=searched,
            words=without.sparing(words_asked),
            filters=filters,
            boost_terms=boost_terms,
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
