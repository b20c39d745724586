"""Makes the list of words that are spelt in several ways (grey and gray, harbour and harbor) from VarCon.

    git clone --branch v1 https://github.com/en-wl/wordlist
    PYTHONPATH=shared .market/venv/bin/python -m local.spellings wordlist/varcon/varcon.txt

Spellings of a word count as one where VarCon says of no use that it is spelt otherwise: who looks for a tire may be
tired, and a storey is no story. Those of rare words, and those that hardly anybody uses, are left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.synonyms import without_synonyms
from imagemarket.search.query.words import SPELLINGS

_HEADER = """\
# Spellings of one word, by `python -m local.spellings` from VarCon 2020.12.07; not edited by hand.
# Copyright 2000-2019 by Kevin Atkinson, 2016 by Benjamin Titze. Its licence is in VARCON-LICENSE.
"""
_CLUSTER = re.compile(r"# \S+( <verified>)? \(level (\d+)\)")
_MOST_RARE = 70
"""The level of words that are in a usual dictionary."""
_SPELT = re.compile(r"(?P<tags>[^:]+): (?P<word>[a-z]+)$")
_OF_DICTIONARIES = "_"
"""The tag of spellings that come from dictionaries; the others were checked where their cluster says so."""
_HARDLY_USED = re.compile(r"\b[ABZCD_][-x]")
_ANY_USE = (
    "whiskey whisky",
    "whiskeys whiskies",
    "disc disk",
    "discs disks",
    "program programme",
    "programs programmes",
)
"""Words whose other uses are not worth telling apart in pictures."""
_OTHER_WORDS = frozenset(
    "aline alined alines alining ay chile chiles dickey dickeys hah louver louvers mac mack nan welch willie willies"  # noqa: SIM905 - shorter
    " mandril schemas synthetize synthetized synthetizing".split()
)
"""Spellings by which something else is meant: Chile, the Louvre."""


def spellings(varcon: str) -> list[set[str]]:
    """The spellings of each word that has several."""
    known, other_words = english_words(), _OTHER_WORDS | without_synonyms()
    groups: list[set[str]] = [set(each.split()) for each in _ANY_USE]
    checked, rare = False, True
    for line in varcon.splitlines():
        if cluster := _CLUSTER.match(line):
            checked, rare = bool(cluster[1]), int(cluster[2]) > _MOST_RARE
        told = line.partition("#")[0].strip()
        if rare or not told or "|" in told or not (checked or told.startswith(_OF_DICTIONARIES)):
            continue
        spelt = [match for each in told.split(" / ") if (match := _SPELT.match(each.strip()))]
        words = {match["word"] for match in spelt if not _HARDLY_USED.search(match["tags"])} - other_words
        if len(words) < 2 or known.keys().isdisjoint(words):
            continue
        meeting = [group for group in groups if not group.isdisjoint(words)]
        groups = [group for group in groups if group not in meeting]
        groups.append(words.union(*meeting))
    return groups


def main() -> None:
    found = spellings(Path(sys.argv[1]).read_text(encoding="iso-8859-1"))
    lines = sorted(" ".join(sorted(group)) for group in found)
    SPELLINGS.write_text(_HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} words, {SPELLINGS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
