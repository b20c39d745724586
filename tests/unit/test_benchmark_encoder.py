"""The encoder that benchmarks embed with: one network in ONNX and PyTorch, and what it is counted to cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.embed import batch_seconds, beside_torch, peak_flops
from benchmarks.material.encoder import VIT_L_14, Shape, write_onnx
from imagemarket.vision.runtime import Network

SMALL = Shape(layers=2, width=64, heads=4, places=9)


def test_operations_are_the_published_ones() -> None:
    """ViT-L/14 at 224 pixels has 162 GFLOPs (OpenCLIP's model profile), the patches' share of 0.6 included."""
    assert VIT_L_14.flops == pytest.approx(161.5e9, rel=0.01)


def test_fp16_gives_what_fp32_gives(tmp_path: Path) -> None:
    states = np.random.default_rng(1).normal(0, 1, (3, SMALL.places, SMALL.width))
    rows = []
    for kind in (np.float32, np.float16):
        path = tmp_path / f"{np.dtype(kind).name}.onnx"
        write_onnx(path, SMALL, kind)
        (made,) = Network(path).run(["embeddings"], {"states": states.astype(kind)})
        assert made.dtype == kind
        assert made.shape == (3, SMALL.width)
        rows.append(made.astype(np.float64))
    plain, half = rows
    cosines = (plain * half).sum(1) / np.linalg.norm(plain, axis=1) / np.linalg.norm(half, axis=1)
    assert cosines.min() > 0.999


def test_time_is_that_of_the_median_run_without_the_first() -> None:
    taken = iter([9.0, 9.0, *[0.0] * 7])
    slept: list[float] = []

    def run(states: np.ndarray) -> np.ndarray:
        slept.append(next(taken))
        return states

    assert batch_seconds(run, np.zeros(1)) < 0.01
    assert len(slept) == 9


def test_pytorch_eager_and_compiled_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """On the CPU, in FP32; by hand where PyTorch is (see docs/benchmarks.md)."""
    pytest.importorskip("torch", reason="NOT RUN: PyTorch is not here; by hand, see docs/benchmarks.md")
    found = beside_torch(SMALL, "cpu", (1, 4), np.float32, peak=1e12)
    assert {name for name, _ in found} == {"ONNX Runtime", "PyTorch eager", "PyTorch compiled"}
    assert all(seconds > 0 for seconds in found.values())
    assert "share of the peak" in capsys.readouterr().out
    assert peak_flops("cpu", side=64, runs=2) > 0
