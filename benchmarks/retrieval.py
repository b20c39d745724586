"""Whether the vectors of the model bundle bring a text to its picture: captions against photos, in process.

The peer is the published method on the same networks: ConSE over the ten likeliest classes of the whole
picture, their names alone, uncentred. The photos lie beside the clone in `../shared/samples`; they measure
the bundle and nothing of them is built into it. Without them nothing is measured.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.material.samples import NOT_HERE, SAMPLES
from imagemarket.vision.analyser import Analyser
from imagemarket.vision.text import SentenceModel, TextEncoder
from local.layout import REPOSITORY
from sagemaker.builders.lite import build, read_classes

BUNDLE = REPOSITORY / ".market" / "models" / "lite"
_FIRST = (1, 5, 10, 20)
_GOALS = {1: 0.4, 5: 0.8, 10: 0.91, 20: 0.9}
_PEER_CLASSES = 10


def model_input(path: Path) -> bytes:
    """As the ingestion hands a picture to the model: upright, short edge 300."""
    out = io.BytesIO()
    with Image.open(path) as opened:
        opened.draft("RGB", (600, 600))
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    shrink = min(1.0, 300 / min(upright.size))
    size = (max(1, round(upright.width * shrink)), max(1, round(upright.height * shrink)))
    upright.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def _logits(views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Of the whole pictures, the first of their views."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(BUNDLE / "image/tower.onnx"), providers=["CPUExecutionProvider"])
    return np.stack([np.asarray(session.run(["logits"], {"pictures": view[:1]})[0])[0] for view in views])


def peer_vectors(rows: NDArray[np.float32], names: NDArray[np.float32]) -> NDArray[np.float32]:
    """ConSE as published, of the logits of whole pictures."""
    vectors: list[NDArray[np.float32]] = []
    for logits in rows:
        likeliest = np.argsort(-logits)[:_PEER_CLASSES]
        weights = np.exp(logits[likeliest] - logits.max())
        vector = weights @ names[likeliest]
        vectors.append(vector / np.linalg.norm(vector))
    return np.stack(vectors)


def ranks(texts: NDArray[Any], pictures: NDArray[Any], truth: NDArray[np.int_]) -> NDArray[np.int_]:
    """Place of each text's picture, from 1."""
    likeness = texts @ pictures.T
    own = likeness[np.arange(len(truth)), truth]
    return 1 + (likeness > own[:, None]).sum(axis=1)


def _timed(encode: Callable[[Any], list[float]], things: Sequence[Any]) -> tuple[NDArray[np.float64], float]:
    """Their vectors, and the median CPU milliseconds of one, all threads together: what else runs on the machine
    hardly shows."""
    encode(things[-1])
    vectors: list[list[float]] = []
    times: list[float] = []
    for thing in things:
        started = time.process_time()
        vectors.append(encode(thing))
        times.append(1000 * (time.process_time() - started))
    return np.asarray(vectors), float(np.median(times))


def measure() -> list[report.Row]:
    """Share of captions whose photo is among the first, and what a text and a picture cost."""
    manifest = SAMPLES / "manifest.json"
    if not manifest.exists():
        return [report.unmeasured("captions that find their photo", unit="share", goal="", reason=NOT_HERE)]
    build(BUNDLE)
    entries = [entry for entry in json.loads(manifest.read_text()) if entry["file"].startswith("photos/")]
    queries = [(text, place) for place, entry in enumerate(entries) for text in entry.get("captions", [])]
    truth = np.asarray([place for _, place in queries])

    analyser, encoder = Analyser(BUNDLE, device="cpu"), TextEncoder(BUNDLE)
    inputs = [model_input(SAMPLES / entry["file"]) for entry in entries]
    pictures, per_picture = _timed(lambda jpeg: analyser.analyse([jpeg])[0].embedding, inputs)
    texts, per_text = _timed(encoder.encode, [text for text, _ in queries])
    ours = ranks(texts, pictures, truth)

    plain = SentenceModel(BUNDLE / "text", max_tokens=128)
    names = np.stack([plain.encode(name) for name in read_classes().names])
    peer_pictures = peer_vectors(_logits([analyser.prepare(jpeg).views for jpeg in inputs]), names)
    peer = ranks(np.stack([plain.encode(text) for text, _ in queries]), peer_pictures, truth)

    table = Table(
        "caption", "place", "plain ConSE", "photo", title=f"place among {len(entries)} photos", show_edge=False
    )
    shown: set[int] = set()
    for (text, place), mine, theirs in zip(queries, ours, peer, strict=True):
        if place not in shown:
            shown.add(place)
            table.add_row(text[:80], str(mine), str(theirs), Path(entries[place]["file"]).name)
    Console(width=140).print(table)
    rows = [
        report.at_least(
            f"captions ({len(queries)}) whose photo, of {len(entries)}, is among the first {first}",
            ours=float((ours <= first).mean()),
            peer=float((peer <= first).mean()),
            unit="share",
            limit=_GOALS[first],
        )
        for first in _FIRST
    ]
    return [
        *rows,
        report.at_most("CPU of encoding a query, median", ours=per_text, unit="ms", limit=15),
        report.at_most("CPU of looking at a picture, median", ours=per_picture, unit="ms", limit=400),
    ]


if __name__ == "__main__":
    sys.exit(report.main(measure))
