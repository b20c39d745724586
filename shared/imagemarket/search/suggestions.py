"""Completing what a buyer types: titles, tags and what others searched, from a table of their own."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import date
from itertools import islice
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from imagemarket.platform.database import Database
from imagemarket.platform.resilience import Dependency, DependencyError
from imagemarket.platform.text import without_invisible
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.query.confidential import confidential
from imagemarket.search.query.offence import offends
from imagemarket.search.query.spelling import Speller, english_words, words_of
from imagemarket.search.query.words import alike, folded, other_spellings
from imagemarket.search.repository import suggestions as repository

MOST_SUGGESTIONS = 20
OFTEN = 5
"""So many networks in a day make a query a suggestion to others; fewer might be somebody's own affair."""

_PHRASE_LETTERS = 100
_NO_MATTER = re.compile(r"""^[\W_]+|['"]""")
_WORD_LETTERS = range(3, 31)
_SHORT_WORDS = frozenset(
    {
        *("ac", "ai", "ar", "cd", "dj", "eu", "hd", "hq", "id", "it", "la", "ny", "ok", "pc", "pr", "qr", "tv", "uk"),
        *("un", "us", "ui", "uv", "ux", "vr", "wc", "xl", "e", "t", "u", "v", "x"),
    }
)
"""What is shorter than the catalogue's words are counted from, as "tv stand" and "t-shirt" have it."""
_TAGS = 15
"""Of an image's tags the first, the contributor's and the model's surest, are suggested."""
_SECONDS = 0.5
_SPARE = 20
"""Phrases that are read beyond what is asked for, since the lists may have grown after some were written."""
_MOST_HYPHENS = 3
"""Spaces of a beginning that are tried as a hyphen."""


class SuggestQuery(BaseModel):
    """The beginning of a query."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: str = Field(min_length=1, max_length=_PHRASE_LETTERS, description="What was typed so far.")
    limit: int = Field(default=8, ge=1, le=MOST_SUGGESTIONS, description="Suggestions at most.")


class Suggestion(BaseModel):
    """A query that finds something."""

    text: str
    images: int = Field(description="How many pictures have it as their title or as a tag.")


class SuggestPage(BaseModel):
    """Suggestions, best first."""

    items: list[Suggestion]
    next_cursor: None = Field(default=None, description="There is one page of them.")
    corrected: str | None = Field(
        description="What the beginning was corrected to, where little or nothing begins as it was typed."
    )


def phrase_of(text: str) -> str:
    """A text as phrases are compared: NFC, lower case, single spaces, at most 100 characters."""
    printable = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in without_invisible(text))
    return " ".join(unicodedata.normalize("NFC", printable).lower().split())[:_PHRASE_LETTERS].strip()


def begun(text: str) -> str:
    """A phrase as it is looked up by what begins it: as search reads it, accents, apostrophes, quotation marks and what
    stands before the first word do not matter."""
    bare = _NO_MATTER.sub("", folded(alike(phrase_of(text))).lower())
    return " ".join(bare.split())[:_PHRASE_LETTERS].strip()


class SuggestionTable:
    """The phrases and words of the catalogue, kept up by the indexer like a search engine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- writing ---------------------------------------------------------------------------------

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """See `SearchIndex.write`. Every image's share is known, so that it can be taken back; rows are locked
        in one order, images first, then phrases, then words."""
        incoming: dict[UUID, tuple[int, dict[str, str], set[str]]] = {}
        for each in removals:
            incoming[each.image_id] = (each.version, {}, set())
        for document in documents:
            if document.image_id not in incoming or incoming[document.image_id][0] <= document.version:
                incoming[document.image_id] = (document.version, _phrases(document), _words(document))
        if not incoming:
            return 0
        with self._database.transaction() as connection:
            known = repository.lock_shares(connection, sorted(incoming))
            phrases: Counter[str] = Counter()
            words: Counter[str] = Counter()
            shown: dict[str, str] = {}
            changed: list[UUID] = []
            for image_id, (version, new_phrases, new_words) in incoming.items():
                old_version, old_phrases, old_words = known[image_id]
                if old_version > version:
                    continue
                changed.append(image_id)
                phrases.update(new_phrases.keys())
                phrases.subtract(old_phrases)
                words.update(new_words)
                words.subtract(old_words)
                shown |= new_phrases
            repository.add_phrases(connection, {each: change for each, change in phrases.items() if change}, shown)
            repository.add_words(connection, {each: change for each, change in words.items() if change})
            repository.write_shares(connection, {each: incoming[each] for each in changed})
        return len(changed)

    def searched(self, found: Collection[tuple[str, date, str]]) -> None:
        """Counts phrases that were searched with results, each on which day and by whom (`Visitors`). How often a
        phrase counts as searched is the most networks of any day, so one visitor makes nothing a suggestion. Of words
        that neither the catalogue nor English has, and of those that offend, none is counted."""
        if not (told := self._sayable(found)):
            return
        shown = {(begun(phrase), day): phrase for phrase, day, _ in sorted(told)}
        counted = sorted({(begun(phrase), day, visitor) for phrase, day, visitor in told})
        with self._database.transaction() as connection:
            repository.count_searches(connection, counted, shown, often=OFTEN)

    def _sayable(self, found: Collection[tuple[str, date, str]]) -> set[tuple[str, date, str]]:
        words = {word for phrase, _, _ in found for word in words_of(phrase)}
        known = repository.known_words(self._database, words) | (words & (english_words().keys() | _SHORT_WORDS))
        return {each for each in found if _is_plain(each[0], known) and not offends(each[0])}

    # --- reading ---------------------------------------------------------------------------------

    def beginning_with(self, beginnings: Sequence[str], limit: int) -> list[Suggestion]:
        """The best phrases that begin with any of them."""
        rows = repository.beginning_with(self._database, beginnings, often=OFTEN, limit=limit + _SPARE)
        sayable = (row for row in rows if not offends(row["text"]) and not confidential(row["text"]))
        return [Suggestion.model_validate(row) for row in islice(sayable, limit)]

    def words(self, most: int) -> dict[str, int]:
        """The catalogue's most frequent words with the number of pictures that have each."""
        return repository.frequent_words(self._database, most)


_WORD_OR_NUMBER = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\d{1,4}s?")


def _is_plain(phrase: str, known: Collection[str]) -> bool:
    """Whether a phrase is words that are known, as they are written, and small numbers beside them: no other sign."""
    tokens = phrase.split()
    return any(map(words_of, tokens)) and all(
        _WORD_OR_NUMBER.fullmatch(token) and (token[0].isdecimal() or all(word in known for word in words_of(token)))
        for token in tokens
    )


def _phrases(document: SearchDocument) -> dict[str, str]:
    """What an image suggests, and how each is written."""
    written = [
        each for each in (document.title, *document.tags[:_TAGS]) if not confidential(each) and not offends(each)
    ]
    found = {begun(each): " ".join(each.split())[:_PHRASE_LETTERS] for each in written}
    return {phrase: shown for phrase, shown in found.items() if len(phrase) > 1}


def _words(document: SearchDocument) -> set[str]:
    """The words that an image adds to the catalogue's, by which others' slips are corrected."""
    text = " ".join(each for each in (document.title, *document.tags) if not confidential(each))
    return {word for word in words_of(text) if len(word) in _WORD_LETTERS}


def _written_otherwise(beginning: str) -> list[str]:
    """A beginning with its words' other spelling, with spaces for its hyphens, and with a hyphen for one of its first
    spaces: "Gluten-free bread" is meant by "gluten free b" as well."""
    spelt = " ".join(next(iter(other_spellings(word)), word) for word in beginning.split(" "))
    spaces = [place for place, sign in enumerate(beginning) if sign == " "][:_MOST_HYPHENS]
    joined = [f"{beginning[:place]}-{beginning[place + 1 :]}" for place in spaces]
    return [each for each in dict.fromkeys([spelt, beginning.replace("-", " "), *joined]) if each != beginning]


def _with(found: list[Suggestion], more: list[Suggestion]) -> list[Suggestion]:
    known = {each.text.lower() for each in found}
    return [*found, *(each for each in more if each.text.lower() not in known)]


class Suggestions:
    """The use case: complete what was typed, tolerating a slip."""

    def __init__(self, table: SuggestionTable, speller: Callable[[], Speller | None]) -> None:
        self._table = table
        self._speller = speller
        self._asked = Dependency("suggestions", seconds=_SECONDS, first_seconds=10.0)

    def suggest(self, query: SuggestQuery) -> SuggestPage:
        """Raises `SearchUnavailable` when the table does not answer."""
        beginning = begun(query.q)
        if not beginning:
            return SuggestPage(items=[], corrected=None)
        found = self._beginning_with([beginning], query.limit)
        corrected = None
        if len(found) < query.limit and (others := _written_otherwise(beginning)):
            found = _with(found, self._beginning_with(others, query.limit))
        if len(found) < query.limit and (better := self._corrected(phrase_of(query.q))) is not None:
            more = self._beginning_with([begun(better)], query.limit)
            if more:
                corrected = better if not found else None
                found = _with(found, more)
        return SuggestPage(items=found[: query.limit], corrected=corrected)

    def _beginning_with(self, beginnings: Sequence[str], limit: int) -> list[Suggestion]:
        try:
            return self._asked.call(lambda: self._table.beginning_with(beginnings, limit))
        except DependencyError as error:
            wait = max(1, int(error.retry_after) + 1)
            raise SearchUnavailable(
                f"Suggestions are not answering; try again in {wait} seconds.", headers={"Retry-After": str(wait)}
            ) from error

    def _corrected(self, beginning: str) -> str | None:
        """The beginning with each word that is not known put right; the last one may be unfinished."""
        speller = self._speller()
        if speller is None:
            return None
        words = beginning.split(" ")
        better = [speller.correct(word) or word for word in words]
        return " ".join(better) if better != words else None
