"""The image tower of a `lite` bundle: from a JPEG to a vector, words, categories and a sentence."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from imagemarket.vision.bundle import ImageTower, read_manifest, verify
from imagemarket.vision.colours import name_colours
from imagemarket.vision.models import TAGS_PER_IMAGE, Analysis, Tag
from imagemarket.vision.text import padded_unit

_MAX_PIXELS = 40_000_000
_SHORT_EDGE = 300
_COLOUR_SIDE = 64

_NSFW_RESIZE, _NSFW_SIZE = 256, 224
_NSFW_MEAN_BGR = (104, 117, 123)

_MAX_CATEGORIES = 3
_NOISE = 2
"""Times the even share of a class."""
_SURE, _LIKELY = 0.8, 0.4


class UnreadableImage(Exception):
    """The bytes are no picture that the tower can look at; the message says why, for people."""


@dataclass(frozen=True)
class View:
    """A picture made ready: what the networks look at, as bytes. About 1.5 MB."""

    views: NDArray[np.uint8]
    """(n, size, size, 3) RGB: the whole picture first, then closer views."""
    nsfw: NDArray[np.uint8]
    """(224, 224, 3) RGB."""
    small: NDArray[np.uint8]
    """(64, 64, 3) RGB, for its colours."""


class Analyser:
    """Looks at pictures. Threads may share one; each call uses `threads` cores.

    Raises `NotABundle` when `bundle` is not whole.
    """

    def __init__(self, bundle: Path, *, threads: int = 2) -> None:
        manifest = read_manifest(bundle)
        verify(bundle, manifest)
        self._tower: ImageTower = manifest.image
        self._model_version = manifest.model_version
        lists = json.loads((bundle / "image/vocabulary.json").read_bytes())
        self._words: list[str] = lists["words"]
        self._categories: list[str] = lists["categories"]
        with np.load(bundle / "image/tables.npz") as tables:
            self._class_vectors: NDArray[np.float32] = tables["class_vectors"]
            self._word_vectors: NDArray[np.float32] = tables["word_vectors"]
            self._category_vectors: NDArray[np.float32] = _rows_at_unit(tables["category_vectors"])
            self._shares: NDArray[np.float32] = tables["shares"]
            self._category_shares: NDArray[np.float32] = tables["category_shares"]
        self._person = self._words.index("person")
        # Classes of one name are one word.
        self._names = sorted(set(lists["classes"]))
        place = {name: number for number, name in enumerate(self._names)}
        self._class_names = np.zeros((len(lists["classes"]), len(self._names)), dtype=np.float32)
        for number, name in enumerate(lists["classes"]):
            self._class_names[number, place[name]] = 1
        self._breadth = dict(zip(self._words, self._shares.sum(axis=1).tolist(), strict=True))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # The two networks take turns: the threads of one must not spin while the other works.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = ["CPUExecutionProvider"]
        self._classifier = onnxruntime.InferenceSession(str(bundle / "image/classifier.onnx"), options, providers)
        self._nsfw = onnxruntime.InferenceSession(str(bundle / "image/nsfw.onnx"), options, providers)

    @property
    def model_version(self) -> str:
        """Names the space of the vectors."""
        return self._model_version

    def prepare(self, jpeg: bytes) -> View:
        """Decodes one picture. Raises `UnreadableImage`."""
        try:
            with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
                if opened.width * opened.height > _MAX_PIXELS:
                    raise UnreadableImage(f"it has {opened.width} x {opened.height} pixels, more than 40 million")
                opened.draft("RGB", (2 * _SHORT_EDGE, 2 * _SHORT_EDGE))
                upright = ImageOps.exif_transpose(opened).convert("RGB")
        except UnidentifiedImageError:
            raise UnreadableImage("it is no JPEG") from None
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UnreadableImage(f"it cannot be decoded: {str(error)[:120]}") from error
        shrink = _SHORT_EDGE / min(upright.size)
        if shrink < 1:
            size = (max(1, round(upright.width * shrink)), max(1, round(upright.height * shrink)))
            upright = upright.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
        return View(
            views=np.stack([self._cut(upright, box) for box in self._boxes(*upright.size)]),
            nsfw=_nsfw_input(upright),
            small=np.asarray(upright.resize((_COLOUR_SIDE, _COLOUR_SIDE), Image.Resampling.BOX)),
        )

    def _boxes(self, width: int, height: int) -> list[tuple[float, float, float, float]]:
        share = self._tower.detail_scale
        boxes: list[tuple[float, float, float, float]] = [(0, 0, width, height)]
        for across, down in self._tower.detail_views:
            left, top = across * (1 - share) * width, down * (1 - share) * height
            boxes.append((left, top, left + share * width, top + share * height))
        return boxes

    def _cut(self, picture: Image.Image, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
        side = self._tower.size
        return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box))

    def analyse(self, jpegs: Sequence[bytes]) -> list[Analysis]:
        """What the pictures show, in their order. Raises `UnreadableImage`."""
        return [self.look(self.prepare(jpeg)) for jpeg in jpegs]

    def look(self, view: View) -> Analysis:
        """What one prepared picture shows."""
        (logits,) = self._classifier.run(["logits"], {"pictures": view.views})
        scores = np.asarray(logits, dtype=np.float32)
        by_view = _above_noise(_softmax(scores))
        words = _somewhere(by_view @ self._shares.T)
        names = _somewhere(by_view @ self._class_names)
        vector = self._vector(_softmax(scores / self._tower.temperature).mean(axis=0))
        colours = name_colours(view.small)
        confidence = dict(zip(self._words, words.tolist(), strict=True))
        for name, probability in zip(self._names, names.tolist(), strict=True):
            confidence[name] = max(probability, confidence.get(name, 0.0))
        people = words[self._person] >= self._tower.people_from
        return Analysis(
            embedding=padded_unit(vector),
            tags=_tags(confidence, colours),
            categories=self._choose_categories(by_view, vector),
            nsfw_score=self._nsfw_score(view),
            description=self._describe(confidence, colours),
            # The classifier was never asked for people: that it sees none says nothing.
            people=True if people else None,
        )

    def _vector(self, classes: NDArray[np.float32]) -> NDArray[np.float32]:
        by_class = _unit(classes @ self._class_vectors)
        by_word = _unit((self._shares @ classes) @ self._word_vectors)
        return _unit(by_class + self._tower.word_weight * by_word)

    def _choose_categories(self, by_view: NDArray[np.float32], vector: NDArray[np.float32]) -> list[str]:
        held = _somewhere(by_view @ self._category_shares.T)
        alike = self._category_vectors @ vector
        order = np.argsort(-(held + 0.3 * alike))
        chosen = [int(place) for place in order if held[place] >= self._tower.category_from]
        if not chosen and alike[order[0]] > 0:
            chosen = [int(order[0])]
        return [self._categories[place] for place in chosen[:_MAX_CATEGORIES]]

    def _nsfw_score(self, view: View) -> float:
        planes = view.nsfw[:, :, ::-1].astype(np.float32) - np.asarray(_NSFW_MEAN_BGR, dtype=np.float32)
        (answer,) = self._nsfw.run(["outputs"], {"input:0": np.ascontiguousarray(planes)[None]})
        return min(1.0, max(0.0, float(np.asarray(answer)[0, 1])))

    def _describe(self, confidence: dict[str, float], colours: dict[str, float]) -> str:
        """One sentence that claims no more than the classifier does."""
        ranked = sorted(confidence, key=lambda word: -confidence[word])
        sure = [word for word in ranked if confidence[word] >= _SURE]
        likely = [word for word in ranked if _LIKELY <= confidence[word] < _SURE]
        # Of the sure words the narrow ones say most; a class's own name is the narrowest.
        sure.sort(key=lambda word: (self._breadth.get(word, 0.0), -confidence[word]))
        if sure:
            said = f"Shows {_listed(sure[:3], 'and')}"
            said += f", perhaps with {_listed(likely[:2], 'or')}" if likely else ""
        elif likely:
            said = f"May show {_listed(likely[:3], 'or')}"
        else:
            said = f"Possibly shows {_listed(ranked[:2], 'or')}"
        tints = list(colours)[:2]
        return f"{said}; mostly {_listed(tints, 'and')}." if tints else f"{said}."


def _tags(confidence: dict[str, float], colours: dict[str, float]) -> list[Tag]:
    scores = confidence | colours
    ranked = sorted(scores, key=lambda word: (-scores[word], word))[:TAGS_PER_IMAGE]
    return [Tag(tag=word, confidence=round(min(1.0, scores[word]), 4)) for word in ranked]


def _listed(words: Sequence[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _nsfw_input(picture: Image.Image) -> NDArray[np.uint8]:
    """As the network's own preprocessing has it, the pass through a JPEG included."""
    edge = (_NSFW_RESIZE - _NSFW_SIZE) // 2
    square = picture.resize((_NSFW_RESIZE, _NSFW_RESIZE), Image.Resampling.BILINEAR)
    coded = io.BytesIO()
    square.crop((edge, edge, edge + _NSFW_SIZE, edge + _NSFW_SIZE)).save(coded, "JPEG")
    with Image.open(coded, formats=["JPEG"]) as decoded:
        return np.asarray(decoded.convert("RGB"))


def _above_noise(classes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the little that a classifier at a loss gives to every class: a third of them are animals, and
    so would be any picture that it does not know."""
    return np.maximum(classes - _NOISE / classes.shape[-1], 0)


def _somewhere(by_view: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability that something is in at least one of the views, from its probability in each. A softmax
    divides one between all that a view shows; the closer views show less, so what is small comes through."""
    return 1 - np.prod(1 - np.clip(by_view, 0, 1), axis=0)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _unit(vector: NDArray[Any]) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def _rows_at_unit(matrix: NDArray[Any]) -> NDArray[np.float32]:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
