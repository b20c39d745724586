"""What looking at a picture costs: INT8 against FP32 on the CPU, ONNX Runtime against PyTorch on a GPU, and 64 clients.

The encoder that is quantised has the shape of CLIP's ViT-B/32 and random weights (`benchmarks.material.encoder`). It
goes through the same quantisation as the bundles do. On a GPU one of the shape of ViT-L/14, in FP16, is given batches
of 1 to 256 by ONNX Runtime and by PyTorch, eager and compiled: each takes arrays from memory and gives arrays back.
The share of the peak is of what a product of two large FP16 matrices reaches on that GPU in the same run. The 64
clients ask a model server of their own process, with the `lite` bundle, and compare each answer's vector with the one
that the bundle gives the picture alone.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.material.encoder import CLIP_L_14_TEXT, VIT_B_32, VIT_L_14, Shape, in_torch, write_onnx
from benchmarks.retrieval import BUNDLE
from imagemarket.vision.analyser import Analyser
from imagemarket.vision.models import JPEGS, MAX_IMAGES, pack
from imagemarket.vision.runtime import Device, DeviceUnavailable, Network, choose_device
from local.layout import REPOSITORY, free_port
from sagemaker.builders.lite import build
from sagemaker.builders.quantise import quantise

_CLIENTS, _TURNS = 64, 3
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TORCH = ("eager", "compiled")
_GPU_GOAL = 1.0
_SAME_COSINE = 0.999
"""FP16 rounds each of them otherwise."""


def _cpu_ms(work: Callable[[], object], runs: int = 15) -> float:
    """Median CPU milliseconds, all threads together: what else runs on the machine hardly shows."""
    work()
    times: list[float] = []
    for _ in range(runs):
        began = time.process_time()
        work()
        times.append(1000 * (time.process_time() - began))
    return float(np.median(times))


def _has_vnni() -> bool:
    flags = Path("/proc/cpuinfo")
    return flags.exists() and "vnni" in flags.read_text()


def _quantised() -> list[report.Row]:
    return [
        *_int8("ViT-B/32-shaped encoder", VIT_B_32, "a picture", least=3),
        *_int8("encoder shaped as CLIP ViT-L/14's text tower", CLIP_L_14_TEXT, "a query", least=2),
    ]


def _int8(name: str, shape: Shape, thing: str, *, least: float) -> list[report.Row]:
    """INT8 beside FP32: CPU of one, and the likeness of what they give."""
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        write_onnx(plain, shape)
        quantise(plain, small)
        states = np.random.default_rng(1).normal(0, 1, (1, shape.places, shape.width)).astype("f")
        networks = [Network(path) for path in (small, plain)]
        rows = [network.run(["embeddings"], {"states": states})[0][0] for network in networks]
        ours, peer = (_cpu_ms(lambda n=network: n.run(["embeddings"], {"states": states})) for network in networks)
        cosine = float(rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1]))
    claim = f"{name}, INT8 beside FP32, CPU of {thing}"
    timed = report.against_peer(claim, ours=ours, peer=peer, unit="ms", at_least=least)
    if not _has_vnni():
        timed |= {"holds": None, "reason": f"this CPU has no VNNI, which the goal is for; {ours:.0f} and {peer:.0f} ms"}
    return [
        timed,
        report.at_least(f"{name}: cosine of its INT8 with its FP32 vector", ours=cosine, unit="", limit=0.99),
    ]


def _pictures() -> list[bytes]:
    """Distinct pictures: one photo, turned."""
    import io

    from PIL import Image

    from sagemaker.builders.folder import PackageFile

    made: list[bytes] = []
    with Image.open(PackageFile("skimage", "data/coffee.png", "").file) as photo:
        small = photo.convert("RGB").resize((400, 300))
    for number in range(8):
        turned = small.rotate(45 * number, expand=False)
        out = io.BytesIO()
        turned.save(out, "JPEG", quality=90)
        made.append(out.getvalue())
    return made


Runner = Callable[[np.ndarray], np.ndarray]
"""Takes states from memory, gives embeddings back to it."""


def runners(path: Path, shape: Shape, device: Device) -> dict[str, Runner]:
    """ONNX Runtime, PyTorch as it is, and PyTorch compiled, on one graph and its weights."""
    import torch  # pyright: ignore[reportMissingImports] - from requirements/clip-builder.txt alone

    network = Network(path, device=device)
    eager = in_torch(path, shape).to(device)
    compiled = torch.compile(eager)

    def by_torch(module: Any) -> Runner:
        def run(states: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return module(torch.from_numpy(states).to(device)).cpu().numpy()

        return run

    return {
        "ONNX Runtime": lambda states: network.run(["embeddings"], {"states": states})[0],
        "PyTorch eager": by_torch(eager),
        "PyTorch compiled": by_torch(compiled),
    }


def batch_seconds(run: Runner, states: np.ndarray, runs: int = 7) -> float:
    """Median seconds of a batch, after two that are not counted (memory, kernels, compilation)."""
    run(states), run(states)
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        run(states)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def peak_flops(device: Device, side: int = 8192, runs: int = 10) -> float:
    """Operations a second of a product of two FP16 matrices in PyTorch, the best of some runs."""
    import torch  # pyright: ignore[reportMissingImports] - from requirements/clip-builder.txt alone

    one, other = (torch.randn(side, side, device=device, dtype=torch.float16) for _ in range(2))
    best = 0.0
    for _ in range(runs):
        began = time.perf_counter()
        (one @ other).flatten()[0].item()  # waits for the GPU
        best = max(best, 2 * side**3 / (time.perf_counter() - began))
    return best


def beside_torch(
    shape: Shape, device: Device, batches: Sequence[int], kind: Any, peak: float
) -> dict[tuple[str, int], float]:
    """Seconds of a batch by runner and batch, printed with each runner's share of the peak.

    Raises ValueError where two of them disagree about a picture.
    """
    rng = np.random.default_rng(1)
    found: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        write_onnx(path, shape, kind)
        made = runners(path, shape, device)
        for batch in batches:
            states = rng.normal(0, 1, (batch, shape.places, shape.width)).astype(kind)
            rows = {name: run(states).astype(np.float64) for name, run in made.items()}
            agreed = rows["ONNX Runtime"]
            for name, other in rows.items():
                lengths = np.linalg.norm(agreed, axis=1) * np.linalg.norm(other, axis=1)
                if float(((agreed * other).sum(1) / lengths).min()) < _SAME_COSINE:
                    raise ValueError(f"{name} gives other embeddings than ONNX Runtime in a batch of {batch}")
            found |= {(name, batch): batch_seconds(run, states) for name, run in made.items()}
    names = list(made)
    table = Table("batch", *names, title="milliseconds a picture, share of the peak")
    for batch in batches:
        seconds = [found[name, batch] for name in names]
        cells = [f"{1000 * each / batch:.3f}, {shape.flops * batch / each / peak:.0%}" for each in seconds]
        table.add_row(str(batch), *cells)
    Console(width=150).print(table)
    return found


def _on_gpu() -> list[report.Row]:
    claim = f"ViT-L/14-shaped encoder, FP16, {MAX_IMAGES} at once on the GPU, a picture of them; the peer is PyTorch"
    goal = f"≥ {_GPU_GOAL:g}x"
    reason = None
    try:
        choose_device("cuda")
    except DeviceUnavailable as error:
        reason = str(error)
    if reason is None and importlib.util.find_spec("torch") is None:
        reason = "PyTorch is not installed (requirements/clip-builder.txt; docs/benchmarks.md says how)"
    if reason is not None:
        return [report.unmeasured(f"{claim} {how}", unit="ms", goal=goal, reason=reason) for how in _TORCH]
    peak = peak_flops("cuda")
    found = beside_torch(VIT_L_14, "cuda", BATCHES, np.float16, peak)
    ours = found["ONNX Runtime", MAX_IMAGES]
    best = max(VIT_L_14.flops * batch / found["ONNX Runtime", batch] / peak for batch in BATCHES)
    return [
        *(
            report.against_peer(
                f"{claim} {how}",
                ours=1000 * ours / MAX_IMAGES,
                peer=1000 * found[f"PyTorch {how}", MAX_IMAGES] / MAX_IMAGES,
                unit="ms",
                at_least=_GPU_GOAL,
            )
            for how in _TORCH
        ),
        report.at_least("share of the peak that ONNX Runtime reaches, best batch", ours=best, unit="share", limit=0.4),
    ]


def _under_load() -> list[report.Row]:
    pictures = _pictures()
    truth = [analysis.embedding for analysis in Analyser(BUNDLE, device="cpu").analyse(pictures)]
    port = free_port()
    command = [sys.executable, "-m", "sagemaker.server.app", "--port", str(port), "--bundle", str(BUNDLE)]
    server = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=120, limits=httpx.Limits(max_connections=_CLIENTS)
        ) as client:
            _wait(client)
            began = time.perf_counter()

            def ask(number: int) -> tuple[int, float]:
                wrong, slowest = 0, 0.0
                for turn in range(_TURNS):
                    place = (number + turn) % len(pictures)
                    asked = time.perf_counter()
                    while (answer := _post(client, pictures[place])).status_code == 429:
                        time.sleep(0.2)
                    slowest = max(slowest, time.perf_counter() - asked)
                    (analysis,) = answer.json()["analyses"]
                    wrong += not np.allclose(analysis["embedding"], truth[place], atol=1e-4)
                return wrong, slowest

            with ThreadPoolExecutor(_CLIENTS) as pool:
                answers = list(pool.map(ask, range(_CLIENTS)))
            seconds = time.perf_counter() - began
    finally:
        server.terminate()
        server.wait(60)
    asked = _CLIENTS * _TURNS
    wrong = sum(each for each, _ in answers)
    claim = f"{_CLIENTS} clients, {asked} pictures at {asked / seconds:.1f} a second: answers lost or mixed up"
    return [report.at_most(claim, ours=wrong, unit="", limit=0)]


def _post(client: httpx.Client, picture: bytes) -> httpx.Response:
    return client.post("/invocations", content=pack([picture]), headers={"content-type": JPEGS})


def _wait(client: httpx.Client) -> None:
    for _ in range(600):
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the model server did not become ready")


def measure() -> list[report.Row]:
    """INT8 beside FP32, ONNX Runtime beside PyTorch on a GPU, many clients at once."""
    build(BUNDLE)
    return [*_quantised(), *_on_gpu(), *_under_load()]


if __name__ == "__main__":
    sys.exit(report.main(measure))
