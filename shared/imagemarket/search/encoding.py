"""From a query's words to its vector, without the GPU: the text tower runs in a function of its own.

`encode_text` holds the tower, and `search_api` asks it and keeps what it says in Valkey. So the function that
serves people carries no ONNX Runtime and starts quickly, the tower has memory of its own (a ViT-L/14's text side is
as large as a function may be), both models of a re-embedding are at hand while it lasts, and most queries, which
others have asked before, cost one round trip to the cache.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from imagemarket.platform.aws import aws_errors
from imagemarket.platform.cache import Cache
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.telemetry import count, logger
from imagemarket.search.engines.ports import EncodedQuery
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import EMBEDDING_DIMENSIONS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_REMEMBERED_SECONDS = 7 * 24 * 3600
_MAX_CHARACTERS = 1000


class EncodeRequest(BaseModel):
    """What `encode_text` is asked. Without a version the first model that is there answers."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    text: str = Field(max_length=_MAX_CHARACTERS)
    model_version: str | None = None


class EncodedText(BaseModel):
    """What it answers: the vector's numbers as base64 of little-endian float32, without the zeros it ends in."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_version: str
    vector: str
    """Empty where the model knows none of the words."""
    close_from: float | None = None
    unknown: tuple[str, ...] = ()
    alike_from: float | None = None

    @classmethod
    def of(
        cls,
        model_version: str,
        vector: Sequence[float],
        close_from: float | None = None,
        unknown: Sequence[str] = (),
        alike_from: float | None = None,
    ) -> EncodedText:
        return cls(
            model_version=model_version,
            vector=base64.b64encode(_packed(vector)).decode(),
            close_from=close_from,
            unknown=tuple(unknown),
            alike_from=alike_from,
        )

    def query(self) -> EncodedQuery:
        """The same with the vector at full length."""
        packed = base64.b64decode(self.vector)
        return EncodedQuery(_unpacked(packed) if packed else [], self.close_from, self.unknown, self.alike_from)


def _packed(vector: Sequence[float]) -> bytes:
    from array import array

    length = max((place + 1 for place, number in enumerate(vector) if number), default=0)
    return array("f", vector[:length]).tobytes()


def _unpacked(packed: bytes) -> list[float]:
    from array import array

    numbers = array("f", packed).tolist()
    return [*numbers, *[0.0] * (EMBEDDING_DIMENSIONS - len(numbers))]


def normalised(text: str) -> str:
    """The form in which a text is encoded and remembered: case and spaces make no other query."""
    return " ".join(text.casefold().split())


# --- the function's side -------------------------------------------------------------------------


class TextModel(Protocol):
    """A text tower."""

    @property
    def model_version(self) -> str: ...

    @property
    def close_from(self) -> float | None: ...

    @property
    def alike_from(self) -> float | None: ...

    def encode(self, text: str) -> list[float]: ...

    def unknown(self, text: str) -> tuple[str, ...]: ...


class TextTowers:
    """The text towers of some bundles, each loaded when it is first asked for.

    `load` makes a tower of a place: a folder, or `s3://bucket/prefix`.
    """

    def __init__(self, places: Sequence[str], load: Callable[[str], TextModel]) -> None:
        self._places = list(places)
        self._load = lru_cache(maxsize=None)(load)

    def encode(self, request: EncodeRequest) -> EncodedText:
        """The text's vector. Raises `ModelNotReady` when no bundle is of the version that is asked for."""
        for place in self._places:
            tower = self._load(place)
            if request.model_version in {None, tower.model_version}:
                unknown = tower.unknown(request.text)
                known = " ".join(word for word in request.text.split() if word not in unknown)
                vector = tower.encode(known) if known else []
                return EncodedText.of(tower.model_version, vector, tower.close_from, unknown, tower.alike_from)
        raise ModelNotReady(f"No bundle here is of the version {request.model_version}.")


def fetch_text_tower(s3: S3Client, url: str, into: Path) -> Path:
    """The folder with the manifest and the text tower of the bundle at `s3://bucket/prefix`, under `into`.

    Raises `NotABundle` when what lies there is not what its manifest says.
    """
    from imagemarket.vision.bundle import MANIFEST, Manifest, NotABundle

    bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
    content = s3.get_object(Bucket=bucket, Key=f"{prefix}/{MANIFEST}")["Body"].read()
    manifest = Manifest.model_validate_json(content)
    folder = into / sha256(content).hexdigest()[:16]
    if (folder / MANIFEST).is_file():
        return folder
    (folder / "text").mkdir(parents=True, exist_ok=True)
    for name, part in manifest.parts.items():
        if name.startswith("text/"):
            s3.download_file(bucket, f"{prefix}/{name}", str(folder / name))
            if sha256((folder / name).read_bytes()).hexdigest() != part.sha256:
                raise NotABundle(f"{url}/{name} is not the file that the manifest describes")
    (folder / MANIFEST).write_bytes(content)
    return folder


# --- the search's side ---------------------------------------------------------------------------


class Functions(Protocol):
    """What of boto3's Lambda client is needed."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any: ...  # noqa: N803


class QueryEncoders:
    """Gives encoders for the model in use."""

    def __init__(
        self, *, model: Callable[[], str | None], functions: Functions, function_name: str, cache: Cache
    ) -> None:
        self._model = model
        self._functions = functions
        self._function_name = function_name
        self._cache = cache

    def current(self) -> FunctionEncoder:
        """An encoder that stays with the model that is in use now, so that a vector is never compared with
        another model's, whatever is switched meanwhile."""
        version = self._model()
        if version is None:
            raise ModelNotReady("There is no picture yet whose vector a text's could be compared with.")
        return FunctionEncoder(version, self._functions, self._function_name, self._cache)


class FunctionEncoder:
    """Encodes by `encode_text`, and remembers."""

    def __init__(self, model_version: str, functions: Functions, function_name: str, cache: Cache) -> None:
        self._model_version = model_version
        self._functions = functions
        self._function_name = function_name
        self._cache = cache

    @property
    def model_version(self) -> str:
        """The model whose pictures these vectors compare with."""
        return self._model_version

    def encode(self, text: str) -> EncodedQuery:
        """See `QueryEncoder.encode`. Raises `DependencyUnavailable`."""
        plain = normalised(text)[:_MAX_CHARACTERS]
        key = f"encoded-text:{self._model_version}:{sha256(plain.encode()).hexdigest()}"
        known = self._remembered(key)
        if known is not None:
            return EncodedText.model_validate_json(known).query()
        encoded = self._ask(EncodeRequest(text=plain, model_version=self._model_version))
        self._remember(key, encoded.model_dump_json())
        return encoded.query()

    def _remembered(self, key: str) -> bytes | None:
        try:
            known = self._cache.get(key)[0]
        except DependencyUnavailable:
            return None  # slower, and no reason to fail
        count("TextVectorsRemembered" if known is not None else "TextVectorsEncoded")
        return known

    def _remember(self, key: str, encoded: str) -> None:
        try:
            self._cache.put(key, encoded, seconds=_REMEMBERED_SECONDS)
        except DependencyUnavailable:
            logger.warning("a text's vector could not be remembered")

    def _ask(self, request: EncodeRequest) -> EncodedText:
        with aws_errors("The text encoder"):
            answer: Any = self._functions.invoke(
                FunctionName=self._function_name, Payload=request.model_dump_json().encode()
            )
            said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            logger.warning("the text encoder failed", error=said.get("errorType"))
            raise DependencyUnavailable("The text encoder failed.")
        encoded = EncodedText.model_validate(said)
        if encoded.model_version != self._model_version:
            raise DependencyUnavailable("The text encoder answered with another model's vector.")
        return encoded
