"""A model bundle: the folder that holds one model, and the manifest that says what lies in it.

    bundle.json                     the manifest
    text/model.onnx                 the text tower, with
    text/tokenizer.json             its tokenizer
    image/classifier.onnx           what the image tower is made of (see `imagemarket.vision.analyser`)
    image/nsfw.onnx
    image/tables.npz
    image/vocabulary.json

Who encodes queries needs the manifest and `text/` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST = "bundle.json"
FORMAT = 1


class NotABundle(Exception):
    """The folder holds no bundle, or not the one that its manifest describes."""


class Part(BaseModel):
    """A file of the bundle. `source` and `licence` say what it was made from."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size_bytes: int
    source: str
    licence: str


class TextTower(BaseModel):
    """A sentence encoder; `centre` is taken off its vectors, so that they spread around zero."""

    model_config = ConfigDict(frozen=True)

    dimensions: int
    max_tokens: int
    centre: list[float]


class ImageTower(BaseModel):
    """A classifier, and how its classes become a vector and words.

    Softmax at `temperature` over the classes weighs the class vectors; the words that follow from the
    classes add theirs with `word_weight`.
    """

    model_config = ConfigDict(frozen=True)

    size: int
    temperature: float
    word_weight: float
    detail_views: list[tuple[float, float]]
    """Where the closer views lie: 0..1 of the room that is left, across and down."""
    detail_scale: float
    """Width and height of a closer view, as a share of the picture's."""
    category_from: float
    people_from: float


class Manifest(BaseModel):
    """`bundle.json`. `model_version` names the embedding space: it is a digest of all that shapes it."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    format: Literal[1]
    model_version: str
    recipe: str
    """Digest of everything the bundle was built from; equal recipes need no second building."""
    text: TextTower
    image: ImageTower
    parts: dict[str, Part]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the bundle in `folder`. Raises `NotABundle`."""
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NotABundle(f"there is no {MANIFEST} in {folder}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise NotABundle(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for name, part in manifest.parts.items():
        file = folder / name
        if name.startswith("text/") and (not file.is_file() or file.stat().st_size != part.size_bytes):
            raise NotABundle(f"{file} is missing or not of {part.size_bytes} bytes")
    return manifest


def verify(folder: Path, manifest: Manifest) -> None:
    """Raises `NotABundle` unless every file is there, byte for byte."""
    import hashlib

    for name, part in manifest.parts.items():
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise NotABundle(f"{folder / name}: {error.strerror}") from error
        if digest != part.sha256:
            raise NotABundle(f"{folder / name} is not the file that the manifest describes")
