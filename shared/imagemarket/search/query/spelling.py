"""Spelling: from a word that nothing has to one that pictures have.

Candidates are found by symmetric deletes (W. Garbe's SymSpell): the catalogue's own words and, while these are
few, the most frequent English ones, since a picture is found by its meaning too. A word is left alone when it is
in the catalogue, and also when it is good English: then it is a rare wish and no mistake. So is a common word of
French, German, Spanish, Italian, Portuguese or Dutch, which means what it says. Names, dishes and new words are none of
these, and most slips are small: what differs in more than a slip usually makes is left alone, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

from imagemarket.search.query.synonyms import offensive, offensive_elsewhere, singulars
from imagemarket.search.query.words import NEVER_ALONE, folded, other_numbers, other_spellings

if TYPE_CHECKING:
    from symspellpy import SymSpell

FOREIGN = Path(__file__).with_name("data") / "foreign_words.txt"

MOST_WORDS = 30_000
"""How many words are offered as corrections, the most frequent ones: about 60 MB of deletes. While the
catalogue has fewer, those of English take as much again in a process."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
MISSPELT_FROM, _TWO_SLIPS_FROM = 4, 9
"""How many letters a word has in which one slip is looked for, or two."""
_ANY_SLIP_FROM = 6
"""In shorter words another letter makes another word ("holi", "hold"): only usual slips are any there. From so many
letters on, letters in another order ("bycicle") and doubled elsewhere ("tommorow") are one slip."""
_UMLAUTS = {"ae": ("\u00e4", "a"), "oe": ("\u00f6", "o"), "ue": ("\u00fc", "u")}
_UMLAUT_TYPED = re.compile("(ae|oe|ue)")
_MOST_UMLAUTS = 7
"""Into how many parts a word is split by what may be umlauts: three of them."""
_DOUBLED = re.compile(r"(.)\1")
_PREFIX = 7
PARTICLES = frozenset({"up", "off", "out", "down", "over", "in"})
"""What makes another word of a verb: "line up", "work out"."""
_PART, _MOST_PAIRS = 3, 3
"""How many letters a part of a word has at least, and in how many ways one is taken apart."""


@cache
def english_words() -> Mapping[str, int]:
    """82,000 English words and the place of each, the most frequent first, from symspellpy's list."""
    import symspellpy

    source = Path(symspellpy.__file__).with_name("frequency_dictionary_en_82_765.txt")
    with source.open(encoding="utf-8-sig") as lines:
        return {line.split(" ", 1)[0]: place for place, line in enumerate(lines)}


@cache
def _foreign_words() -> frozenset[str]:
    """Common words of other languages, without accents."""
    return frozenset(line for line in FOREIGN.read_text(encoding="utf-8").splitlines() if line[0] != "#")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without numbers and signs."""
    return [word.lower() for word in _WORD.findall(text)]


class Speller:
    """Knows the catalogue's words, each with the number of pictures that have it. Threads may share one."""

    def __init__(self, words: Mapping[str, int]) -> None:
        """The first of a process takes half a second for English, which all share."""
        self._known = frozenset(words)
        said = ((word, images) for word, images in words.items() if _may_be_said(word))
        frequent = sorted(said, key=lambda entry: (-entry[1], entry[0]))[:MOST_WORDS]
        # one more than an English word that no picture has
        self._symspell = _deletes((word, images + 1) for word, images in frequent)
        self._english_until = self._place_after_english(MOST_WORDS - len(frequent))

    def _place_after_english(self, count: int) -> int:
        """The place in `_English` before which that many words are not the catalogue's."""
        if count == 0:
            return 0
        places = _english().places
        until = count
        for place in sorted(places[word] for word in self._known if word in places):
            until += place < until
        return until

    def knows(self, word: str) -> bool:
        """Whether a word, or what it is the plural of, is the catalogue's or English, in any spelling, or common in
        another language."""
        plain = word.lower()
        forms = {plain, plain.removesuffix("s"), plain.removesuffix("es")}
        if not plain.endswith("s"):  # "busines" is no single one of a business
            forms.add(f"{plain}s")
        bare = folded(plain)
        english = bare in english_words() or bool(other_spellings(bare))
        return bool(forms & self._known) or english or bare in _foreign_words()

    def has(self, word: str) -> bool:
        """Whether pictures have a word, or its singular or plural."""
        plain = word.lower()
        return not self._known.isdisjoint(
            {plain, plain.removesuffix("es"), f"{plain}s", f"{plain}es", *other_numbers(plain)}
        )

    def apart(self, word: str) -> list[str]:
        """The pairs of the catalogue's words that a word is made of which pictures may have apart, as "data center"."""
        plain = word.lower()
        if len(plain) < 2 * _PART or not plain.isalpha() or self.has(plain):
            return []
        halves = (
            (plain[:place], ending)
            for place in range(_PART, len(plain) - _PART + 1)
            for ending in (plain[place:], *other_numbers(plain[place:]))
        )
        pairs = (" ".join(each) for each in halves if self._known.issuperset(each) and NEVER_ALONE.isdisjoint(each))
        return list(islice(pairs, _MOST_PAIRS))

    def together(self, one: str, other: str) -> str | None:
        """The word that two make, as "website" and "lineup", where pictures have it."""
        parts = one.lower(), other.lower()
        word = "".join(parts)
        telling = parts[:1] if parts[1] in PARTICLES else parts
        long = all(len(part) >= _PART and part.isalpha() and part not in NEVER_ALONE for part in telling)
        return word if long and self.has(word) else None

    def correct(self, word: str) -> str | None:
        """The word nearest to one that is not known, of equally near ones the catalogue's, then the most frequent;
        None for a known word and where nothing is near."""
        plain = word.lower()
        if (umlauts := self._with_umlauts(plain)) is not None:
            return umlauts
        if len(plain) < MISSPELT_FROM or not plain.isalpha() or self.knows(plain):
            return None
        return self.nearest(plain)

    def _with_umlauts(self, plain: str) -> str | None:
        """The catalogue's word that who has no key for an umlaut types so: "muenchen" is München."""
        parts = _UMLAUT_TYPED.split(plain)
        if not 1 < len(parts) <= _MOST_UMLAUTS or plain in english_words() or self.has(plain):
            return None
        ways = product(*((each, *_UMLAUTS.get(each, ())) for each in parts))
        return next((way for letters in ways if (way := "".join(letters)) != plain and self.has(way)), None)

    def nearest(self, word: str) -> str | None:
        """The word nearest to this one, within the slips that its length allows."""
        from symspellpy import Verbosity

        slips = 2 if len(word) >= _ANY_SLIP_FROM else 1
        near = self._symspell.lookup(word, Verbosity.ALL, max_edit_distance=slips)
        if self._english_until:
            english = _english()
            near += [
                each
                for each in english.deletes.lookup(word, Verbosity.ALL, max_edit_distance=slips)
                if each.term not in self._known and english.places[each.term] < self._english_until
            ]
        found = [each for each in near if _may_be_a_slip(word, each.term, each.distance)]
        places = english_words()
        found.sort(
            key=lambda each: (
                each.distance,
                not _is_usual(word, each.term),
                -each.count,
                places.get(each.term, len(places)),
                each.term,
            )
        )
        return found[0].term if found else None


def _may_be_a_slip(typed: str, meant: str, slips: int) -> bool:
    """Whether who typed the one may have meant the other, which is near: the first letter is seldom wrong, what
    only goes on behind a word is another word ("matcha"), and two slips leave about as many letters."""
    if typed[0] != meant[0]:
        return False
    if slips > 1 and _same_letters(typed, meant):
        return True
    if slips > 1 and not (len(typed) >= _TWO_SLIPS_FROM and 0 <= len(meant) - len(typed) <= 1):
        return False
    return _is_usual(typed, meant) or (len(typed) >= _ANY_SLIP_FROM and not typed.startswith(meant))


def _same_letters(typed: str, meant: str) -> bool:
    """Whether two words have the same letters in another order, or doubled elsewhere."""
    return sorted(typed) == sorted(meant) or _DOUBLED.sub(r"\1", typed) == _DOUBLED.sub(r"\1", meant)


def _is_usual(typed: str, meant: str) -> bool:
    """Whether letters changed places, are missing, or one came twice."""
    doubled = (place for place in range(1, len(typed)) if typed[place - 1] == typed[place])
    return (
        len(meant) > len(typed)
        or sorted(meant) == sorted(typed)
        or any(typed[:place] + typed[place + 1 :] == meant for place in doubled)
    )


@dataclass(frozen=True)
class _English:
    """English words that may be said, the most frequent first."""

    places: Mapping[str, int]
    deletes: SymSpell


@cache
def _english() -> _English:
    sayable = (word for word in english_words() if len(word) >= MISSPELT_FROM and _may_be_said(word))
    places = {word: place for place, word in enumerate(islice(sayable, MOST_WORDS))}
    return _English(places, _deletes((word, 1) for word in places))


def _deletes(words: Iterable[tuple[str, int]]) -> SymSpell:
    """The words, each with the count by which equally near ones are told apart."""
    from symspellpy import SymSpell

    made = SymSpell(max_dictionary_edit_distance=2, prefix_length=_PREFIX)
    for word, count in words:
        made.create_dictionary_entry(word, count)
    return made


def _may_be_said(word: str) -> bool:
    """What offends, one or several, is nobody's correction."""
    return (offensive() | offensive_elsewhere()).isdisjoint({word, *singulars(word)})
