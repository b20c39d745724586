"""CPU and memory of the imaging path for a 24 MP JPEG, against four jobs that each decode the original.

    python -m benchmarks.road_imaging [--json FILE]

Ours is what the saga's steps do: one decode scaled on load into a master, and from that master three sizes
in three formats, the preview with both marks in three formats, the hashes and the model's input. The peer is
what four independent jobs would do with plain Pillow: each opens the original, turns it upright and decodes
it in full; together they write the same thirteen pictures and the same perceptual hash. Its preview carries
the same visible mark (drawn by our code, so that only the road to the pixels differs) and no unseen one,
which Pillow does not have.

Each side runs in a process of its own, once to warm up (imports, font, tables) and then `RUNS` times; counted
is user and system CPU of all its threads. Two peers are shown: with Pillow's own encoder settings, as a job
written without thinking of them has it, and with ours, which leaves the decoding alone to compare.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report

if TYPE_CHECKING:
    from PIL.Image import Image

REPOSITORY = Path(__file__).resolve().parent.parent
RUNS = 5
SIZE = (6000, 4000)
GOAL = 4.0
MEMORY_LIMIT_MB = 300
_IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")
_PLAIN: dict[str, dict[str, Any]] = {"WEBP": {}, "AVIF": {}, "JPEG": {}}
_PEER_JOBS = ("thumbnails", "watermark", "dedup hash", "model input")


def measure(runs: int = RUNS) -> list[report.Row]:
    """The path's CPU against both peers, and its peak memory."""
    from local.pictures import paint_landscape

    with tempfile.TemporaryDirectory() as folder:
        path = paint_landscape(Path(folder) / "24mp.jpg", seed=1, size=SIZE)
        ours = _in_process("ours", path, runs)
        plain = _in_process("plain", path, runs)
        tuned = _in_process("tuned", path, runs)
    for name, side in (("ours", ours), ("plain Pillow", plain), ("plain Pillow, our encoder settings", tuned)):
        parts = ", ".join(f"{part} {seconds * 1000:.0f} ms" for part, seconds in side["parts"].items())
        print(f"{name}: {parts}; peak {side['peak_mb']:.0f} MB", file=sys.stderr)
    path_of = "24 MP JPEG to 3 sizes x 3 formats, watermark, hashes and model input"
    return [
        report.against_peer(
            f"{path_of}: CPU, against four plain Pillow jobs",
            ours=_total(ours) * 1000,
            peer=_total(plain) * 1000,
            unit="ms CPU",
            at_least=GOAL,
        ),
        report.against_peer(
            f"{path_of}: the same, the four jobs with our encoder settings",
            ours=_total(ours) * 1000,
            peer=_total(tuned) * 1000,
            unit="ms CPU",
            at_least=GOAL,
        ),
        report.at_most(
            f"{path_of}: peak memory of the process",
            ours=ours["peak_mb"],
            peer=plain["peak_mb"],
            unit="MB",
            limit=MEMORY_LIMIT_MB,
        ),
    ]


def _total(side: dict[str, Any]) -> float:
    return sum(side["parts"].values())


def _in_process(side: str, path: Path, runs: int) -> dict[str, Any]:
    """`{"parts": {name: median CPU seconds}, "peak_mb"}` of one side in a fresh interpreter."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.road_imaging", "--side", side, str(path), str(runs)],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _run_side(side: str, path: Path, runs: int) -> dict[str, Any]:
    jobs = _our_steps(path) if side == "ours" else _plain_jobs(path, tuned=side == "tuned")
    taken: dict[str, list[float]] = {name: [] for name, _ in jobs}
    for run in range(runs + 1):
        for name, job in jobs:
            began = time.process_time()
            job()
            if run:
                taken[name].append(time.process_time() - began)
    return {"parts": {name: statistics.median(times) for name, times in taken.items()}, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """The most memory this process held. `ru_maxrss` alone would count the parent's before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024


def _our_steps(path: Path) -> list[tuple[str, Callable[[], object]]]:
    from imagemarket.imaging.inspection import inspect
    from imagemarket.imaging.renditions import make_thumbnails
    from imagemarket.imaging.watermark import make_watermarked

    master = inspect(path).master
    return [
        ("inspect", lambda: inspect(path)),
        ("thumbnails", lambda: make_thumbnails(master)),
        ("watermark", lambda: make_watermarked(master, _IMAGE_ID)),
    ]


def _plain_jobs(path: Path, *, tuned: bool) -> list[tuple[str, Callable[[], object]]]:
    """Four jobs that know nothing of each other."""
    import PIL.Image
    from PIL import ImageOps
    from PIL.Image import Resampling

    from imagemarket.imaging.hashes import perceptual_hash
    from imagemarket.imaging.renditions import encoder_settings
    from imagemarket.imaging.visible_mark import draw_visible_mark

    encoders = encoder_settings() if tuned else _PLAIN

    def original() -> Image:
        with PIL.Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")

    def scaled(picture: Image, long_edge: int) -> Image:
        scale = long_edge / max(picture.size)
        return picture.resize((round(picture.width * scale), round(picture.height * scale)), Resampling.LANCZOS)

    def encode(picture: Image) -> list[bytes]:
        made = []
        for encoder, options in encoders.items():
            out = io.BytesIO()
            picture.save(out, encoder, **options)
            made.append(out.getvalue())
        return made

    def thumbnails() -> object:
        picture = original()
        return [encode(scaled(picture, edge)) for edge in (1000, 450, 150)]

    def watermark() -> object:
        return encode(draw_visible_mark(scaled(original(), 1000), _IMAGE_ID))

    def dedup_hash() -> object:
        return hashlib.sha256(path.read_bytes()).hexdigest(), perceptual_hash(original())

    def model_input() -> object:
        out = io.BytesIO()
        scaled(original(), 450).save(out, "JPEG")
        return out.getvalue()

    return list(zip(_PEER_JOBS, (thumbnails, watermark, dedup_hash, model_input), strict=True))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(_run_side(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        sys.exit(report.main(measure))
