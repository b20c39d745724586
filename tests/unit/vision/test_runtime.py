"""Where networks run, and that a GPU which cannot be used is given up aloud or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from imagemarket.vision import runtime
from imagemarket.vision.analyser import Analyser
from imagemarket.vision.runtime import DeviceUnavailable, Network, Placement, choose_device
from tests.unit.vision.kit import lite_bundle


def _made_for_a_gpu(monkeypatch: pytest.MonkeyPatch, driver: Path) -> None:
    """This machine's ONNX Runtime says that it has CUDA, as onnxruntime-gpu does; it has not."""
    providers = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(runtime, "_DRIVER", driver)


def test_without_cuda_in_onnx_runtime_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert choose_device() == Placement("cpu")
    with pytest.raises(DeviceUnavailable, match="onnxruntime-gpu"):
        choose_device("cuda")


def test_without_a_driver_auto_says_what_it_gave_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _made_for_a_gpu(monkeypatch, tmp_path / "nvidiactl")
    assert choose_device() == Placement("cpu", "no NVIDIA driver answers")
    assert choose_device("cpu") == Placement("cpu")
    with pytest.raises(DeviceUnavailable):
        choose_device("cuda")


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider':UserWarning")
def test_a_provider_that_does_not_load_is_told_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidiactl").touch()
    _made_for_a_gpu(monkeypatch, tmp_path / "nvidiactl")
    assert choose_device() == Placement("cuda")
    bundle = lite_bundle()
    with pytest.raises(DeviceUnavailable, match=r"nsfw\.onnx could not be loaded onto the GPU"):
        Network(bundle / "image/nsfw.onnx", device="cuda")
    with pytest.raises(DeviceUnavailable):
        Analyser(bundle, device="cuda")
    analyser = Analyser(bundle)
    assert analyser.device == "cpu"
    assert analyser.fell_back == "tower.onnx could not be loaded onto the GPU"
    analyser.warm_up(1)


def test_onnx_runtime_reports_nothing_and_leaves_nothing_in_the_home(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from imagemarket.vision.runtime import Network;"
        "Network(Path(sys.argv[1])); time.sleep(0.2)"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    network = lite_bundle() / "image/nsfw.onnx"
    subprocess.run([sys.executable, "-c", program, str(network)], env=environment, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []
