"""Words as they look: whoever hides one behind other letters is read all the same (Unicode TR 39, 4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from imagemarket.platform.text import without_invisible

_LIST = Path(__file__).with_name("data") / "lookalikes.txt"
_FIRST = str.maketrans("\u3002\uff61\u2024\u30fb\u00b7\u01eb", ".....q")
"""Dots of other scripts and those half way up, by which browsers and people part the names of a domain; and what is
written for the small capital Q, which Unicode had not for long."""


@cache
def _letters() -> Mapping[int, str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(": ") for line in lines if line[0] != "#")
    return {ord(each): letter for letter, _, others in pairs for each in others if each != " "}


def plain_letters(text: str) -> str:
    """A text in lower case with plain letters in place of those that look like them, without accents and without what
    nobody sees. For comparing alone: of a language in another script little is left."""
    composed = unicodedata.normalize("NFKD", without_invisible(text).translate(_FIRST))
    bare = "".join(each for each in composed if unicodedata.category(each)[0] != "M")
    plain = bare.translate(_letters()).casefold().translate(_letters())
    return plain if plain.isascii() else "".join(map(_by_its_name, plain))


@lru_cache(maxsize=4096)
def _by_its_name(letter: str) -> str:
    name = "" if letter.isascii() else unicodedata.name(letter, "")
    found = re.search(r"\b(?:LATIN (?:\w+ )?|SYMBOL )LETTER (?:[A-Z]{2,} )*([A-Z])(?: WITH .+)?$", name)
    return found[1].lower() if found else letter
