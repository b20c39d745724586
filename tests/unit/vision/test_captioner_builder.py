"""The export of a CoCa model, against PyTorch. Run by hand, in no other way: see docs/models.md.

The model has CoCa's parts and vocabulary, small widths, two layers of each kind, and random weights.
"""

# pyright: reportMissingImports=false
# PyTorch is not in the environment that the checks run in.

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

open_clip = pytest.importorskip("open_clip", reason="PyTorch and OpenCLIP are not here; by hand, see docs/models.md")

from imagemarket.vision.captioner import Captioner, read_captioner  # noqa: E402
from sagemaker.builders import captioner as builder  # noqa: E402
from sagemaker.builders.clip import photos  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Any:
    import torch
    from open_clip.coca_model import CoCa

    torch.manual_seed(0)
    shape = open_clip.get_model_config("coca_ViT-L-14")
    shape.pop("custom_text")
    shape["embed_dim"] = 64
    shape["vision_cfg"] |= {"layers": 2, "width": 128, "head_width": 32, "patch_size": 32, "attn_pooler_heads": 4}
    shape["text_cfg"] |= {"layers": 2, "width": 64, "heads": 4}
    shape["multimodal_cfg"] |= {"layers": 2, "width": 64, "heads": 4, "attn_pooler_heads": 4}
    made = CoCa(**shape).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    made.visual.image_mean, made.visual.image_std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return made


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("coca") / "captioner"
    origin = {"random": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder, "SAME_SENTENCES", 0.0)  # random weights find all words about as likely
        builder.build("coca-test", made, model=model, source="random numbers", licence="MIT", origin=origin)
        assert builder.build("coca-test", made, model=None, source="", licence="", origin=origin).name == "coca-test"
    return made


def test_it_keeps_what_pytorch_says(folder: Path) -> None:
    manifest = read_captioner(folder)
    assert manifest.quality[0].value >= builder.LOGITS_LIKENESS
    assert set(manifest.networks) == {"cpu", "cuda"}
    assert not list(folder.glob("*fp32*"))


def test_it_writes_a_sentence_about_a_photo(folder: Path) -> None:
    captioner = Captioner(folder)
    said = captioner.describe(list(photos(read_captioner(folder).size)[:2]))
    assert len(said) == 2
    assert all(each.endswith(".") for each in said)


def test_the_half_precision_graphs_run(folder: Path) -> None:
    from imagemarket.vision.runtime import Network

    pictures = photos(224)[:2]
    graphs = read_captioner(folder).networks["cuda"]
    (tokens,) = Network(folder / graphs.image).run(["tokens"], {"pictures": pictures})
    ids = np.zeros((2, builder.LENGTH), dtype=np.int64)
    feeds = {"tokens": tokens, "ids": ids, "last": np.zeros(2, dtype=np.int64)}
    (logits,) = Network(folder / graphs.words).run(["logits"], feeds)
    assert np.isfinite(logits).all()


def test_what_is_not_the_model_any_more_is_not_finished(model: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(builder, "LOGITS_LIKENESS", 1.1)
    with pytest.raises(SystemExit, match="not the model any more"):
        builder.build("coca-test", tmp_path / "captioner", model=model, source="", licence="", origin={"random": 0})
    assert not (tmp_path / "captioner").exists()
