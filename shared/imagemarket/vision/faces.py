"""Finds faces: MTCNN (Zhang et al., 2016), a cascade of three small networks over a pyramid of the picture.

The networks were trained on pictures turned over their diagonal, as the first implementation had them, so every
crop is transposed on its way in. Boxes are `(left, top, right, bottom, score)` in pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemarket.vision.runtime import Network

Boxes = NDArray[np.float32]

FILES = ("image/faces-propose.onnx", "image/faces-refine.onnx", "image/faces-output.onnx")
"""Where a bundle keeps the three networks."""

_CELL, _STRIDE = 12, 2
_SHRINK = 0.709
"""From one storey of the pyramid to the next: half the area."""
_PROPOSED_FROM, _REFINED_FROM = 0.6, 0.7
_MOST_PROPOSALS = 200
_NONE: Boxes = np.zeros((0, 5), dtype=np.float32)


class FaceFinder:
    """Threads may share one. `smallest` is the height in pixels of the smallest face looked for."""

    def __init__(self, bundle: Path, *, smallest: int = 20) -> None:
        self._smallest = smallest
        self._propose, self._refine, self._output = (Network(bundle / name) for name in FILES)

    def find(self, picture: Image.Image) -> Boxes:
        """The faces of an RGB picture, (n, 5), each with the last network's score, 0..1."""
        boxes = self._proposals(picture)
        if not len(boxes):
            return _NONE
        moves, odds = self._refine.run(["dense_2", "softmax_1"], {"input_2": _crops(picture, boxes, 24)})
        boxes = _square(_thinned(_kept(boxes, moves, odds, _REFINED_FROM), 0.7))
        if not len(boxes):
            return _NONE
        moves, odds = self._output.run(["dense_5", "softmax_2"], {"input_3": _crops(picture, boxes, 48)})
        return _thinned(_kept(boxes, moves, odds, _REFINED_FROM), 0.7, of_smaller=True)

    def _proposals(self, picture: Image.Image) -> Boxes:
        scale = _CELL / self._smallest
        storeys: list[Boxes] = []
        while min(picture.size) * scale >= _CELL:
            size = (int(np.ceil(picture.width * scale)), int(np.ceil(picture.height * scale)))
            pixels = _signed(np.asarray(picture.resize(size, Image.Resampling.BOX)))
            moves, odds = self._propose.run(["conv2d_4", "softmax"], {"input_1": pixels.transpose(1, 0, 2)[None]})
            score = odds[0, :, :, 1]
            across, down = np.nonzero(score >= _PROPOSED_FROM)
            corner = np.stack([across, down], axis=1) * _STRIDE
            boxes = np.concatenate(
                [corner / scale, (corner + _CELL) / scale, score[across, down][:, None]], axis=1
            ).astype(np.float32)
            storeys.append(_thinned(_moved(boxes, moves[0, across, down]), 0.5))
            scale *= _SHRINK
        if not storeys:
            return _NONE
        return _square(_thinned(np.concatenate(storeys), 0.7)[:_MOST_PROPOSALS])


def _signed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(128)


def _crops(picture: Image.Image, boxes: Boxes, side: int) -> NDArray[np.float32]:
    """(n, side, side, 3), transposed; what lies outside of the picture is black."""
    crops: list[NDArray[np.uint8]] = []
    for left, top, right, bottom in boxes[:, :4].round().astype(int).tolist():
        cut = picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        crops.append(np.asarray(cut.resize((side, side), Image.Resampling.BOX)))
    return _signed(np.stack(crops)).transpose(0, 2, 1, 3)


def _moved(boxes: Boxes, moves: NDArray[Any]) -> Boxes:
    """Each corner moved by its share of the box's width and height."""
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2], 2)
    return np.concatenate([boxes[:, :4] + moves * sides, boxes[:, 4:]], axis=1).astype(np.float32)


def _kept(boxes: Boxes, moves: NDArray[Any], odds: NDArray[Any], least: float) -> Boxes:
    score = odds[:, 1]
    sure = score > least
    scored = np.concatenate([boxes[sure, :4], score[sure, None]], axis=1).astype(np.float32)
    return _moved(scored, moves[sure])


def _square(boxes: Boxes) -> Boxes:
    """Around the same middle, as long as the longer side."""
    middle = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half, boxes[:, 4:]], axis=1).astype(np.float32)


def _thinned(boxes: Boxes, most: float, *, of_smaller: bool = False) -> Boxes:
    """Surest first, without those that share more than `most` of their union (or of the smaller) with a surer one."""
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept: list[Boxes] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        shared = np.minimum(best[2:4], left[:, 2:4]) - np.maximum(best[:2], left[:, :2])
        common = shared.clip(min=0).prod(axis=1)
        areas = (left[:, 2:4] - left[:, :2]).prod(axis=1)
        own = (best[2:4] - best[:2]).prod()
        whole = np.minimum(areas, own) if of_smaller else areas + own - common
        left = left[common <= most * np.maximum(whole, 1e-6)]
    return np.stack(kept) if kept else _NONE
