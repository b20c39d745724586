"""A bundle of the contrastive kind through the same loader: networks of a few numbers, whose answers are known."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from imagemarket.vision.analyser import Analyser
from imagemarket.vision.bundle import (
    MANIFEST,
    ContrastiveImageTower,
    ContrastiveTextTower,
    Manifest,
    Understanding,
    read_manifest,
)
from imagemarket.vision.tagging import Vocabulary
from imagemarket.vision.text import TextEncoder
from sagemaker.builders.folder import copy_heads, describe_parts
from tests.unit.vision.kit import jpeg, lite_bundle

_SIDE = 8
_WORDS = ("blueness", "greenness", "redness")


def _save(path: Path, nodes: list[onnx.NodeProto], feed: onnx.ValueInfoProto, tables: dict[str, np.ndarray]) -> None:
    out = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", 3])
    constants = [numpy_helper.from_array(value, name) for name, value in tables.items()]
    graph = helper.make_graph(nodes, "tower", [feed], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its image tower gives the mean colour, its text tower the mean of the tokens' numbers."""
    folder = tmp_path_factory.mktemp("contrastive")
    (folder / "text").mkdir()
    origins = copy_heads(folder)
    node = helper.make_node
    _save(
        folder / "image/tower.onnx",
        [
            node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
            node("ReduceMean", ["numbers"], ["colour"], axes=[1, 2], keepdims=0),
            node("LpNormalization", ["colour"], ["embeddings"], axis=1, p=2),
        ],
        helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", _SIDE, _SIDE, 3]),
        {},
    )
    _save(
        folder / "text/model.onnx",
        [
            node("Cast", ["ids"], ["numbers"], to=TensorProto.FLOAT),
            node("MatMul", ["numbers", "weights"], ["rows"]),
            node("LpNormalization", ["rows"], ["embeddings"], axis=1, p=2),
        ],
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 16]),
        {"weights": np.random.default_rng(0).normal(0, 1, (16, 3)).astype("f")},
    )
    shutil.copyfile(lite_bundle() / "text/tokenizer.json", folder / "text/tokenizer.json")
    np.savez(
        folder / "image/tables.npz",
        word_vectors=np.eye(3, dtype="f")[::-1],
        category_vectors=np.eye(3, dtype="f")[:2],
        neutral_vectors=np.full((2, 3), 3**-0.5, dtype="f"),
    )
    vocabulary = Vocabulary(words=list(_WORDS), categories=["sports", "nature"], wider={}, breadth={})
    (folder / "image/vocabulary.json").write_text(vocabulary.model_dump_json())
    for name in (
        "image/tower.onnx",
        "image/tables.npz",
        "image/vocabulary.json",
        "text/model.onnx",
        "text/tokenizer.json",
    ):
        origins[name] = ("a test", "MIT")
    manifest = Manifest(
        format=2,
        name="contrastive-test",
        model_version="contrastive-test-1",
        recipe="",
        dimensions=3,
        text=ContrastiveTextTower(context=16),
        image=ContrastiveImageTower(size=_SIDE, slope=20, lead=0.0),
        networks={"cpu": "image/tower.onnx"},
        understanding=Understanding(category_from=0.5, people_from=0.75, no_people_below=0.03),
        quality=[],
        parts=describe_parts(folder, origins),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return folder


def _picture(*colour: int, size: tuple[int, int] = (64, 48)) -> bytes:
    return jpeg(Image.new("RGB", size, colour), quality=100)


def test_the_vector_is_the_networks_and_filled_up_with_zeros(bundle: Path) -> None:
    (analysis,) = Analyser(bundle, device="cpu").analyse([_picture(200, 100, 40)])
    colour = np.asarray([200, 100, 40])
    np.testing.assert_allclose(analysis.embedding[:3], colour / np.linalg.norm(colour), atol=0.01)
    assert set(analysis.embedding[3:]) == {0.0}


def test_words_and_categories_hold_as_far_as_they_lead_over_the_neutral(bundle: Path) -> None:
    red, grey = Analyser(bundle, device="cpu").analyse([_picture(250, 10, 10), _picture(128, 128, 128)])
    held = {tag.tag: tag.confidence for tag in red.tags}
    assert held["redness"] > 0.99
    assert held.get("blueness", 0) < 0.05
    assert red.categories == ["sports"]
    even = {tag.tag: tag.confidence for tag in grey.tags}
    assert all(even.get(word, 0) < 0.01 for word in _WORDS)


def test_only_the_middle_is_seen(bundle: Path) -> None:
    wide = Image.new("RGB", (300, 100), (10, 10, 250))
    wide.paste((250, 10, 10), (100, 0, 200, 100))
    (analysis,) = Analyser(bundle, device="cpu").analyse([jpeg(wide, quality=100)])
    assert {tag.tag: tag.confidence for tag in analysis.tags}["redness"] > 0.95


def test_texts_are_encoded_at_the_length_of_the_tower(bundle: Path) -> None:
    encoder = TextEncoder(bundle)
    for text in ("a cat", "", "word " * 100):
        vector = encoder.encode(text)
        assert len(vector) == 768
        assert np.linalg.norm(vector) == pytest.approx(1)
    assert encoder.model_version == read_manifest(bundle).model_version == "contrastive-test-1"
