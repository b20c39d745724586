"""Writes EfficientNet-Lite as an ONNX graph from the weights alone.

Lite is EfficientNet without squeeze-and-excitation and with ReLU6, so the graph is short: a stem, seven
stages of inverted bottlenecks, a head, the mean over places, a linear layer. Widths and kernels follow
from the weights; only the strides and the number of blocks in each stage must be known. Batch
normalisation is folded into the convolution before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[Any]]

_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_REPEATS = (1, 2, 2, 3, 3, 4, 1)
_BATCH_NORM_EPSILON = 1e-3
_OPSET = 17


class _Graph:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = [
            self._constant("zero", np.float32(0)),
            self._constant("six", np.float32(6)),
            self._constant("middle", np.float32(127)),
            self._constant("half_range", np.float32(128)),
        ]

    def scale(self, pictures: str) -> str:
        """Bytes in rows of pixels as planes of numbers from about -1 to 1."""
        planes = self.node("Transpose", [pictures], "planes", perm=[0, 3, 1, 2])
        numbers = self.node("Cast", [planes], "numbers", to=TensorProto.FLOAT)
        centred = self.node("Sub", [numbers, "middle"], "centred")
        return self.node("Div", [centred, "half_range"], "scaled")

    def convolve(self, x: str, convolution: str, norm: str, *, stride: int = 1, clip: bool = True) -> str:
        """Convolution, its normalisation folded in, and ReLU6 where `clip`."""
        kernel = self._weights[f"{convolution}.weight"].astype(np.float64)
        variance = self._weights[f"{norm}.running_var"].astype(np.float64)
        scale = self._weights[f"{norm}.weight"] / np.sqrt(variance + _BATCH_NORM_EPSILON)
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        kernel = (kernel * scale[:, None, None, None]).astype(np.float32)
        self.constants += [
            self._constant(f"{convolution}.kernel", kernel),
            self._constant(f"{convolution}.offset", bias.astype(np.float32)),
        ]
        depthwise = kernel.shape[1] == 1
        out = f"{convolution}.out"
        self.node(
            "Conv",
            [x, f"{convolution}.kernel", f"{convolution}.offset"],
            out,
            group=kernel.shape[0] if depthwise else 1,
            strides=[stride, stride],
            kernel_shape=list(kernel.shape[2:]),
            auto_pad="SAME_UPPER",  # as TensorFlow pads, where these weights were trained
        )
        return self.node("Clip", [out, "zero", "six"], f"{convolution}.relu6") if clip else out

    def node(self, kind: str, inputs: list[str], out: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [out], name=out, **attributes))
        return out

    def linear(self, x: str, layer: str, out: str) -> str:
        self.constants += [
            self._constant(f"{layer}.kernel", self._weights[f"{layer}.weight"].astype(np.float32)),
            self._constant(f"{layer}.offset", self._weights[f"{layer}.bias"].astype(np.float32)),
        ]
        return self.node("Gemm", [x, f"{layer}.kernel", f"{layer}.offset"], out, transB=1)

    @staticmethod
    def _constant(name: str, value: Any) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(value), name)


def efficientnet_lite(weights: Weights, *, depth: float, size: int) -> onnx.ModelProto:
    """The graph: `pictures` uint8 (n, size, size, 3), RGB, to `logits` float32 (n, classes).

    `depth` multiplies the blocks of the inner stages (lite0 1.0, lite2 1.2). Raises KeyError when the
    weights are not of such a network.
    """
    graph = _Graph(weights)
    x = graph.convolve(graph.scale("pictures"), "_conv_stem", "_bn0", stride=2)
    block = 0
    for stage, (stride, repeats) in enumerate(zip(_STRIDES, _REPEATS, strict=True)):
        scaled = repeats if stage in {0, len(_REPEATS) - 1} else math.ceil(repeats * depth)
        for number in range(scaled):
            x = _bottleneck(graph, weights, x, f"_blocks.{block}", stride if number == 0 else 1)
            block += 1
    if f"_blocks.{block}._depthwise_conv.weight" in weights:
        raise KeyError(f"more than {block} blocks: another depth than {depth}")
    x = graph.convolve(x, "_conv_head", "_bn1")
    pooled = graph.node("GlobalAveragePool", [x], "pooled")
    flat = graph.node("Flatten", [pooled], "features")
    graph.linear(flat, "_fc", "logits")
    classes = weights["_fc.weight"].shape[0]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "efficientnet-lite",
            [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", size, size, 3])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=8,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _bottleneck(graph: _Graph, weights: Weights, x: str, name: str, stride: int) -> str:
    inner = x
    if f"{name}._expand_conv.weight" in weights:
        inner = graph.convolve(inner, f"{name}._expand_conv", f"{name}._bn0")
    inner = graph.convolve(inner, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
    out = graph.convolve(inner, f"{name}._project_conv", f"{name}._bn2", clip=False)
    first = weights.get(f"{name}._expand_conv.weight")
    width_in = first.shape[1] if first is not None else weights[f"{name}._depthwise_conv.weight"].shape[0]
    if stride == 1 and width_in == weights[f"{name}._project_conv.weight"].shape[0]:
        return graph.node("Add", [out, x], f"{name}.sum")
    return out
