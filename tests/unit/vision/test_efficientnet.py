"""The graph written from weights computes what the network is defined to compute."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from sagemaker.builders.efficientnet import efficientnet_lite

Array = NDArray[np.float64]

_WIDTHS = (4, 6, 8, 8, 10, 12, 14)
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_BLOCKS = (1, 2, 2, 3, 3, 4, 1)
_SIZE = 36


def _random_weights(rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    weights: dict[str, NDArray[np.float32]] = {}

    def convolution(name: str, norm: str, out: int, inner: int, kernel: int) -> None:
        weights[f"{name}.weight"] = rng.normal(0, 1 / np.sqrt(inner * kernel**2), (out, inner, kernel, kernel)).astype(
            "f"
        )
        weights[f"{norm}.weight"] = rng.uniform(0.5, 2, out).astype("f")
        weights[f"{norm}.bias"] = rng.normal(0, 1, out).astype("f")
        weights[f"{norm}.running_mean"] = rng.normal(0, 1, out).astype("f")
        weights[f"{norm}.running_var"] = rng.uniform(0.001, 2, out).astype("f")

    convolution("_conv_stem", "_bn0", 5, 3, 3)
    width, block = 5, 0
    for stage, (out, kernel, repeats) in enumerate(zip(_WIDTHS, _KERNELS, _BLOCKS, strict=True)):
        for _ in range(repeats):
            inner = width if stage == 0 else 2 * width
            name = f"_blocks.{block}"
            if stage:
                convolution(f"{name}._expand_conv", f"{name}._bn0", inner, width, 1)
            convolution(f"{name}._depthwise_conv", f"{name}._bn1", inner, 1, kernel)
            convolution(f"{name}._project_conv", f"{name}._bn2", out, inner, 1)
            width, block = out, block + 1
    convolution("_conv_head", "_bn1", 20, width, 1)
    weights["_fc.weight"] = rng.normal(0, 1, (9, 20)).astype("f")
    weights["_fc.bias"] = rng.normal(0, 1, 9).astype("f")
    return weights


class _Reference:
    """The definition, slowly: every convolution a sum over shifted pictures, normalised afterwards."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}

    def convolve(self, x: Array, name: str, norm: str, stride: int = 1, *, clip: bool = True) -> Array:
        kernel = self.weights[f"{name}.weight"]
        size = kernel.shape[-1]
        places = -(-x.shape[1] // stride)
        total = max((places - 1) * stride + size - x.shape[1], 0)
        padded = np.pad(x, ((0, 0), (total // 2, total - total // 2), (total // 2, total - total // 2)))
        out = np.zeros((kernel.shape[0], places, places))
        for row in range(size):
            for column in range(size):
                shifted = padded[:, row:, column:][:, ::stride, ::stride][:, :places, :places]
                tap = kernel[:, :, row, column]
                out += shifted * tap[:, :1, None] if kernel.shape[1] == 1 else np.einsum("oi,ihw->ohw", tap, shifted)
        w, b, mean, variance = (self.weights[f"{norm}.{part}"][:, None, None] for part in _NORM)
        out = (out - mean) / np.sqrt(variance + 1e-3) * w + b
        return np.clip(out, 0, 6) if clip else out

    def __call__(self, picture: NDArray[np.uint8]) -> Array:
        x = self.convolve((picture.transpose(2, 0, 1) - 127.0) / 128, "_conv_stem", "_bn0", 2)
        block = 0
        for stride, repeats in zip(_STRIDES, _BLOCKS, strict=True):
            for number in range(repeats):
                name, inner = f"_blocks.{block}", x
                if f"{name}._expand_conv.weight" in self.weights:
                    inner = self.convolve(inner, f"{name}._expand_conv", f"{name}._bn0")
                step = stride if number == 0 else 1
                inner = self.convolve(inner, f"{name}._depthwise_conv", f"{name}._bn1", step)
                out = self.convolve(inner, f"{name}._project_conv", f"{name}._bn2", clip=False)
                x = out + x if step == 1 and out.shape == x.shape else out
                block += 1
        pooled = self.convolve(x, "_conv_head", "_bn1").mean(axis=(1, 2))
        return self.weights["_fc.weight"] @ pooled + self.weights["_fc.bias"]


_NORM = ("weight", "bias", "running_mean", "running_var")


def test_the_graph_computes_the_definition() -> None:
    rng = np.random.default_rng(4)
    weights = _random_weights(rng)
    pictures = rng.integers(0, 256, (3, _SIZE, _SIZE, 3), dtype=np.uint8)
    graph = efficientnet_lite(weights, depth=1.0, size=_SIZE)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"pictures": pictures})
    reference = _Reference(weights)
    np.testing.assert_allclose(np.asarray(logits), [reference(picture) for picture in pictures], rtol=1e-3, atol=1e-3)


def test_refuses_weights_of_another_depth() -> None:
    weights = _random_weights(np.random.default_rng(4))
    with pytest.raises(KeyError):
        efficientnet_lite(weights, depth=1.2, size=_SIZE)
    with pytest.raises(KeyError, match="another depth"):
        efficientnet_lite(weights, depth=0.5, size=_SIZE)
