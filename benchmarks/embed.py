"""What looking at a picture costs: INT8 against FP32 on the CPU, a GPU against the CPU, and 64 clients at a time.

The encoder that is quantised has the shape of CLIP's ViT-B/32 (12 layers, width 768, 50 places) and random weights:
speed does not depend on what they are. It goes through the same quantisation as the bundles do. The 64 clients
ask a model server of their own process, with the `lite` bundle, and compare each answer's vector with the one that
the bundle gives the picture alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import report
from benchmarks.retrieval import BUNDLE
from imagemarket.vision.analyser import Analyser
from imagemarket.vision.models import JPEGS, MAX_IMAGES, pack
from imagemarket.vision.runtime import DeviceUnavailable, Network, choose_device
from local.layout import REPOSITORY, free_port
from sagemaker.builders.lite import build
from sagemaker.builders.quantise import quantise

_LAYERS, _WIDTH, _HEADS, _PLACES = 12, 768, 12, 50
_CLIENTS, _TURNS = 64, 3
_GPU_GOAL = 10


def _encoder(path: Path) -> None:
    """A transformer of the shape of ViT-B/32 behind its patches: `states` (n, 50, 768) to `embeddings`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(kind: str, *inputs: str, **attributes: Any) -> str:
        out = f"{kind}-{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def linear(x: str, width: int, out: int) -> str:
        weights = constant(f"w{len(nodes)}", rng.normal(0, width**-0.5, (width, out)).astype("f"))
        return node("Add", node("MatMul", x, weights), constant(f"b{len(nodes)}", np.zeros(out, "f")))

    def norm(x: str) -> str:
        scale, bias = (
            constant(f"s{len(nodes)}", np.ones(_WIDTH, "f")),
            constant(f"o{len(nodes)}", np.zeros(_WIDTH, "f")),
        )
        return node("LayerNormalization", x, scale, bias)

    split = constant("split", np.asarray([0, _PLACES, _HEADS, _WIDTH // _HEADS]))
    join = constant("join", np.asarray([0, _PLACES, _WIDTH]))
    shrink = constant("shrink", np.asarray((_WIDTH // _HEADS) ** -0.5, "f"))
    slope = constant("slope", np.asarray(1.702, "f"))
    x = "states"
    for _ in range(_LAYERS):
        y = norm(x)
        query, key, value = (node("Reshape", linear(y, _WIDTH, _WIDTH), split) for _ in range(3))
        likeness = node(
            "MatMul", node("Transpose", query, perm=[0, 2, 1, 3]), node("Transpose", key, perm=[0, 2, 3, 1])
        )
        weights = node("Softmax", node("Mul", likeness, shrink), axis=-1)
        mixed = node(
            "Transpose", node("MatMul", weights, node("Transpose", value, perm=[0, 2, 1, 3])), perm=[0, 2, 1, 3]
        )
        x = node("Add", x, linear(node("Reshape", mixed, join), _WIDTH, _WIDTH))
        inner = linear(norm(x), _WIDTH, 4 * _WIDTH)
        x = node("Add", x, linear(node("Mul", inner, node("Sigmoid", node("Mul", inner, slope))), 4 * _WIDTH, _WIDTH))
    nodes.append(helper.make_node("ReduceMean", [x], ["embeddings"], axes=[1], keepdims=0))
    feed = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["n", _PLACES, _WIDTH])
    out = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", _WIDTH])
    graph = helper.make_graph(nodes, "encoder", [feed], [out], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


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
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        _encoder(plain)
        quantise(plain, small)
        states = np.random.default_rng(1).normal(0, 1, (1, _PLACES, _WIDTH)).astype("f")
        networks = [Network(path) for path in (small, plain)]
        rows = [network.run(["embeddings"], {"states": states})[0][0] for network in networks]
        ours, peer = (_cpu_ms(lambda n=network: n.run(["embeddings"], {"states": states})) for network in networks)
        cosine = float(rows[0] @ rows[1] / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1]))
    claim = "ViT-B/32-shaped encoder, INT8 beside FP32, CPU of a picture"
    if not _has_vnni():
        timed = report.unmeasured(claim, unit="ms", goal="≥ 3x", reason="this CPU has no VNNI, which the goal is for")
    else:
        timed = report.against_peer(claim, ours=ours, peer=peer, unit="ms", at_least=3)
    return [timed, report.at_least("cosine of its INT8 with its FP32 vector", ours=cosine, unit="", limit=0.99)]


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


def _on_gpu() -> report.Row:
    claim = f"`lite`, a batch of {MAX_IMAGES} on the GPU beside the CPU, a picture"
    try:
        choose_device("cuda")
    except DeviceUnavailable as error:
        return report.unmeasured(claim, unit="ms", goal=f"≥ {_GPU_GOAL}x", reason=str(error))
    seconds: list[float] = []
    for device in ("cuda", "cpu"):
        analyser = Analyser(BUNDLE, device=device)
        views = [analyser.prepare(_pictures()[0])] * MAX_IMAGES
        analyser.warm_up(MAX_IMAGES)
        began = time.perf_counter()
        analyser.look(views)
        seconds.append((time.perf_counter() - began) / MAX_IMAGES)
    return report.against_peer(claim, ours=1000 * seconds[0], peer=1000 * seconds[1], unit="ms", at_least=_GPU_GOAL)


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
    """INT8 beside FP32, GPU beside CPU, many clients at once."""
    build(BUNDLE)
    return [*_quantised(), _on_gpu(), *_under_load()]


if __name__ == "__main__":
    sys.exit(report.main(measure))
