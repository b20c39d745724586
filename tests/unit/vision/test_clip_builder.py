"""The export of a CLIP model, against PyTorch. Run by hand, in no other way: see docs/models.md.

The model has the true widths, heads and vocabulary of ViT-L/14, two layers on each side, and random weights.
"""

# pyright: reportMissingImports=false
# PyTorch is not in the environment that the checks run in.

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

open_clip = pytest.importorskip("open_clip", reason="PyTorch and OpenCLIP are not here; by hand, see docs/models.md")

from imagemarket.vision.analyser import Analyser  # noqa: E402
from imagemarket.vision.text import TextEncoder  # noqa: E402
from sagemaker.builders import clip  # noqa: E402
from tests.unit.vision.kit import jpeg, photo  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Any:
    import torch

    torch.manual_seed(0)
    shape = open_clip.get_model_config("ViT-L-14-quickgelu")
    shape["vision_cfg"]["layers"] = shape["text_cfg"]["layers"] = 2
    made = open_clip.CLIP(**shape).eval()
    made.visual.image_mean, made.visual.image_std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return made


@pytest.fixture(scope="module")
def bundle(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip") / "bundle"
    clip.build("clip-test", folder, model=model, source="random numbers", licence="MIT", origin={"random": 0})
    return folder


def test_a_bundle_keeps_what_pytorch_says(bundle: Path) -> None:
    from imagemarket.vision.bundle import read_manifest

    quality = {measured.what.split(",")[0]: measured.value for measured in read_manifest(bundle).quality}
    assert quality["image tower FP32"] >= 0.999
    assert quality["text tower FP32"] >= 0.999
    assert quality["image tower FP16"] >= 0.999
    assert quality["image tower INT8"] >= 0.99
    assert quality["text tower INT8"] >= 0.99


def test_the_whole_way_from_a_jpeg_is_pytorchs(model: Any, bundle: Path) -> None:
    import torch
    from open_clip import image_transform
    from PIL import Image

    size = 224
    pictures = [photo(name).resize((400, 300)) for name in ("chelsea.png", "coffee.png")]
    transform = image_transform(size, is_train=False, mean=model.visual.image_mean, std=model.visual.image_std)
    with torch.no_grad():
        decoded = [Image.fromarray(np.asarray(picture)) for picture in pictures]
        theirs = model.encode_image(torch.stack([transform(each) for each in decoded]), normalize=True).numpy()
    ours = [each.embedding for each in Analyser(bundle, device="cpu").analyse([jpeg(p, quality=100) for p in pictures])]
    cosines = (np.asarray(ours) * theirs).sum(axis=1)
    assert cosines.min() >= 0.99


def test_the_tokenizer_is_open_clips(bundle: Path) -> None:
    texts = [*clip._TEXTS, "It's 3 o'clock — naïve café, ½ 100%", "日本語 🐈", "A  b\tC\n", "don't they'll I'd we've"]
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(bundle / "text/tokenizer.json"))
    made.enable_truncation(77)
    made.enable_padding(length=77, pad_id=0)
    theirs = open_clip.get_tokenizer("ViT-L-14")(texts).numpy()
    np.testing.assert_array_equal([made.encode(text).ids for text in texts], theirs)


def test_texts_are_pytorchs(model: Any, bundle: Path) -> None:
    import torch

    texts = ["a cat", "two people riding horses along the beach"]
    with torch.no_grad():
        theirs = model.encode_text(open_clip.get_tokenizer("ViT-L-14")(texts), normalize=True).numpy()
    ours = [TextEncoder(bundle).encode(text) for text in texts]
    assert (np.asarray(ours) * theirs).sum(axis=1).min() >= 0.99


def test_what_is_not_the_model_any_more_is_not_finished(model: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(clip, "FP32_LIKENESS", 1.1)
    with pytest.raises(SystemExit, match="not the model any more"):
        clip.build("clip-test", tmp_path / "bundle", model=model, source="", licence="", origin={"random": 0})
    assert not (tmp_path / "bundle").exists()
