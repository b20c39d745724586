"""Sentences written word by word, and a bundle that has what writes them.

The graphs here are made by hand: what follows a word is a table, so that the sentence is known.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models

from imagemarket.vision.analyser import Analyser
from imagemarket.vision.bundle import NotABundle
from imagemarket.vision.captioner import MANIFEST, Captioner, CaptionerManifest, Graphs
from sagemaker.builders.folder import describe_parts
from tests.unit.vision.kit import jpeg, lite_bundle, photo

WORDS = ["<pad>", "<begin>", "<end>", "a</w>", "cat</w>", "do", "g</w>", ",</w>", "sleeping</w>"]
BEGIN, END = 1, 2
FOLLOWS = {"a</w>": "cat</w>", "cat</w>": ",</w>", ",</w>": "sleeping</w>", "sleeping</w>": "<end>", "do": "g</w>"}
LENGTH, SIZE = 7, 32


def _save(path: Path, nodes: list, feeds: list, out: str, kind: int, shape: list, constants: list) -> None:
    graph = helper.make_graph(nodes, "g", feeds, [helper.make_tensor_value_info(out, kind, shape)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _make(folder: Path) -> Path:
    """A captioner that says "A cat, sleeping." of bright pictures and "Dog." of dark ones."""
    folder.mkdir(parents=True)
    Tokenizer(models.BPE(vocab={word: place for place, word in enumerate(WORDS)}, merges=[])).save(
        str(folder / "tokenizer.json")
    )
    feed = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", SIZE, SIZE, 3])
    nodes = [
        helper.make_node("Cast", ["pictures"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["light"], ["tokens"], axes=[1, 2, 3], keepdims=0),
    ]
    _save(folder / "image.onnx", nodes, [feed], "tokens", TensorProto.FLOAT, ["n"], [])

    table = np.full((len(WORDS), len(WORDS)), -1.0, dtype=np.float32)
    for word, following in FOLLOWS.items():
        table[WORDS.index(word), WORDS.index(following)] = 1
    table[WORDS.index("g</w>"), END] = 1
    first = np.zeros((2, len(WORDS)), dtype=np.float32)  # what begins a dark picture's sentence, and a bright one's
    first[0, WORDS.index("do")] = first[1, WORDS.index("a</w>")] = 9
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(first, "first"),
        numpy_helper.from_array(np.asarray(128, dtype=np.float32), "middle"),
        numpy_helper.from_array(np.asarray([1], dtype=np.int64), "axis"),
        numpy_helper.from_array(np.asarray(BEGIN, dtype=np.int64), "begin"),
    ]
    nodes = [
        helper.make_node("Unsqueeze", ["last", "axis"], ["place"]),
        helper.make_node("GatherElements", ["ids", "place"], ["at"], axis=1),
        helper.make_node("Squeeze", ["at", "axis"], ["word"]),
        helper.make_node("Gather", ["table", "word"], ["following"]),
        helper.make_node("Greater", ["tokens", "middle"], ["bright"]),
        helper.make_node("Cast", ["bright"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["first", "row"], ["beginning"]),
        helper.make_node("Equal", ["word", "begin"], ["begins"]),
        helper.make_node("Unsqueeze", ["begins", "axis"], ["begins_too"]),
        helper.make_node("Where", ["begins_too", "beginning", "following"], ["logits"]),
    ]
    feeds = [
        helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["n"]),
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", LENGTH]),
        helper.make_tensor_value_info("last", TensorProto.INT64, ["n"]),
    ]
    _save(folder / "words.onnx", nodes, feeds, "logits", TensorProto.FLOAT, ["n", len(WORDS)], constants)
    names = ("image.onnx", "words.onnx", "tokenizer.json")
    manifest = CaptionerManifest(
        name="by-hand",
        recipe="",
        size=SIZE,
        length=LENGTH,
        begin=BEGIN,
        end=END,
        networks={"cpu": Graphs(image="image.onnx", words="words.onnx")},
        quality=[],
        parts=describe_parts(folder, dict.fromkeys(names, ("made here", "CC0"))),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return folder


def _plain(light: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), light, dtype=np.uint8)


def test_each_picture_gets_its_own_sentence(tmp_path: Path) -> None:
    captioner = Captioner(_make(tmp_path / "captioner"))
    said = captioner.describe([_plain(250), _plain(3), _plain(200)])
    assert said == ["A cat, sleeping.", "Dog.", "A cat, sleeping."]
    assert captioner.write([_plain(3)]) == [[WORDS.index("do"), WORDS.index("g</w>")]]


def test_a_sentence_without_end_is_cut_at_the_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FOLLOWS, "sleeping</w>", ",</w>")
    (ids,) = Captioner(_make(tmp_path / "captioner")).write([_plain(250)])
    assert len(ids) == LENGTH - 2


def test_a_bundle_writes_sentences_only_where_a_captioner_was_built_in(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(lite_bundle(), bundle)
    cat = jpeg(photo("chelsea.png"))
    plain = Analyser(bundle).analyse([cat])[0]
    _make(bundle / "captioner")
    captioned = Analyser(bundle).analyse([cat])[0]
    assert captioned.description in {"A cat, sleeping.", "Dog."}
    assert captioned.description != plain.description
    assert captioned.tags == plain.tags
    assert captioned.embedding == plain.embedding


def test_a_captioner_that_is_not_whole_is_said(tmp_path: Path) -> None:
    folder = _make(tmp_path / "captioner")
    (folder / "words.onnx").write_bytes(b"")
    with pytest.raises(NotABundle, match=r"words\.onnx"):
        Captioner(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(NotABundle, match="there is no"):
        Captioner(folder)
