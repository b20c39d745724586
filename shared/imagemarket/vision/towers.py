"""The two kinds of image tower: from prepared views of pictures to vectors and to what words hold for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemarket.vision.bundle import ClassifierTower, ContrastiveImageTower, Manifest
from imagemarket.vision.runtime import Device, Network

Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_NOISE = 2
"""Times the even share of a class."""


@dataclass(frozen=True)
class Sight:
    """What a tower makes of one picture."""

    vector: Vector
    """Unit vector, of the bundle's dimensions."""
    words: Vector
    """Confidence of each word of the vocabulary, 0..1."""
    categories: Vector
    """Confidence of each category, 0..1."""


class ImageTower(Protocol):
    """A loaded image tower; threads may share one."""

    def cut(self, picture: Image.Image) -> Pixels:
        """What the network looks at of an RGB picture: (views, size, size, 3)."""
        ...

    def see(self, pictures: Sequence[Pixels]) -> list[Sight]:
        """What the cut pictures show, in their order."""
        ...


def load_tower(bundle: Path, manifest: Manifest, *, device: Device, threads: int) -> ImageTower:
    """The image tower of a bundle, on `device`."""
    file = bundle / (manifest.networks.get(device) or manifest.networks["cpu"])
    network = Network(file, device=device, threads=threads)
    with np.load(bundle / "image/tables.npz") as tables:
        kept = dict(tables)
    if manifest.image.tower == "classifier":
        return Classifier(network, manifest.image, kept)
    return Contrastive(network, manifest.image, kept)


class Classifier:
    """ConSE (Norouzi et al., 2013): the mean of the classes' text vectors, weighed by their probabilities."""

    def __init__(self, network: Network, tower: ClassifierTower, tables: Mapping[str, NDArray[Any]]) -> None:
        self._network = network
        self._tower = tower
        self._class_vectors: Matrix = tables["class_vectors"]
        self._word_vectors: Matrix = tables["word_vectors"]
        self._wide: Matrix = tables["wide_shares"]
        self._shares: Matrix = tables["shares"].astype(np.float32)
        self._category_vectors = _rows_at_unit(tables["category_vectors"])
        self._category_shares: Matrix = tables["category_shares"]

    def cut(self, picture: Image.Image) -> Pixels:
        """The whole picture first, then closer views."""
        side = self._tower.size
        boxes = self._boxes(*picture.size)
        return np.stack([np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box)) for box in boxes])

    def _boxes(self, width: int, height: int) -> list[tuple[float, float, float, float]]:
        share = self._tower.detail_scale
        boxes: list[tuple[float, float, float, float]] = [(0, 0, width, height)]
        for across, down in self._tower.detail_views:
            left, top = across * (1 - share) * width, down * (1 - share) * height
            boxes.append((left, top, left + share * width, top + share * height))
        return boxes

    def see(self, pictures: Sequence[Pixels]) -> list[Sight]:
        return [self.sight(logits) for logits in _in_batches(self._network, "logits", pictures)]

    def sight(self, logits: Matrix) -> Sight:
        """What the network's rows for the views of one picture, (views, classes), come to."""
        by_view = above_noise(_softmax(logits))
        vector = self._vector(_softmax(logits / self._tower.temperature).mean(axis=0))
        held = somewhere(by_view @ self._category_shares.T)
        # Where no class says it, the nearest category is a guess that the likeness grades.
        guess = np.clip(0.3 * (self._category_vectors @ vector), 0, 0.3)
        return Sight(
            vector=vector,
            words=somewhere(by_view @ self._shares.T),
            categories=np.clip(held + guess, 0, 1).astype(np.float32),
        )

    def _vector(self, classes: Vector) -> Vector:
        by_class = _unit(classes @ self._class_vectors)
        by_word = _unit((self._wide @ classes) @ self._word_vectors)
        return _unit(by_class + self._tower.word_weight * by_word)


class Contrastive:
    """CLIP (Radford et al., 2021): words hold as far as their prompts lie nearer than neutral ones do."""

    def __init__(self, network: Network, tower: ContrastiveImageTower, tables: Mapping[str, NDArray[Any]]) -> None:
        self._network = network
        self._tower = tower
        self._word_vectors: Matrix = tables["word_vectors"]
        self._category_vectors: Matrix = tables["category_vectors"]
        self._neutral: Vector = tables["neutral_vectors"].mean(axis=0)

    def cut(self, picture: Image.Image) -> Pixels:
        return cut_middle(picture, self._tower.size)[None]

    def see(self, pictures: Sequence[Pixels]) -> list[Sight]:
        return [self._sight(rows[0]) for rows in _in_batches(self._network, "embeddings", pictures)]

    def _sight(self, embedding: Vector) -> Sight:
        vector = _unit(embedding)
        neutral = float(self._neutral @ vector)
        return Sight(
            vector=vector,
            words=self._odds(self._word_vectors @ vector - neutral),
            categories=self._odds(self._category_vectors @ vector - neutral),
        )

    def _odds(self, leads: Vector) -> Vector:
        return (1 / (1 + np.exp(-self._tower.slope * (leads - self._tower.lead)))).astype(np.float32)


def cut_middle(picture: Image.Image, side: int) -> Pixels:
    """(side, side, 3): the short edge at `side` pixels, the middle of the long one, as CLIP was trained."""
    share = side / min(picture.size)
    size = (max(side, round(picture.width * share)), max(side, round(picture.height * share)))
    fitted = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return np.asarray(fitted.crop((left, top, left + side, top + side)))


def _in_batches(network: Network, output: str, pictures: Sequence[Pixels]) -> list[Matrix]:
    """The network's rows for each picture. One call for all on a GPU; on a CPU, which gains nothing from more
    at once, one call a picture, so that no answer depends on its company by as much as a rounding."""
    if network.device == "cpu":
        return [np.asarray(network.run([output], {"pictures": views})[0], dtype=np.float32) for views in pictures]
    (rows,) = network.run([output], {"pictures": np.concatenate(pictures)})
    ends = np.cumsum([len(views) for views in pictures])[:-1]
    return np.split(np.asarray(rows, dtype=np.float32), ends)


def above_noise(classes: Matrix, noise: float = _NOISE) -> Matrix:
    """Without the little that a classifier at a loss gives to every class: a third of them are animals, and
    so would be any picture that it does not know."""
    return np.maximum(classes - noise / classes.shape[-1], 0)


def somewhere(by_view: Matrix) -> Vector:
    """The probability that something is in at least one of the views, from its probability in each. A softmax
    divides one between all that a view shows; the closer views show less, so what is small comes through."""
    return 1 - np.prod(1 - np.clip(by_view, 0, 1), axis=0)


def _softmax(logits: Matrix) -> Matrix:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _unit(vector: NDArray[Any]) -> Vector:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def _rows_at_unit(matrix: NDArray[Any]) -> Matrix:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
