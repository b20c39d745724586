"""Words as they look: whoever hides one behind other letters is read all the same (Unicode TR 39, 4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from imagemarket.platform.text import without_invisible

_LIST = Path(__file__).with_name("data") / "lookalikes.txt"
_DOTS = str.maketrans("\u3002\uff61\u2024\u30fb\u00b7", ".....")
"""Those of other scripts and those half way up, by which browsers and people part the names of a domain."""


@cache
def _letters() -> Mapping[int, str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(": ") for line in lines if line[0] != "#")
    return {ord(each): letter for letter, _, others in pairs for each in others if each != " "}


def plain_letters(text: str) -> str:
    """A text in lower case with plain letters in place of those that look like them, without accents and without what
    nobody sees. For comparing alone: of a language in another script little is left."""
    composed = unicodedata.normalize("NFKD", without_invisible(text).translate(_DOTS))
    bare = "".join(each for each in composed if unicodedata.category(each)[0] != "M")
    return bare.translate(_letters()).casefold().translate(_letters())
