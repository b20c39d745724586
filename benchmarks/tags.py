"""How many of the first 5, 10 and 30 tags are words that people used of the same photo.

Of each captioned sample photo the five captions' words, in the singular, and the wider words that follow from
them (a beagle is a dog) count as right. Captions name what stands out, not all that is there, so even a perfect tagger
stays far below 1. The peer is the classifier's own classes, the likeliest first, as tags. A second row says of what the
bundle claims about people how often it is true. The photos lie beside the clone and nothing of them is in the bundle.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.material.samples import NOT_HERE, SAMPLES
from benchmarks.retrieval import BUNDLE, model_input
from imagemarket.vision.analyser import Analyser
from sagemaker.builders.lite import build, read_classes
from sagemaker.builders.vocabulary import open_words

_FIRST = (5, 10, 30)
_GOALS = {5: 0.35, 10: 0.28, 30: 0.15}
_LESS = re.compile("a|an|the|of|in|on|to|and|with|is|are|at|for|by|it|its|that|this|from|next|up|down|out|over")
_IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child", "knives": "knife"}
_PEOPLE = re.compile(
    "person|man|woman|boy|girl|kid|child|player|pitcher|skateboarder|lady|guy|rider|equestrian|family|crowd|group"
)


def singular(word: str) -> str:
    """The singular of an English noun, by its ending."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def said(captions: Sequence[str], wider: dict[str, tuple[str, ...]]) -> set[str]:
    """The words of captions in the singular, pairs of them, and what follows from them."""
    found: set[str] = set()
    for caption in captions:
        words = [singular(word) for word in re.findall(r"[a-z]+", caption.lower())]
        found |= {word for word in words if not _LESS.fullmatch(word)}
        found |= {" ".join(pair) for pair in itertools.pairwise(words)}
    waiting = list(found)
    while waiting:
        for word in wider.get(waiting.pop(), ()):
            if word not in found:
                found.add(word)
                waiting.append(word)
    return found


def somebody(words: set[str]) -> bool:
    """Whether one of the words means people."""
    return any(map(_PEOPLE.fullmatch, words))


def _right(tags: Sequence[Sequence[str]], words: Sequence[set[str]], first: int) -> float:
    return float(np.mean([[tag in own for tag in each[:first]] for each, own in zip(tags, words, strict=True)]))


def measure() -> list[report.Row]:
    """Precision of tags, and of what is claimed about people."""
    manifest = SAMPLES / "manifest.json"
    if not manifest.exists():
        return [report.unmeasured("tags that captions have too", unit="share", goal="", reason=NOT_HERE)]
    build(BUNDLE)
    entries: list[dict[str, Any]] = [each for each in json.loads(manifest.read_text()) if each.get("captions")]
    wider = {word.word: word.wider for word in open_words()}
    words = [said(entry["captions"], wider) for entry in entries]
    analyser, names = Analyser(BUNDLE, device="cpu"), read_classes().names
    inputs = [model_input(SAMPLES / entry["file"]) for entry in entries]
    analyses = analyser.analyse(inputs)
    ours: list[list[str]] = [[tag.tag for tag in analysis.tags] for analysis in analyses]
    peer = [_classes(analyser, jpeg, names) for jpeg in inputs]
    rows = [
        report.at_least(
            f"of the first {first} tags, words of the captions of the photo ({len(entries)} photos)",
            ours=_right(ours, words, first),
            peer=_right(peer, words, first),
            unit="share",
            limit=_GOALS[first],
        )
        for first in _FIRST
    ]
    there = [somebody(each) or "person" in entry["labels"] for each, entry in zip(words, entries, strict=True)]
    for claim, word in ((True, "somebody"), (False, "nobody")):
        pairs = zip(analyses, there, strict=True)
        right = [truth is claim for analysis, truth in pairs if analysis.people is claim]
        rows.append(
            report.at_least(
                f"photos of which the bundle says that {word} is in them ({len(right)}), and is right",
                ours=float(np.mean(right)),
                unit="share",
                limit=0.85,
            )
        )
    return rows


def _classes(analyser: Analyser, jpeg: bytes, names: Sequence[str]) -> list[str]:
    """The names of the likeliest classes of the whole picture."""
    from imagemarket.vision.runtime import Network

    network = Network(BUNDLE / "image/tower.onnx", threads=2)
    (logits,) = network.run(["logits"], {"pictures": analyser.prepare(jpeg).views[:1]})
    return [names[int(place)] for place in np.argsort(-logits[0])[: max(_FIRST)]]


if __name__ == "__main__":
    sys.exit(report.main(measure))
