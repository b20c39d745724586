"""The optional captioner of a bundle (CoCa: Yu et al., 2022): one sentence about a picture, written word by word.

    captioner/captioner.json        its manifest
    captioner/image*.onnx           `pictures`, uint8 (n, size, size, 3) RGB, to `tokens` (n, tokens, width)
    captioner/words*.onnx           `tokens`, `ids` int64 (n, length) and `last` int64 (n,) to `logits` (n, words):
                                    what may follow the id at the place `last`
    captioner/tokenizer.json        between words and ids

It takes many times what the towers take (a pass through the decoder for each word), so no bundle has one unless it
was built into it. Words are chosen greedily.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from imagemarket.vision.bundle import Measurement, NotABundle, Part, verify
from imagemarket.vision.runtime import Device, Network
from imagemarket.vision.towers import Pixels, cut_middle

FOLDER = "captioner"
MANIFEST = "captioner.json"


class Graphs(BaseModel):
    """The two graphs for one kind of device."""

    model_config = ConfigDict(frozen=True)

    image: str
    words: str


class CaptionerManifest(BaseModel):
    """`captioner.json`."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    name: str
    recipe: str
    """Digest of everything it was built from; equal recipes need no second building."""
    size: int
    """Pixels a side of the middle that is cut from a picture whose short edge has as many."""
    length: int
    """Ids of a sentence at most, the beginning and the end included."""
    begin: int
    end: int
    networks: dict[Literal["cpu", "cuda"], Graphs]
    quality: list[Measurement]
    parts: dict[str, Part]


def read_captioner(folder: Path) -> CaptionerManifest:
    """The manifest in `folder`. Raises `NotABundle`."""
    path = folder / MANIFEST
    try:
        return CaptionerManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NotABundle(f"there is no {MANIFEST} in {folder}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise NotABundle(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


class Captioner:
    """Writes sentences about pictures; threads may share one.

    Raises `NotABundle` when `folder` is not whole, and `DeviceUnavailable` when `device` is not there.
    """

    def __init__(self, folder: Path, *, device: Device = "cpu", threads: int = 2) -> None:
        from tokenizers import Tokenizer

        self._manifest = read_captioner(folder)
        verify(folder, self._manifest)
        graphs = self._manifest.networks.get(device) or self._manifest.networks["cpu"]
        self._image = Network(folder / graphs.image, device=device, threads=threads)
        self._words = Network(folder / graphs.words, device=device, threads=threads)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def cut(self, picture: Image.Image) -> Pixels:
        """What it looks at of an RGB picture, (size, size, 3)."""
        return cut_middle(picture, self._manifest.size)

    def describe(self, pictures: Sequence[Pixels]) -> list[str]:
        """A sentence for each cut picture, in their order; "" where it finds no word."""
        return [self._sentence(ids) for ids in self.write(pictures)]

    def write(self, pictures: Sequence[Pixels]) -> list[list[int]]:
        """The ids of each sentence, without its beginning and end."""
        manifest = self._manifest
        (tokens,) = self._image.run(["tokens"], {"pictures": np.stack(pictures)})
        ids: NDArray[np.int64] = np.zeros((len(pictures), manifest.length), dtype=np.int64)
        ids[:, 0] = manifest.begin
        ended = np.zeros(len(pictures), dtype=bool)
        for place in range(manifest.length - 1):
            last = np.full(len(pictures), place, dtype=np.int64)
            (logits,) = self._words.run(["logits"], {"tokens": tokens, "ids": ids, "last": last})
            ids[:, place + 1] = np.where(ended, manifest.end, np.asarray(logits).argmax(axis=1))
            ended |= ids[:, place + 1] == manifest.end
            if ended.all():
                break
        else:
            ids[:, -1] = manifest.end
        return [row[1 : row.tolist().index(manifest.end)].tolist() for row in ids]

    def _sentence(self, ids: Sequence[int]) -> str:
        pieces = "".join(self._tokenizer.id_to_token(each) or "" for each in ids)
        words = " ".join(pieces.replace("</w>", " ").split()).strip(" .")
        for mark in (",", "'", ";", ":"):
            words = words.replace(f" {mark}", mark)
        return f"{words[0].upper()}{words[1:]}." if words else ""
