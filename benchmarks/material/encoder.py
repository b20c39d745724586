"""A CLIP image tower behind its patches, with random weights: as an ONNX graph, and the same in PyTorch.

Speed does not depend on what the weights are. Both take `states` (n, places, width), the patches' vectors, and give
`embeddings` (n, width), the mean over the places.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_SLOPE = 1.702
"""Of CLIP's approximation of GELU, x * sigmoid(1.702 x)."""


@dataclass(frozen=True)
class Shape:
    """Layers, width, heads and places (patches and one more) of a transformer."""

    layers: int
    width: int
    heads: int
    places: int

    @property
    def flops(self) -> int:
        """Floating-point operations for one picture, a multiplication and an addition being two: four matrices of
        attention and two of four times the width a layer, and the likenesses of all places."""
        matrices = 2 * self.places * 12 * self.width**2
        attention = 2 * 2 * self.places**2 * self.width
        return self.layers * (matrices + attention)


VIT_B_32 = Shape(12, 768, 12, 50)
VIT_L_14 = Shape(24, 1024, 16, 257)
CLIP_L_14_TEXT = Shape(12, 768, 12, 77)
"""Of 77 tokens; what comes before, looking them up, takes next to nothing."""


def write_onnx(path: Path, shape: Shape, kind: DTypeLike = np.float32) -> None:
    """The graph, its weights and what it takes and gives of one kind of float."""
    import onnx
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes: list[Any] = []
    constants: list[Any] = []
    width = shape.width

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(operator: str, *inputs: str, **attributes: Any) -> str:
        out = f"{operator}-{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [out], **attributes))
        return out

    def linear(x: str, inner: int, out: int) -> str:
        weights = constant(f"w{len(nodes)}", rng.normal(0, inner**-0.5, (inner, out)).astype(kind))
        return node("Add", node("MatMul", x, weights), constant(f"b{len(nodes)}", np.zeros(out, kind)))

    def norm(x: str) -> str:
        scale, bias = (
            constant(f"s{len(nodes)}", np.ones(width, kind)),
            constant(f"o{len(nodes)}", np.zeros(width, kind)),
        )
        return node("LayerNormalization", x, scale, bias)

    split = constant("split", np.asarray([0, shape.places, shape.heads, width // shape.heads]))
    join = constant("join", np.asarray([0, shape.places, width]))
    shrink = constant("shrink", np.asarray((width // shape.heads) ** -0.5, kind))
    slope = constant("slope", np.asarray(_SLOPE, kind))
    x = "states"
    for _ in range(shape.layers):
        y = norm(x)
        query, key, value = (node("Reshape", linear(y, width, width), split) for _ in range(3))
        likeness = node(
            "MatMul", node("Transpose", query, perm=[0, 2, 1, 3]), node("Transpose", key, perm=[0, 2, 3, 1])
        )
        weights = node("Softmax", node("Mul", likeness, shrink), axis=-1)
        mixed = node(
            "Transpose", node("MatMul", weights, node("Transpose", value, perm=[0, 2, 1, 3])), perm=[0, 2, 1, 3]
        )
        x = node("Add", x, linear(node("Reshape", mixed, join), width, width))
        inner = linear(norm(x), width, 4 * width)
        x = node("Add", x, linear(node("Mul", inner, node("Sigmoid", node("Mul", inner, slope))), 4 * width, width))
    nodes.append(helper.make_node("ReduceMean", [x], ["embeddings"], axes=[1], keepdims=0))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    feed = helper.make_tensor_value_info("states", element, ["n", shape.places, width])
    out = helper.make_tensor_value_info("embeddings", element, ["n", width])
    graph = helper.make_graph(nodes, "encoder", [feed], [out], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def in_torch(path: Path, shape: Shape) -> Any:
    """The module of `write_onnx`'s graph, with its weights: PyTorch's own layers, and its fused attention."""
    import onnx
    import torch  # pyright: ignore[reportMissingImports] - from requirements/clip-builder.txt alone
    from onnx import numpy_helper
    from torch import nn  # pyright: ignore[reportMissingImports]

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = shape.width
            self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
            self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            y = self.first(x)
            parts = (
                each(y).unflatten(-1, (shape.heads, -1)).transpose(1, 2) for each in (self.query, self.key, self.value)
            )
            mixed = nn.functional.scaled_dot_product_attention(*parts)
            x = x + self.mix(mixed.transpose(1, 2).flatten(2))
            inner = self.up(self.second(x))
            return x + self.down(inner * torch.sigmoid(_SLOPE * inner))

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Layer() for _ in range(shape.layers))

        def forward(self, states: Any) -> Any:
            for layer in self.layers:
                states = layer(states)
            return states.mean(1)

    made = Encoder().eval().requires_grad_(requires_grad=False)
    constants = [numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer]
    stored = iter([each for each in constants if each.ndim == 2 or (each.ndim == 1 and len(each) >= shape.width)])
    for layer in made.layers:
        ordered = (layer.first, layer.query, layer.key, layer.value, layer.mix, layer.second, layer.up, layer.down)
        for part in ordered:
            weight = torch.from_numpy(next(stored).copy())
            part.weight.data = weight.T.contiguous() if weight.ndim == 2 else weight
            part.bias.data = torch.from_numpy(next(stored).copy())
    return made.to(next(iter(made.layers[0].query.parameters())).dtype)
