"""Chooses the settings of the `lite` bundle, and fits its calibration, on captioned photos that are not the samples.

    ./market bench lite_settings --photos DIR --distractors DIR [--keep FILE]

`DIR/manifest.json` lists photos as the samples' does: `[{file, captions, labels}]`, labels being COCO's objects.
Distractors are other photos that no caption means. Settings of retrieval are swept over a grid and chosen by the
mean of the recall at 1, 5 and 10. Everything is cross-validated in nine folds over photos: what is printed for
a photo comes from settings chosen, and curves fitted, without it. The last table has what the builder should hold.

A word is right of a photo when one of its five captions has it or a narrower one, or a label is it. Captions name
what stands out, so a confidence is the probability that people who describe the picture use the word; that it is
true of the picture is likelier. Beside it stand the words that are labels themselves: of those the truth is whole.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.retrieval import BUNDLE, model_input, peer_vectors, ranks
from benchmarks.tags import said, somebody
from imagemarket.vision.bundle import ClassifierTower, Manifest, Scale, read_manifest
from imagemarket.vision.colours import name_colours
from imagemarket.vision.faces import FaceFinder
from imagemarket.vision.pictures import decode
from imagemarket.vision.runtime import Network
from imagemarket.vision.tagging import Reader, Vocabulary, scale
from imagemarket.vision.text import SentenceModel
from imagemarket.vision.towers import Classifier, Sight, above_noise, somewhere
from sagemaker.builders.association import fit
from sagemaker.builders.lite import SENTENCE_WEIGHT, build, read_classes, sentences
from sagemaker.builders.vocabulary import open_words

Numbers = NDArray[np.float64]
Places = NDArray[np.int_]

_CONSOLE = Console(width=150)

FOLDS = 9
SCALES = (None, 0.5, 0.6, 0.7)
"""Of five closer views; None: the whole picture alone."""
TEMPERATURES = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0)
WORD_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
SENTENCE_WEIGHTS = (1.0, 2.0, 4.0, 8.0)
NOISES = (0, 1, 2, 4, 8)
PRIORS = (0.0, 0.5, 1.0, 2.0)
"""Times what the builder makes of the likeness of texts."""
COLOUR_POWERS = (1, 1.5, 2, 2.5, 3, 4, 5, 6)
CATEGORY_FROM = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SOMEBODY_RIGHT, NOBODY_RIGHT = 0.95, 0.9
"""How often it must be right that somebody, that nobody is there; the sentence says the one."""
BINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FIRST = (5, 10, 30)
CATEGORIES = {
    "animals": "bird cat dog horse sheep cow elephant bear zebra giraffe",
    "food-drink": "banana apple sandwich orange broccoli carrot hot_dog pizza donut cake",
    "interiors": "couch bed toilet sink refrigerator oven microwave",
    "sports": "skis snowboard sports_ball baseball_bat baseball_glove skateboard surfboard tennis_racket",
    "technology": "tv laptop mouse keyboard cell_phone",
    "transport": "bicycle car motorcycle airplane bus train truck boat",
}
"""Categories that COCO's labels decide."""


@dataclass(frozen=True)
class Looks:
    """What the networks say of photos, before any setting."""

    logits: NDArray[np.float32]
    """(photos, scales, views, classes): of each scale the whole picture and five closer views."""
    faces: NDArray[np.float32]
    """Score of the surest face, 0 where there is none."""
    colours: list[dict[str, float]]

    def rows(self, detail: float | None) -> NDArray[np.float32]:
        """(photos, views, classes) with closer views of that scale."""
        return self.logits[:, 0, :1] if detail is None else self.logits[:, SCALES.index(detail) - 1]


def look(files: Sequence[Path], tower: ClassifierTower, say: Callable[[str], None]) -> Looks:
    """Runs the networks; about a second a photo on one core."""
    network = Network(BUNDLE / "image/tower.onnx", threads=2)
    with np.load(BUNDLE / "image/tables.npz") as tables:
        cutters = [
            Classifier(network, tower.model_copy(update={"detail_scale": detail}), tables)
            for detail in SCALES
            if detail
        ]
    finder = FaceFinder(BUNDLE)
    logits, faces, colours = [], [], []
    for number, file in enumerate(files):
        picture = decode(model_input(file))
        logits.append([network.run(["logits"], {"pictures": cutter.cut(picture)})[0] for cutter in cutters])
        faces.append(finder.find(picture)[:, 4].max(initial=0))
        colours.append(name_colours(np.asarray(picture.resize((64, 64)))))
        if number % 50 == 49:
            say(f"{number + 1} of {len(files)} photos looked at")
    return Looks(np.asarray(logits, dtype=np.float32), np.asarray(faces, dtype=np.float32), colours)


@dataclass(frozen=True)
class Setting:
    """One way to make a picture's vector."""

    detail: float | None
    temperature: float
    word_weight: float
    sentence_weight: float

    def __str__(self) -> str:
        views = "whole alone" if self.detail is None else f"five at {self.detail:g}"
        return f"{views}, {self.temperature:g}, {self.word_weight:g}, {self.sentence_weight:g}"


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def sweep(
    photos: Looks, others: Looks, texts: dict[str, Any], queries: NDArray[Any], truth: Places
) -> dict[Setting, Places]:
    """The rank of each query's photo, by setting."""
    names, whole, wide = (texts[each] for each in ("names", "sentences", "wide"))
    words = wide - wide.mean(axis=0)
    found: dict[Setting, Places] = {}
    for detail, temperature in itertools.product(SCALES, TEMPERATURES):
        rows = [softmax(each.rows(detail) / temperature).mean(axis=1) for each in (photos, others)]
        classes = np.concatenate(rows)
        by_word = unit((classes @ texts["shares"].T) @ words)
        for weight in SENTENCE_WEIGHTS:
            vectors = names + weight * whole
            by_class = unit(classes @ (vectors - vectors.mean(axis=0)))
            for word_weight in WORD_WEIGHTS:
                pictures = unit(by_class + word_weight * by_word)
                found[Setting(detail, temperature, word_weight, weight)] = ranks(queries, pictures, truth)
    return found


def recalls(places: Places) -> list[str]:
    return [*(f"{(places <= first).mean():.1%}" for first in (1, 5, 10, 20)), f"{gain(places).mean():.1%}"]


def gain(places: Places) -> Numbers:
    """Of each rank, what it adds to the mean of the recall at 1, 5 and 10."""
    return np.mean([places <= first for first in (1, 5, 10)], axis=0)


def choose(swept: dict[Setting, Places], fold: Places) -> tuple[Setting, Places]:
    """The best setting, and the ranks with each fold's setting chosen without it. `fold` is that of each query."""
    settings, gained = list(swept), np.stack([gain(places) for places in swept.values()])
    places = np.zeros(gained.shape[1], dtype=int)
    for each in range(FOLDS):
        best = settings[int(gained[:, fold != each].mean(axis=1).argmax())]
        places[fold == each] = swept[best][fold == each]
    return settings[int(gained.mean(axis=1).argmax())], places


@dataclass(frozen=True)
class Evidence:
    """Pairs of a photo and a word that may hold for it."""

    photo: Places
    words: list[str]
    origins: NDArray[np.str_]
    value: Numbers
    right: NDArray[np.bool_]


def evidence(sights: Sequence[Sight], reader: Reader, origins: dict[str, str], truth: Sequence[set[str]]) -> Evidence:
    """All pairs, "person" aside, which has a curve of its own."""
    rows = [
        (number, word, origins[word], value, word in truth[number])
        for number, sight in enumerate(sights)
        for word, value in reader.confidences(sight).items()
        if word != "person"
    ]
    photo, words, come_from, value, right = zip(*rows, strict=True)
    return Evidence(np.asarray(photo), list(words), np.asarray(come_from), np.asarray(value), np.asarray(right))


def logs(value: Numbers) -> Numbers:
    """What beta calibration weighs: (values, 3)."""
    kept = np.clip(value, 0.001, 0.999)
    return np.stack([np.log(kept), -np.log(1 - kept), np.ones(len(value))], axis=1)


def curve_of(value: Numbers, right: NDArray[Any]) -> Scale:
    features = logs(value)
    weights = fit(features, right.astype(np.float64))
    if weights[1] < 0:  # a curve that would fall again: without its upper end
        weights = np.insert(fit(features[:, [0, 2]], right.astype(np.float64)), 1, 0)
    there, gone, offset = (round(float(each), 3) for each in weights)
    return Scale(there=there, gone=gone, offset=offset)


def calibrated(pairs: Evidence, fold: Places) -> tuple[dict[str, Scale], Numbers]:
    """The curve of each origin, and confidences by curves that were fitted without the photo's fold."""
    curves: dict[str, Scale] = {}
    confidence = np.zeros(len(pairs.value))
    for origin in sorted(set(pairs.origins.tolist())):
        own = pairs.origins == origin
        curves[origin] = curve_of(pairs.value[own], pairs.right[own])
        for each in range(FOLDS):
            held = own & (fold[pairs.photo] == each)
            curve = curve_of(pairs.value[own & ~held], pairs.right[own & ~held])
            confidence[held] = [scale(value, curve) for value in pairs.value[held]]
    return curves, confidence


def log_loss(confidence: Numbers, right: NDArray[Any]) -> float:
    kept = np.clip(confidence, 1e-4, 1 - 1e-4)
    return float(-np.where(right, np.log(kept), np.log(1 - kept)).mean())


def own_places(pairs: Evidence, photos: int) -> list[Places]:
    """Where each photo's pairs lie."""
    return [np.flatnonzero(pairs.photo == number) for number in range(photos)]


def precision(pairs: Evidence, confidence: Numbers, photos: int) -> list[float]:
    """Of the surest words of each photo, how many are right, at `FIRST`."""
    shares = np.zeros((photos, len(FIRST)))
    for number, own in enumerate(own_places(pairs, photos)):
        ranked = pairs.right[own[np.argsort(-confidence[own], kind="stable")]]
        shares[number] = [ranked[:first].sum() / first for first in FIRST]
    return shares.mean(axis=0).tolist()


def error(confidence: Numbers, right: NDArray[Any]) -> float:
    """Expected calibration error: the mean gap between confidence and the share right, over the bins."""
    place = np.digitize(confidence, BINS[1:-1])
    gaps = [abs(float(confidence[place == each].sum() - right[place == each].sum())) for each in range(len(BINS) - 1)]
    return sum(gaps) / len(right)


def reliability(title: str, confidence: Numbers, right: NDArray[Any], before: Numbers) -> Table:
    table = Table("confidence", "words", "mean", "right", "words before", "right before", title=title, show_edge=False)
    for low, high in itertools.pairwise(BINS):
        row = [f"{low:.2f} to {high:.2f}"]
        for values, mean in ((confidence, True), (before, False)):
            there = (values >= low) & ((values < high) | (high == 1))
            row += [str(there.sum())]
            row += [f"{values[there].mean():.2f}" if there.any() else ""] if mean else []
            row += [f"{right[there].mean():.2f}" if there.any() else ""]
        table.add_row(*row)
    table.add_row("gap, mean", "", "", f"{error(confidence, right):.3f}", "", f"{error(before, right):.3f}")
    return table


def people(value: Numbers, faces: Numbers, there: NDArray[np.bool_], fold: Places) -> tuple[Scale, float, Numbers]:
    """The curve of "person", what a face adds, and confidences fitted without the photo's fold."""
    features = np.insert(logs(value), 2, faces, axis=1)
    confidence = np.zeros(len(value))
    for each in range(FOLDS):
        held = fold == each
        confidence[held] = 1 / (1 + np.exp(-features[held] @ fit(features[~held], there[~held].astype(np.float64))))
    there_weight, gone, face, offset = (round(float(each), 3) for each in fit(features, there.astype(np.float64)))
    return Scale(there=max(there_weight, 0), gone=max(gone, 0), offset=offset), face, confidence


def claims(confidence: Numbers, there: NDArray[np.bool_], faces: Numbers) -> tuple[Table, float, float]:
    """`(table, people_from, no_people_below)`: the most that can be claimed and is right often enough."""
    table = Table("from, below", "somebody", "right", "nobody", "right", title="people, out of fold", show_edge=False)
    most, least = 1.0, 0.0
    for step in range(19, 0, -1):
        at = step / 20
        yes, no = confidence >= at, (confidence < at) & (faces == 0)
        if yes.any() and there[yes].mean() >= SOMEBODY_RIGHT and most - at < 0.0501:
            most = at
        if no.any() and (~there[no]).mean() >= NOBODY_RIGHT and at < 0.5:
            least = max(least, at)
        shares = [f"{right.mean():.2f}" if len(right) else "" for right in (there[yes], ~there[no])]
        table.add_row(f"{at:.2f}", str(yes.sum()), shares[0], str(no.sum()), shares[1])
    return table, most, least


def categories(sights: Sequence[Sight], slugs: Sequence[str], labels: Sequence[Sequence[str]]) -> Table:
    """Precision and recall of the categories that labels decide."""
    table = Table("category_from", "precision", "recall", "F1", title="categories", show_edge=False)
    names = {slug: {word.replace("_", " ") for word in words.split()} for slug, words in CATEGORIES.items()}
    truth = np.asarray([[bool(names[slug] & set(each)) for slug in CATEGORIES] for each in labels])
    value = np.stack([sight.categories[[slugs.index(slug) for slug in CATEGORIES]] for sight in sights])
    for least in CATEGORY_FROM:
        said_so = value >= least
        both = (said_so & truth).sum()
        table.add_row(
            f"{least:g}",
            f"{both / max(said_so.sum(), 1):.2f}",
            f"{both / truth.sum():.2f}",
            f"{2 * both / (said_so.sum() + truth.sum()):.3f}",
        )
    return table


def _texts(captions: Sequence[str], centre: NDArray[Any]) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any]]:
    """The classes' and wider words' vectors, and the captions' around the bundle's centre and as they are."""
    encoder = SentenceModel(BUNDLE / "text", max_tokens=128)

    def encode(texts: Sequence[str]) -> NDArray[Any]:
        return np.stack([encoder.encode(text) for text in texts])

    classes = read_classes()
    described, phrased = sentences(classes)
    texts = {
        "names": encode(classes.names),
        "sentences": encode(described) + encode(phrased),
        "wide": encode(classes.wide),
    }
    plain = encode(captions)
    return texts | {"shares": classes.shares}, unit(plain - centre), plain


def _retrieval(
    photos: Looks, others: Looks, entries: Sequence[dict[str, Any]], centre: NDArray[Any], fold: Places
) -> Setting:
    queries = [(caption, place) for place, entry in enumerate(entries) for caption in entry["captions"]]
    truth = np.asarray([place for _, place in queries])
    texts, vectors, plain = _texts([caption for caption, _ in queries], centre)
    everything = sweep(photos, others, texts, vectors, truth)
    best, held_out = choose(everything, fold[truth])
    rows = np.concatenate([each.rows(None)[:, 0] for each in (photos, others)])
    title = f"{len(queries)} captions, {len(photos.faces)} photos and {len(others.faces)} others"
    headings = ("views, temperature, word weight, sentence weight", "1", "5", "10", "20", "mean of 3")
    table = Table(*headings, title=title, show_edge=False)
    table.add_row("chosen without the fold", *recalls(held_out))
    table.add_row("ConSE as published", *recalls(ranks(plain, peer_vectors(rows, texts["names"]), truth)))
    for setting in sorted(everything, key=lambda each: -float(gain(everything[each]).mean()))[:8]:
        table.add_row(str(setting), *recalls(everything[setting]))
    for name, value in (
        ("detail", SCALES),
        ("temperature", TEMPERATURES),
        ("word_weight", WORD_WEIGHTS),
        ("sentence_weight", SENTENCE_WEIGHTS),
    ):
        table.add_section()
        for each in value:
            setting = replace(best, **{name: each})
            table.add_row(str(setting), *recalls(everything[setting]))
    _CONSOLE.print(table)
    return best


@dataclass(frozen=True)
class Reading:
    """How words follow from the classes."""

    detail: float | None
    noise: float = 2
    prior: float = 1

    def sights(
        self, photos: Looks, tower: Classifier, tables: dict[str, NDArray[Any]], guessed: NDArray[np.bool_]
    ) -> list[Sight]:
        shares = np.where(guessed, self.prior * tables["shares"], tables["shares"]).astype(np.float32)
        return [
            replace(tower.sight(logits), words=somewhere(above_noise(softmax(logits), self.noise) @ shares.T))
            for logits in photos.rows(self.detail)
        ]


def _tags(
    photos: Looks, entries: Sequence[dict[str, Any]], manifest: Manifest, detail: float | None, fold: Places
) -> dict[str, Any]:
    assert manifest.image.tower == "classifier"
    with np.load(BUNDLE / "image/tables.npz") as kept:
        tables = dict(kept)
    tower = Classifier(Network(BUNDLE / "image/tower.onnx"), manifest.image, tables)
    vocabulary = Vocabulary.model_validate_json((BUNDLE / "image/vocabulary.json").read_bytes())
    reader = Reader(vocabulary, manifest.understanding.model_copy(update={"calibration": None}))
    wider = {word.word: word.wider for word in open_words()}
    truth = [said([*entry["captions"], *entry["labels"]], wider) for entry in entries]
    table = np.asarray([vocabulary.origins[word] == "table" for word in vocabulary.words])
    guessed = ~table[:, None] & (tables["shares"] < 1)

    first = Reading(detail)
    readings = [first, *(replace(first, detail=each) for each in SCALES if each != detail)]
    readings += [replace(first, noise=each) for each in NOISES if each != first.noise]
    readings += [replace(first, prior=each) for each in PRIORS if each != first.prior]
    swept = Table(
        "words",
        "of the first 5",
        "10",
        "30",
        "uncalibrated",
        "",
        "",
        title="tags that are right, out of fold",
        show_edge=False,
    )
    for reading in readings:
        pairs = evidence(reading.sights(photos, tower, tables, guessed), reader, vocabulary.origins, truth)
        curves, confidence = calibrated(pairs, fold)
        shares = [precision(pairs, each, len(entries)) for each in (confidence, pairs.value)]
        swept.add_row(str(reading), *(f"{share:.1%}" for each in shares for share in each))
    _CONSOLE.print(swept)

    sights = first.sights(photos, tower, tables, guessed)
    pairs = evidence(sights, reader, vocabulary.origins, truth)
    curves, confidence = calibrated(pairs, fold)
    given = np.concatenate([own[np.argsort(-confidence[own])[: FIRST[-1]]] for own in own_places(pairs, len(entries))])
    _CONSOLE.print(
        reliability("the first 30 words, out of fold", confidence[given], pairs.right[given], pairs.value[given])
    )
    labels = {label for entry in entries for label in entry["labels"]}
    known = np.asarray([word in labels for word in pairs.words])
    labelled = np.asarray(
        [word in entries[photo]["labels"] for photo, word in zip(pairs.photo, pairs.words, strict=True)]
    )
    _CONSOLE.print(reliability("words that are labels", confidence[known], labelled[known], pairs.value[known]))

    colours = [
        (share, colour in truth[number]) for number, each in enumerate(photos.colours) for colour, share in each.items()
    ]
    share, right = (np.asarray(each) for each in zip(*colours, strict=True))
    power = min(COLOUR_POWERS, key=lambda each: log_loss(share**each, right))

    value = np.asarray([reader.confidences(sight).get("person", 0.0) for sight in sights])
    there = np.asarray(
        [somebody(words) or "person" in entry["labels"] for words, entry in zip(truth, entries, strict=True)]
    )
    person, face, sure = people(value, photos.faces.astype(np.float64), there, fold)
    claimed, people_from, no_people_below = claims(sure, there, photos.faces.astype(np.float64))
    _CONSOLE.print(claimed)
    _CONSOLE.print(categories(sights, vocabulary.categories, [entry["labels"] for entry in entries]))
    return {
        "calibration": {
            "words": {origin: curve.model_dump() for origin, curve in curves.items()},
            "colour": power,
            "person": person.model_dump(),
            "face": face,
        },
        "people_from": people_from,
        "no_people_below": no_people_below,
        "gap": round(error(confidence[given], pairs.right[given]), 3),
    }


def _looked(
    options: argparse.Namespace, entries: Sequence[dict[str, Any]], tower: ClassifierTower
) -> tuple[Looks, Looks]:
    others = sorted(path for path in options.distractors.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    random.Random(0).shuffle(others)
    files = [*(options.photos / entry["file"] for entry in entries), *others[: options.most]]
    if options.keep and options.keep.exists():
        with np.load(options.keep) as kept:
            looks = Looks(kept["logits"], kept["faces"], json.loads(str(kept["colours"])))
    else:
        looks = look(files, tower, _CONSOLE.print)
        if options.keep:
            np.savez(options.keep, logits=looks.logits, faces=looks.faces, colours=json.dumps(looks.colours))
    if len(looks.faces) != len(files):
        raise SystemExit(f"{options.keep} is of {len(looks.faces)} photos, not of {len(files)}")
    cut = len(entries)
    return (
        Looks(looks.logits[:cut], looks.faces[:cut], looks.colours[:cut]),
        Looks(looks.logits[cut:], looks.faces[cut:], looks.colours[cut:]),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 when the builder holds other settings than those chosen."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--photos", type=Path, required=True, metavar="DIR", help="captioned photos and their manifest.json"
    )
    parser.add_argument("--distractors", type=Path, required=True, metavar="DIR", help="other photos")
    parser.add_argument("--most", type=int, default=200, help="so many of the others, drawn by chance")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="what the networks said, for a second run (.npz)")
    options = parser.parse_args(arguments)
    build(BUNDLE)
    manifest = read_manifest(BUNDLE)
    assert manifest.image.tower == "classifier"
    assert manifest.text.tower == "sentence"
    entries = json.loads((options.photos / "manifest.json").read_text())
    photos, others = _looked(options, entries, manifest.image)
    fold = np.random.default_rng(0).permutation(len(entries)) % FOLDS
    best = _retrieval(photos, others, entries, np.asarray(manifest.text.centre), fold)
    fitted = _tags(photos, entries, manifest, best.detail, fold)
    held = Setting(
        manifest.image.detail_scale if manifest.image.detail_views else None,
        manifest.image.temperature,
        manifest.image.word_weight,
        SENTENCE_WEIGHT,
    )
    claimed = manifest.understanding
    assert claimed.calibration is not None
    kept = {
        "calibration": claimed.calibration.model_dump(),
        "people_from": claimed.people_from,
        "no_people_below": claimed.no_people_below,
    }
    kept["gap"] = next((each.value for each in manifest.quality if "gap" in each.what), None)
    table = Table("", "chosen here", "the builder's", title="settings", show_edge=False)
    table.add_row("views, temperature, word weight, sentence weight", str(best), str(held))
    for name, value in fitted.items():
        table.add_row(name, json.dumps(value), json.dumps(kept[name]))
    _CONSOLE.print(table)
    return 0 if best == held and fitted == kept else 1


if __name__ == "__main__":
    sys.exit(main())
