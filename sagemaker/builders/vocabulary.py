"""The words that tags are chosen from, and what the classifier's thousand classes say of them.

The classes are the leaves of ImageNet: breeds, tools, dishes. A buyer asks for a dog, for sport, for a
kitchen. So each wider word of `words.tsv` names the classes it follows from, with the share of pictures of
those classes for which it holds: 1 where it is so by definition (a poodle is a dog), less where it is
likely (a restaurant shows people half the time). A word's probability is then a plain sum over the classes'.

Beside these stand the words of WordNet (`wordnet.tsv`, made by `sagemaker.builders.wordnet`), some with the classes
that they hold for by definition.

Classes are given by their place in the classifier's output, `151-268` for a range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


def _rows(name: str, columns: int) -> Iterator[list[str]]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        row = line.split("\t")
        if len(row) != columns:
            raise ValueError(f"{name}, line {number}: {columns} columns are needed")
        yield row


def renamed() -> dict[int, str]:
    """Names for classes whose first WordNet lemma is ambiguous, dated or no one's search word."""
    return {int(place): name for place, name in _rows("names.tsv", 2)}


def _places(spec: str) -> Iterator[int]:
    for part in spec.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def shares(classes: int) -> dict[str, dict[int, float]]:
    """For each wider word, the share of each class's pictures for which it holds; absent classes: 0."""
    table: dict[str, dict[int, float]] = {}
    for word, share, spec in _rows("words.tsv", 3):
        if not 0 < float(share) <= 1:
            raise ValueError(f"{word}: {share} is no share")
        row = table.setdefault(word, {})
        for place in _places(spec):
            if not 0 <= place < classes:
                raise ValueError(f"{word}: there is no class {place}")
            row[place] = max(row.get(place, 0.0), float(share))
    return table


@dataclass(frozen=True)
class OpenWord:
    """A word of WordNet that a picture can show."""

    word: str
    kind: str
    wider: tuple[str, ...]
    classes: tuple[int, ...]
    definition: str


def open_words() -> list[OpenWord]:
    """All of them, in the order of the alphabet."""
    return [
        OpenWord(word, kind, tuple(wider.split(";")) if wider else (), tuple(_places(classes)), definition)
        for word, kind, wider, classes, definition in _rows("wordnet.tsv", 5)
    ]


CATEGORY_WORDS: dict[str, tuple[str, ...]] = {
    "abstract": ("abstract", "pattern"),
    "animals": ("animal",),
    "arts": ("art", "painting", "sculpture", "music", "musical instrument", "theater", "concert", "pottery"),
    "backgrounds": ("pattern", "texture"),
    "beauty-fashion": ("fashion", "beauty", "cosmetics", "jewelry", "clothing", "shoe", "glasses"),
    "buildings": ("building", "architecture", "bridge", "landmark", "tower"),
    "business": ("office", "business", "money", "desk"),
    "education": ("education", "book", "library", "school"),
    "food-drink": ("food", "drink", "meal", "wine glass", "dining"),
    "healthcare": ("health", "medicine", "doctor"),
    "holidays": ("christmas", "halloween", "celebration", "wedding", "party"),
    "industrial": ("industry", "construction", "factory", "tool", "machine"),
    "interiors": ("interior", "room", "furniture", "kitchen", "bathroom", "bedroom", "living room", "appliance"),
    "nature": ("nature", "landscape", "sea", "mountain", "lake", "river", "beach", "forest"),
    "objects": ("container", "tool", "toy", "tableware", "clock", "bottle", "lamp", "box"),
    "parks-outdoor": ("park", "camping", "garden", "playground", "patio", "hiking", "bench"),
    "people": ("person", "portrait", "crowd"),
    "plants": ("plant", "flower", "mushroom", "tree"),
    "religion": ("religion",),
    "science": ("science", "laboratory", "space", "dinosaur"),
    "signs-symbols": ("sign", "stop sign", "traffic light"),
    "sports": ("sport", "fitness", "athlete", "ball"),
    "technology": ("technology", "electronics", "computer", "phone"),
    "transport": ("vehicle", "car", "traffic"),
    "travel": ("travel", "vacation", "landmark", "airport"),
}
"""The words whose pictures belong to a category of the catalogue."""
