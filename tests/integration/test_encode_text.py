"""From a query to its vector: the function, what asks it, and what is remembered."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.encode_text.handler import handler
from imagemarket.platform.cache import Cache
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.encoding import (
    EncodedText,
    EncodeRequest,
    FunctionEncoder,
    QueryEncoders,
    TextTowers,
    fetch_text_tower,
)
from imagemarket.search.repository import models
from imagemarket.vision.bundle import NotABundle
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.text import TextEncoder
from tests.api.events import LambdaContext
from tests.provided import provide
from tests.unit.vision.kit import lite_bundle

pytestmark = pytest.mark.engines


class Functions:
    """Invokes the real handler in process, as Lambda's client would."""

    def __init__(self, answer: Any = None, error: str | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answer, self._error = answer, error

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "encode-text"
        self.asked.append(json.loads(Payload))
        if self._error:
            return {
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(json.dumps({"errorType": self._error}).encode()),
            }
        said = self._answer or handler(self.asked[-1], LambdaContext())
        return {"Payload": io.BytesIO(json.dumps(said).encode())}


@pytest.fixture(autouse=True)
def towers() -> TextTowers:
    made = TextTowers([str(lite_bundle())], lambda place: TextEncoder(Path(place)))
    provide("search.text_towers", made)
    return made


@pytest.fixture(scope="module")
def tower() -> TextEncoder:
    return TextEncoder(lite_bundle())


def _encoder(functions: Any, cache: Cache, version: str) -> FunctionEncoder:
    return FunctionEncoder(version, functions, "encode-text", cache)


def test_the_vector_is_the_text_towers_own(tower: TextEncoder, valkey_url: str) -> None:
    encoded = _encoder(Functions(), Cache(valkey_url), tower.model_version).encode("a red bus")
    np.testing.assert_allclose(encoded.vector, tower.encode("a red bus"), atol=1e-6)
    assert len(encoded.vector) == 768
    assert (encoded.close_from, encoded.unknown) == (tower.close_from, ())
    assert 0.1 < (tower.close_from or 0) < 0.4
    assert encoded.alike_from == tower.alike_from
    assert 0.2 < (tower.alike_from or 0) < 0.7


def test_nothing_to_encode_tells_from_which_cosine_on_pictures_are_alike(tower: TextEncoder, valkey_url: str) -> None:
    encoded = _encoder(Functions(), Cache(valkey_url), tower.model_version).encode("")
    assert (list(encoded.vector), encoded.alike_from) == ([], tower.alike_from)


def test_words_that_the_model_has_no_token_of_are_named_and_left_out(tower: TextEncoder, valkey_url: str) -> None:
    encoder = _encoder(Functions(), Cache(valkey_url), tower.model_version)
    for _ in range(2):  # and remembered so
        mixed, alone = encoder.encode("red 猫"), encoder.encode("แมว 猫")
        np.testing.assert_allclose(mixed.vector, tower.encode("red"), atol=1e-6)
        assert mixed.unknown == ("猫",)
        assert (list(alone.vector), alone.unknown) == ([], ("แมว", "猫"))


def test_what_was_encoded_once_is_remembered_whatever_its_case_and_spaces(tower: TextEncoder, valkey_url: str) -> None:
    functions, cache = Functions(), Cache(valkey_url)
    first = _encoder(functions, cache, tower.model_version).encode("A red  Bus ")
    assert _encoder(functions, cache, tower.model_version).encode("a RED bus") == first
    assert len(functions.asked) == 1


def test_models_do_not_share_what_is_remembered(tower: TextEncoder, valkey_url: str) -> None:
    cache = Cache(valkey_url)
    _encoder(Functions(), cache, tower.model_version).encode("a red bus")
    other = EncodedText.of("other-1", [1.0] + [0.0] * 767).model_dump()
    assert _encoder(Functions(other), cache, "other-1").encode("a red bus").vector[0] == 1.0


def test_without_the_cache_it_is_slower_and_answers_all_the_same(tower: TextEncoder) -> None:
    functions = Functions()
    encoder = _encoder(functions, Cache("valkey://127.0.0.1:1/0"), tower.model_version)
    assert encoder.encode("a red bus") == encoder.encode("a red bus")
    assert len(functions.asked) == 2


def test_another_models_vector_is_never_taken(tower: TextEncoder, valkey_url: str) -> None:
    functions = Functions(EncodedText.of("other-1", [1.0]).model_dump())
    with pytest.raises(DependencyUnavailable, match="another model"):
        _encoder(functions, Cache(valkey_url), tower.model_version).encode("a red bus")


def test_a_function_that_fails_is_a_dependency_that_is_not_there(valkey_url: str) -> None:
    with pytest.raises(DependencyUnavailable):
        _encoder(Functions(error="ModelNotReady"), Cache(valkey_url), "other-1").encode("a red bus")


def test_a_version_that_is_not_here_is_refused(towers: TextTowers) -> None:
    with pytest.raises(ModelNotReady):
        towers.encode(EncodeRequest(text="a cat", model_version="other-1"))


def test_an_encoder_stays_with_the_model_that_was_in_use_when_it_was_given(database: Database, valkey_url: str) -> None:
    encoders = QueryEncoders(
        model=lambda: models.in_use(database),
        functions=Functions(),  # pyright: ignore[reportArgumentType]
        function_name="encode-text",
        cache=Cache(valkey_url),
    )
    with pytest.raises(ModelNotReady):
        encoders.current()
    with database.transaction() as connection:
        connection.execute("INSERT INTO model_in_use (version) VALUES ('one')")
    before = encoders.current()
    with database.transaction() as connection:
        connection.execute("UPDATE model_in_use SET version = 'two'")
    assert (before.model_version, encoders.current().model_version) == ("one", "two")


class FolderS3:
    """A bucket that is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == "models"
        return {"Body": io.BytesIO((self._folder / Key).read_bytes())}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        assert bucket == "models"
        shutil.copyfile(self._folder / key, path)


def test_a_text_tower_is_fetched_from_s3_without_the_image_side(tower: TextEncoder, tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "lite").symlink_to(lite_bundle())
    s3: Any = FolderS3(tmp_path / "bucket")
    folder = fetch_text_tower(s3, "s3://models/lite/", tmp_path / "kept")
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "bundle.json",
        "model.onnx",
        "tokenizer.json",
    ]
    assert TextEncoder(folder).encode("a cat") == tower.encode("a cat")
    assert fetch_text_tower(s3, "s3://models/lite", tmp_path / "kept") == folder


def test_a_text_tower_that_is_not_the_manifests_is_refused(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket" / "lite"
    (bucket / "text").mkdir(parents=True)
    for name in ("bundle.json", "text/model.onnx"):
        shutil.copyfile(lite_bundle() / name, bucket / name)
    (bucket / "text/tokenizer.json").write_text("{}")
    s3: Any = FolderS3(tmp_path / "bucket")
    with pytest.raises(NotABundle, match="not the file"):
        fetch_text_tower(s3, "s3://models/lite", tmp_path / "kept")
