"""Smaller numbers for the same network: 8-bit integers for CPUs, half precision for GPUs. Needs no PyTorch."""

from __future__ import annotations

from pathlib import Path


def quantise(plain: Path, path: Path) -> None:
    """Writes `plain` with 8-bit weights, one scale a channel; the range of activations is measured as they come.
    Tables that are looked up (a text tower's words) shrink with the linear layers."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(plain),
        str(path),
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )


def halve(plain: Path, path: Path) -> None:
    """Writes `plain` in half precision throughout but for the normalisations of layers, whose sums would overflow."""
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    kept = [*DEFAULT_OP_BLOCK_LIST, "LayerNormalization", "ReduceL2", "Cast"]
    onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True, op_block_list=kept), path)
