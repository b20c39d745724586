"""The text tower."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from imagemarket.vision.bundle import NotABundle
from imagemarket.vision.models import EMBEDDING_DIMENSIONS
from imagemarket.vision.text import TextEncoder
from tests.unit.vision.kit import lite_bundle


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder(lite_bundle())


@pytest.mark.parametrize("text", ["a cat", "", "ünïcödé 日本語 🐈", "word " * 3000, "\x00\n\t", "rouge à lèvres"])
def test_any_text_has_a_unit_vector_filled_up_with_zeros(encoder: TextEncoder, text: str) -> None:
    vector = encoder.encode(text)
    assert len(vector) == EMBEDDING_DIMENSIONS
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert set(vector[384:]) == {0.0}


def test_like_texts_have_like_vectors(encoder: TextEncoder) -> None:
    cat, kitten, engine = (np.asarray(encoder.encode(text)) for text in ("a cat", "a kitten", "a car's engine"))
    assert cat @ kitten > 0.5 > cat @ engine + 0.2


def test_the_vectors_spread_around_zero(encoder: TextEncoder) -> None:
    """Without centring, texts that have nothing in common are still alike."""
    texts = ["mountain lake", "office desk", "birthday cake", "motorcycle", "portrait of a woman", "circuit board"]
    vectors = np.asarray([encoder.encode(text) for text in texts])
    likeness = vectors @ vectors.T
    assert abs(likeness[np.triu_indices(len(texts), 1)].mean()) < 0.08


def test_a_text_has_one_vector(encoder: TextEncoder) -> None:
    """Whatever was asked before, and whoever asks: cursors rely on it."""
    first = encoder.encode("a red bus")
    first[0] = 9.0
    encoder.encode("a much longer text about a red bus in a street of a large city")
    again = encoder.encode("a red bus")
    assert again != first
    assert again == TextEncoder(lite_bundle()).encode("a red bus")


def test_needs_the_manifest_and_its_own_files_alone(tmp_path: Path) -> None:
    bundle = lite_bundle()
    (tmp_path / "text").mkdir()
    for name in ("bundle.json", "text/model.onnx", "text/tokenizer.json"):
        shutil.copyfile(bundle / name, tmp_path / name)
    assert TextEncoder(tmp_path).encode("a cat") == TextEncoder(bundle).encode("a cat")


def test_says_what_is_wrong_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(NotABundle, match=r"no bundle\.json"):
        TextEncoder(tmp_path)
    (tmp_path / "bundle.json").write_text('{"format": 1}')
    with pytest.raises(NotABundle, match="format"):
        TextEncoder(tmp_path)
    shutil.copyfile(lite_bundle() / "bundle.json", tmp_path / "bundle.json")
    with pytest.raises(NotABundle, match=r"text/model\.onnx is missing"):
        TextEncoder(tmp_path)
