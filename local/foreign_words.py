"""Makes the list of common words of other languages, which no spelling puts right to English ones.

    uv pip install --target spelling pyspellchecker==0.9.1   # MIT; needed for this alone
    PYTHONPATH=shared .market/venv/bin/python -m local.foreign_words spelling

The package has for each language its words and how often films say them, but of most German ones only that they are
some. Of these all are taken, of the other languages the common ones; and of either those for which an English word
would be offered. They are written without accents, as many people type them.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from imagemarket.search.query.spelling import FOREIGN, MISSPELT_FROM, Speller, english_words
from imagemarket.search.query.words import folded

_HEADER = """\
# Common French, German, Spanish, Italian, Portuguese and Dutch words that are not English, without accents, by
# `python -m local.foreign_words` from pyspellchecker 0.9.1; not edited by hand.
# Copyright (c) 2018 Tyler Barrus. Its licence is in PYSPELLCHECKER-LICENSE.
"""
_MOST = {"fr": 6000, "de": None, "es": 6000, "it": 6000, "pt": 6000, "nl": 6000}
"""How many words of each language are taken."""
_SOONER_ENGLISH = frozenset({"portait"})
"""Words that are a slip more often than anything else."""


def common(package: Path) -> set[str]:
    """The words that stay as they are. One that lacks but its last s ("succes") is put right in any language."""
    found: set[str] = set()
    for language, most in _MOST.items():
        counts: dict[str, int] = json.loads(gzip.decompress((package / f"{language}.json.gz").read_bytes()))
        frequent = sorted(counts, key=lambda word: (-counts[word], word))[:most]
        found |= {folded(word.lower()) for word in frequent}
    known, speller = english_words(), Speller({})
    return {
        word
        for word in found - known.keys() - _SOONER_ENGLISH
        if word.isalpha() and len(word) >= MISSPELT_FROM and speller.nearest(word)
        if not (word.endswith("s") and f"{word}s" in known)
    }


def main() -> None:
    words = common(Path(sys.argv[1]) / "spellchecker" / "resources")
    FOREIGN.write_text(_HEADER + "\n".join(sorted(words)) + "\n", encoding="utf-8")
    print(f"{len(words)} words, {FOREIGN.stat().st_size} bytes")


if __name__ == "__main__":
    main()
