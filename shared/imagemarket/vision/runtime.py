"""ONNX Runtime as the towers use it: one network, on the GPU where there is one, else on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Device = Literal["cpu", "cuda"]
Wanted = Literal["auto", "cpu", "cuda"]


class DeviceUnavailable(Exception):
    """The device that was asked for is not there."""


def choose_device(wanted: Wanted = "auto") -> Device:
    """The device to run on; `auto` takes a GPU where this ONNX Runtime has CUDA and a driver answers.

    Raises `DeviceUnavailable` when `cuda` is wanted and not there.
    """
    if wanted == "cpu":
        return "cpu"
    there = "CUDAExecutionProvider" in onnxruntime.get_available_providers() and Path("/dev/nvidiactl").exists()
    if wanted == "cuda" and not there:
        raise DeviceUnavailable("no GPU: this needs onnxruntime-gpu and an NVIDIA driver (or choose the CPU)")
    return "cuda" if there else "cpu"


class Network:
    """One ONNX graph, loaded. Threads may share one; on the CPU each call uses `threads` cores.

    On a GPU the inputs go up and the outputs come down once a call (IO binding), whatever stands between them.
    `tensorrt` lets TensorRT compile what it can, keeping its engines beside the file. Raises
    `DeviceUnavailable` when the graph cannot be brought onto the device.
    """

    def __init__(self, path: Path, *, device: Device = "cpu", threads: int = 1, tensorrt: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Networks take turns: the threads of one must not spin while another works.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._device: Device = device
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=_providers(device, tensorrt=tensorrt, cache=path.parent / "tensorrt")
        )
        # Without a complaint ONNX Runtime falls back to the CPU when a provider does not load.
        if device == "cuda" and self._session.get_providers()[0] == "CPUExecutionProvider":
            raise DeviceUnavailable(f"{path.name} could not be loaded onto the GPU")

    @property
    def device(self) -> Device:
        return self._device

    def run(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The named outputs."""
        if self._device == "cpu":
            return [np.asarray(each) for each in self._session.run(list(outputs), dict(inputs))]
        binding = self._session.io_binding()
        for name, array in inputs.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), "cuda", 0)
            binding.bind_ortvalue_input(name, value)
        for name in outputs:
            binding.bind_output(name, "cuda")
        self._session.run_with_iobinding(binding)
        return [np.asarray(each) for each in binding.copy_outputs_to_cpu()]


def _providers(device: Device, *, tensorrt: bool, cache: Path) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    providers: list[Any] = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if tensorrt:
        engines = {
            "trt_fp16_enable": True,
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(cache),
        }
        providers.insert(0, ("TensorrtExecutionProvider", engines))
    return providers
