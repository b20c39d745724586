"""ONNX Runtime as the towers use it: one network, on the GPU where there is one, else on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Read at its import: without it ONNX Runtime writes an identifier into the user's home and reports to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

Device = Literal["cpu", "cuda"]
Wanted = Literal["auto", "cpu", "cuda"]

_DRIVER = Path("/dev/nvidiactl")
"""There once NVIDIA's driver is loaded."""


class DeviceUnavailable(Exception):
    """The device that was asked for is not there."""


@dataclass(frozen=True)
class Placement:
    """Where networks run."""

    device: Device
    fell_back: str | None = None
    """Why `auto` did not take the GPU that this ONNX Runtime is made for; None where nothing was given up."""


def choose_device(wanted: Wanted = "auto") -> Placement:
    """Where to run; `auto` takes a GPU where this ONNX Runtime has CUDA and a driver answers.

    Raises `DeviceUnavailable` when `cuda` is wanted and not there.
    """
    if wanted == "cpu":
        return Placement("cpu")
    made_for_it = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if made_for_it and _DRIVER.exists():
        return Placement("cuda")
    if wanted == "cuda":
        raise DeviceUnavailable("no GPU: this needs onnxruntime-gpu and an NVIDIA driver (or choose the CPU)")
    return Placement("cpu", "no NVIDIA driver answers" if made_for_it else None)


class Network:
    """One ONNX graph, loaded. Threads may share one; on the CPU each call uses `threads` cores.

    On a GPU the inputs go up and the outputs come down once a call (IO binding), whatever stands between them.
    Raises `DeviceUnavailable` when the graph cannot be brought onto the device.
    """

    def __init__(self, path: Path, *, device: Device = "cpu", threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Networks take turns: the threads of one must not spin while another works.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._device: Device = device
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        # Without an error ONNX Runtime falls back to the CPU when a provider does not load.
        if device == "cuda" and self._session.get_providers()[0] != "CUDAExecutionProvider":
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
