"""The image side of a bundle: from a JPEG to a vector, words, categories and a sentence."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagemarket.vision.bundle import Manifest, read_manifest, verify
from imagemarket.vision.captioner import FOLDER, Captioner
from imagemarket.vision.colours import name_colours
from imagemarket.vision.faces import FaceFinder
from imagemarket.vision.models import Analysis
from imagemarket.vision.pictures import UnreadableImage, decode
from imagemarket.vision.runtime import Device, DeviceUnavailable, Network, Placement, Wanted, choose_device
from imagemarket.vision.tagging import Reader, Vocabulary
from imagemarket.vision.text import padded_unit
from imagemarket.vision.towers import Pixels, Sight, load_tower

__all__ = ["Analyser", "UnreadableImage", "View"]

_COLOUR_SIDE = 64

_NSFW_RESIZE, _NSFW_SIZE = 256, 224
_NSFW_MEAN_BGR = (104, 117, 123)


@dataclass(frozen=True)
class View:
    """A picture made ready: what the networks look at, as bytes (about 1.5 MB), and what is known without them."""

    views: Pixels
    """(n, size, size, 3) RGB, as the image tower cuts them."""
    nsfw: NDArray[np.uint8]
    """(224, 224, 3) RGB."""
    colours: dict[str, float]
    """Share of the picture of each colour, the largest first."""
    surest_face: float
    """Score of the surest face, 0 where there is none."""
    captioned: Pixels | None = None
    """What the captioner looks at, where the bundle has one."""


class Analyser:
    """Looks at pictures. Threads may share one; on the CPU each call uses `threads` cores.

    With `auto` a GPU that cannot be used is given up for the CPU, and `fell_back` says why. Raises `NotABundle` when
    `bundle` is not whole, and `DeviceUnavailable` when `cuda` is wanted and not there.
    """

    def __init__(self, bundle: Path, *, device: Wanted = "auto", threads: int = 2) -> None:
        manifest = read_manifest(bundle)
        verify(bundle, manifest)
        self._manifest: Manifest = manifest
        self._placement = choose_device(device)
        try:
            self._load(bundle, threads)
        except DeviceUnavailable as error:
            if device == "cuda":
                raise
            self._placement = Placement("cpu", str(error))
            self._load(bundle, threads)
        vocabulary = Vocabulary.model_validate_json((bundle / "image/vocabulary.json").read_bytes())
        self._reader = Reader(vocabulary, manifest.understanding)
        self._faces = FaceFinder(bundle)

    def _load(self, bundle: Path, threads: int) -> None:
        self._tower = load_tower(bundle, self._manifest, device=self.device, threads=threads)
        self._nsfw = Network(bundle / "image/nsfw.onnx", device=self.device, threads=threads)
        folder = bundle / FOLDER
        self._captioner = Captioner(folder, device=self.device, threads=threads) if folder.is_dir() else None

    @property
    def model_version(self) -> str:
        """Names the space of the vectors."""
        return self._manifest.model_version

    @property
    def alike_from(self) -> float | None:
        """Cosine from which two pictures are alike; None where the bundle does not say."""
        return self._manifest.alike_from

    @property
    def device(self) -> Device:
        """Where the networks run."""
        return self._placement.device

    @property
    def fell_back(self) -> str | None:
        """Why they run on the CPU though this ONNX Runtime is made for a GPU; None where that is not so."""
        return self._placement.fell_back

    def prepare(self, jpeg: bytes) -> View:
        """Decodes one picture and finds what needs no large network. Raises `UnreadableImage`."""
        picture = decode(jpeg)
        small = np.asarray(picture.resize((_COLOUR_SIDE, _COLOUR_SIDE), Image.Resampling.BOX))
        return View(
            views=self._tower.cut(picture),
            nsfw=_nsfw_input(picture),
            colours=name_colours(small),
            surest_face=float(self._faces.find(picture)[:, 4].max(initial=0)),
            captioned=self._captioner.cut(picture) if self._captioner else None,
        )

    def analyse(self, jpegs: Sequence[bytes]) -> list[Analysis]:
        """What the pictures show, in their order. Raises `UnreadableImage`."""
        return self.look([self.prepare(jpeg) for jpeg in jpegs])

    def look(self, views: Sequence[View]) -> list[Analysis]:
        """What prepared pictures show, in their order; on a GPU all of them in one pass."""
        if not views:
            return []
        sights = self._tower.see([view.views for view in views])
        scores = self._nsfw_scores([view.nsfw for view in views])
        captions = self._captions(views)
        return [self._read(*each) for each in zip(views, sights, scores, captions, strict=True)]

    def _captions(self, views: Sequence[View]) -> list[str]:
        """What the captioner writes of each; "" without one."""
        seen = [view.captioned for view in views if view.captioned is not None]
        if self._captioner is None or len(seen) < len(views):
            return [""] * len(views)
        return self._captioner.describe(seen)

    def warm_up(self, batch: int) -> None:
        """Looks at plain pictures, one and then `batch` of them, so that the first caller does not wait for what a
        network does at its first run (memory, and on a GPU the choice of kernels)."""
        plain = Image.new("RGB", (_NSFW_RESIZE, _NSFW_RESIZE), (120, 130, 140))
        coded = io.BytesIO()
        plain.save(coded, "JPEG")
        view = self.prepare(coded.getvalue())
        self.look([view])
        if batch > 1 and self.device != "cpu":
            self.look([view] * batch)

    def _read(self, view: View, sight: Sight, nsfw_score: float, caption: str) -> Analysis:
        held = self._reader.confidences(sight, view.surest_face)
        people = self._reader.people(held, view.surest_face)
        return Analysis(
            embedding=padded_unit(sight.vector),
            tags=self._reader.tags(held, view.colours, people=people),
            categories=self._reader.categories(sight),
            nsfw_score=nsfw_score,
            description=caption or self._reader.describe(held, view.colours, people=people),
            people=people,
        )

    def _nsfw_scores(self, pictures: Sequence[NDArray[np.uint8]]) -> list[float]:
        planes = np.stack(pictures)[..., ::-1].astype(np.float32) - np.asarray(_NSFW_MEAN_BGR, dtype=np.float32)
        batches = [planes[place : place + 1] for place in range(len(planes))] if self.device == "cpu" else [planes]
        answers = [self._nsfw.run(["outputs"], {"input:0": np.ascontiguousarray(each)})[0] for each in batches]
        return [min(1.0, max(0.0, float(row[1]))) for row in np.concatenate(answers)]


def _nsfw_input(picture: Image.Image) -> NDArray[np.uint8]:
    """As the network's own preprocessing has it, the pass through a JPEG included."""
    edge = (_NSFW_RESIZE - _NSFW_SIZE) // 2
    square = picture.resize((_NSFW_RESIZE, _NSFW_RESIZE), Image.Resampling.BILINEAR)
    coded = io.BytesIO()
    square.crop((edge, edge, edge + _NSFW_SIZE, edge + _NSFW_SIZE)).save(coded, "JPEG")
    with Image.open(coded, formats=["JPEG"]) as decoded:
        return np.asarray(decoded.convert("RGB"))
