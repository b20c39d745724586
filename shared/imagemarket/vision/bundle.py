"""A model bundle: the folder that holds one model, and the manifest that says what lies in it.

    bundle.json                     the manifest
    text/model.onnx                 the text tower, with
    text/tokenizer.json             its tokenizer
    image/tower.onnx                the image tower; more files of it for other devices
    image/nsfw.onnx                 what scores whether a picture is safe for work
    image/faces-*.onnx              what finds faces (MTCNN's three networks)
    image/vocabulary.json           the words that tags are chosen from, and the categories
    image/tables.npz                their vectors, and what follows from classes where the tower is a classifier
    captioner/                      where one was built in: what writes the sentence (`imagemarket.vision.captioner`)

There are two kinds of tower on each side, and one loader for all of them: `imagemarket.vision.text.TextEncoder`
and `imagemarket.vision.analyser.Analyser`. Who encodes queries needs the manifest and `text/` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagemarket.vision.models import EMBEDDING_DIMENSIONS

MANIFEST = "bundle.json"
FORMAT = 2


class NotABundle(Exception):
    """The folder holds no bundle, or not the one that its manifest describes."""


class Part(BaseModel):
    """A file of the bundle. `source` and `licence` say what it was made from."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size_bytes: int
    source: str
    licence: str


class SentenceTower(BaseModel):
    """A sentence encoder: the mean over its tokens' states. `centre` is taken off its vectors, so that they
    spread around zero."""

    model_config = ConfigDict(frozen=True)

    tower: Literal["sentence"] = "sentence"
    max_tokens: int
    centre: list[float]


class ContrastiveTextTower(BaseModel):
    """A text encoder that was trained together with the image tower (CLIP). Token ids are filled up with zeros
    to `context`; the graph gives the vector."""

    model_config = ConfigDict(frozen=True)

    tower: Literal["contrastive"] = "contrastive"
    context: int


class ClassifierTower(BaseModel):
    """A classifier, and how its classes become a vector and words (ConSE).

    The graph takes `pictures`, uint8 (n, size, size, 3) RGB, and gives `logits` (n, classes). Softmax at
    `temperature` over the classes weighs the class vectors; the words that follow from the classes add theirs
    with `word_weight`.
    """

    model_config = ConfigDict(frozen=True)

    tower: Literal["classifier"] = "classifier"
    size: int
    temperature: float
    word_weight: float
    detail_views: list[tuple[float, float]]
    """Where the closer views lie: 0..1 of the room that is left, across and down."""
    detail_scale: float
    """Width and height of a closer view, as a share of the picture's."""


class ContrastiveImageTower(BaseModel):
    """An image encoder that was trained together with the text tower (CLIP).

    The graph takes `pictures`, uint8 (n, size, size, 3) RGB: the short edge at `size`, the middle cut out. It
    gives `embeddings` (n, dimensions) of unit length. A word's confidence is the logistic function of
    `slope` times the cosine's lead over the mean cosine of the neutral prompts, less `lead`.
    """

    model_config = ConfigDict(frozen=True)

    tower: Literal["contrastive"] = "contrastive"
    size: int
    slope: float
    lead: float


class Scale(BaseModel):
    """Beta calibration (Kull et al., 2017): of evidence p the logistic function of `there` times the logarithm of p,
    less `gone` times that of 1 - p, and `offset`. It rises with p."""

    model_config = ConfigDict(frozen=True)

    there: Annotated[float, Field(ge=0)]
    gone: Annotated[float, Field(ge=0)]
    offset: float


class Calibration(BaseModel):
    """Makes of evidence the probability that one of five people who describe the picture uses the word, or a
    narrower one."""

    model_config = ConfigDict(frozen=True)

    words: dict[str, Scale]
    """By where a word comes from (`Vocabulary.origins`)."""
    colour: float
    """The power of the share of the picture that a colour covers."""
    person: Scale
    face: float
    """Added to the log odds of "person" in proportion to the score of the surest face."""


class Understanding(BaseModel):
    """From which confidence on the bundle claims something."""

    model_config = ConfigDict(frozen=True)

    calibration: Calibration | None = None
    """None: evidence is taken as it is."""
    sure_from: float = 0.8
    """Confidence of a word from which the sentence says that the picture shows it."""
    likely_from: float = 0.4
    """Confidence from which it says that it may."""
    category_from: float
    people_from: float
    """Confidence of "person" from which people are in the picture, faces aside."""
    no_people_below: float
    """Confidence of "person" below which, when there is no face either, nobody is in the picture."""


class Measurement(BaseModel):
    """Something that was measured of the finished bundle."""

    model_config = ConfigDict(frozen=True)

    what: str
    value: float
    on: str
    """The data that it was measured on."""


class Manifest(BaseModel):
    """`bundle.json`. `model_version` names the embedding space: it is a digest of all that shapes it."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    format: Literal[2]
    name: str
    """Which builder made it: `lite`, `clip-vit-l-14`, …"""
    model_version: str
    recipe: str
    """Digest of everything the bundle was built from; equal recipes need no second building."""
    dimensions: Annotated[int, Field(ge=1, le=EMBEDDING_DIMENSIONS)]
    """Of the vectors before they are filled up with zeros."""
    text: Annotated[SentenceTower | ContrastiveTextTower, Field(discriminator="tower")]
    image: Annotated[ClassifierTower | ContrastiveImageTower, Field(discriminator="tower")]
    networks: dict[Literal["cpu", "cuda"], str]
    """The image tower's file for each kind of device."""
    understanding: Understanding
    close_from: float | None = None
    """Cosine from which a picture is close to a text, and not merely nearer than others: what lies below is no result.
    None where it was not measured; then every picture counts as close. `./market bench relevance` measures it."""
    alike_from: float | None = None
    """Cosine from which two pictures are alike, as `close_from` is for a picture and a text."""
    quality: list[Measurement]
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


class Described(Protocol):
    """A manifest that names its files."""

    @property
    def parts(self) -> Mapping[str, Part]: ...


def verify(folder: Path, manifest: Described) -> None:
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
