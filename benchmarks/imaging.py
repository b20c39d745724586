"""CPU and memory of the imaging path, against naive jobs, one decode by Pillow, and a libvips cascade.

    python -m benchmarks.imaging [--json FILE]

Ours is what the saga's steps do: one decode, scaled while it runs, into a master; from it three sizes in three
formats, the preview with both marks in three formats, the hashes and the model's input. The peers write the same
thirteen pictures and the same perceptual hash:

- *naive*: four jobs with plain Pillow (LibRaw for RAW) that each open the original, turn it upright and decode it in
  full; with Pillow's own encoder settings, and once more with ours;
- *one decode by Pillow*: `draft` where the format has it, then each size from the next larger;
- *libvips cascade*: `thumbnail` from the file, each size from the next larger, libvips' own encoders at the same
  quality and effort.

Marks are drawn by our code on every side, since only the road to the pixels and back is compared; the naive jobs
carry no unseen one. Each step of ours and each peer runs in a process of its own, as the functions do: once to warm
up, then `RUNS` times. Counted is user and system CPU of all threads; one thread is given to each library.
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
    import pyvips
    from PIL.Image import Image

REPOSITORY = Path(__file__).resolve().parent.parent
RUNS = 5
NAIVE_GOAL, CASCADE_GOAL = 6.0, 1.0
MEMORY_LIMIT_MIB = 100
_IMAGE_ID = uuid.UUID("0192f0c4-7b1a-7cde-8f01-23456789abcd")
_EDGES = (1000, 450, 150)
_PLAIN: dict[str, dict[str, Any]] = {"WEBP": {}, "AVIF": {}, "JPEG": {}}
_STEPS = ("inspect", "thumbnails", "watermark")
_PEERS = {"plain": "naive jobs", "tuned": "naive jobs, our encoder settings", "once": "one decode by Pillow"}
_ONE_THREAD = {"VIPS_CONCURRENCY": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

Jobs = list[tuple[str, Callable[[], object]]]


def measure(runs: int = RUNS) -> list[report.Row]:
    """The path's CPU against every peer for each kind of original, and its peak memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in _originals(Path(folder)):
            ours = [_in_process(step, path, runs) for step in _STEPS]
            sides = {side: _in_process(side, path, runs) for side in (*_PEERS, "cascade")}
            cpu, peak = sum(map(_total, ours)), max(step["peak_mib"] for step in ours)
            for side, found in (*zip(_STEPS, ours, strict=True), *sides.items()):
                parts = ", ".join(f"{part} {seconds * 1000:.0f} ms" for part, seconds in found["parts"].items())
                print(f"{name}, {side}: {parts}; peak {found['peak_mib']:.0f} MiB", file=sys.stderr)
            for side, goal in (("plain", NAIVE_GOAL), ("tuned", None), ("once", None), ("cascade", CASCADE_GOAL)):
                rows.append(
                    _cpu_row(f"{name}: CPU, against {_PEERS.get(side, 'a libvips cascade')}", cpu, sides[side], goal)
                )
            rows.append(
                report.at_most(
                    f"{name}: peak memory of the largest step",
                    ours=peak,
                    peer=sides["plain"]["peak_mib"],
                    unit="MiB",
                    limit=MEMORY_LIMIT_MIB if path.suffix == ".jpg" else 900,
                )
            )
    return rows


def _cpu_row(claim: str, ours: float, peer: dict[str, Any], goal: float | None) -> report.Row:
    return report.against_peer(
        claim, ours=ours * 1000, peer=_total(peer) * 1000, unit="ms CPU", at_least=goal if goal is not None else 1.0
    )


def _originals(folder: Path) -> list[tuple[str, Path]]:
    import numpy as np
    from PIL import Image

    from local.pictures import paint_landscape
    from local.raw_fixtures import write_dng

    jpeg = paint_landscape(folder / "24mp.jpg", seed=1, size=(6000, 4000))
    with Image.open(jpeg) as painted:
        painted.resize((4240, 2832)).save(folder / "12mp.png", compress_level=6)
        painted.resize((8256, 5504)).save(folder / "45mp.tif", compression="tiff_lzw")
        scene = np.asarray(painted, dtype=np.float32) / 255
    negative = write_dng(folder / "24mp.dng", scene)
    return [
        ("24 MP JPEG", jpeg),
        ("12 MP PNG", folder / "12mp.png"),
        ("45 MP TIFF", folder / "45mp.tif"),
        ("24 MP RAW", negative),
    ]


def _total(side: dict[str, Any]) -> float:
    return sum(side["parts"].values())


def _in_process(side: str, path: Path, runs: int) -> dict[str, Any]:
    """`{"parts": {name: median CPU seconds}, "peak_mib"}` of one side in a fresh interpreter."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared")]),
        **_ONE_THREAD,
    }
    master = path.with_suffix(".master.tif")
    if side == "inspect" and not master.exists():
        from imagemarket.imaging.inspection import inspect

        master.write_bytes(inspect(path).master)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.imaging", "--side", side, str(path), str(runs)],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _run_side(side: str, path: Path, runs: int) -> dict[str, Any]:
    jobs = _jobs(side, path)
    taken: dict[str, list[float]] = {name: [] for name, _ in jobs}
    for run in range(runs + 1):
        for name, job in jobs:
            began = time.process_time()
            job()
            if run:
                taken[name].append(time.process_time() - began)
    return {"parts": {name: statistics.median(times) for name, times in taken.items()}, "peak_mib": _peak_mib()}


def _peak_mib() -> float:
    """The most memory this process held. `ru_maxrss` alone would count the parent's before the exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024) if sys.platform == "darwin" else peak / 1024


def _jobs(side: str, path: Path) -> Jobs:
    if side in _STEPS:
        return [(side, _our_step(side, path))]
    if side == "once":
        return [("all", lambda: _one_decode(path))]
    if side == "cascade":
        return [("all", lambda: _cascade(path))]
    return _naive_jobs(path, tuned=side == "tuned")


def _our_step(step: str, path: Path) -> Callable[[], object]:
    if step == "inspect":
        from imagemarket.imaging.inspection import inspect

        return lambda: inspect(path)
    master = path.with_suffix(".master.tif").read_bytes()
    if step == "thumbnails":
        from imagemarket.imaging.renditions import make_thumbnails

        return lambda: make_thumbnails(master)
    from imagemarket.imaging.watermark import make_watermarked

    return lambda: make_watermarked(master, _IMAGE_ID)


def _opened(path: Path) -> Image:
    """The original in full, upright."""
    from PIL import Image, ImageOps

    if path.suffix == ".dng":
        import rawpy

        with rawpy.imread(str(path)) as raw:
            return Image.fromarray(raw.postprocess(use_camera_wb=True))
    with Image.open(path) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def _sides(size: tuple[int, int], long_edge: int) -> tuple[int, int]:
    scale = long_edge / max(size)
    return round(size[0] * scale), round(size[1] * scale)


def _scaled(picture: Image, long_edge: int) -> Image:
    from PIL.Image import Resampling

    return picture.resize(_sides(picture.size, long_edge), Resampling.LANCZOS)


def _encode(picture: Image, encoders: dict[str, dict[str, Any]]) -> list[bytes]:
    made = []
    for encoder, options in encoders.items():
        out = io.BytesIO()
        picture.save(out, encoder, **options)
        made.append(out.getvalue())
    return made


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _naive_jobs(path: Path, *, tuned: bool) -> Jobs:
    """Four jobs that know nothing of each other."""
    from imagemarket.imaging.hashes import perceptual_hash
    from imagemarket.imaging.renditions import encoder_settings
    from imagemarket.imaging.watermark import draw_visible_watermark

    encoders = encoder_settings() if tuned else _PLAIN
    preview_encoders = encoder_settings("preview") if tuned else _PLAIN

    def thumbnails() -> object:
        picture = _opened(path)
        return [_encode(_scaled(picture, edge), encoders) for edge in _EDGES]

    def watermark() -> object:
        return _encode(draw_visible_watermark(_scaled(_opened(path), _EDGES[0]), _IMAGE_ID), preview_encoders)

    def dedup_hash() -> object:
        return _digest(path), perceptual_hash(_opened(path))

    def model_input() -> object:
        return _encode(_scaled(_opened(path), 450), {"JPEG": {}})

    return [
        ("thumbnails", thumbnails),
        ("watermark", watermark),
        ("dedup hash", dedup_hash),
        ("model input", model_input),
    ]


def _one_decode(path: Path) -> object:
    from PIL import Image

    from imagemarket.imaging.hashes import perceptual_hash
    from imagemarket.imaging.renditions import encoder_settings
    from imagemarket.imaging.watermark import draw_visible_watermark, embed_identity

    if path.suffix == ".jpg":
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * _EDGES[0], 2 * _EDGES[0]))
            picture = opened.convert("RGB")
    else:
        picture = _opened(path)
    picture = largest = _scaled(picture, _EDGES[0])
    made: list[object] = [_digest(path), perceptual_hash(picture)]
    for edge in _EDGES:
        picture = _scaled(picture, edge) if edge < max(picture.size) else picture
        made.append(_encode(picture, encoder_settings()))
    made.append(
        _encode(embed_identity(draw_visible_watermark(largest, _IMAGE_ID), _IMAGE_ID), encoder_settings("preview"))
    )
    made.append(_encode(_scaled(largest, 450), {"JPEG": {}}))
    return made


def _cascade(path: Path) -> object:
    import pyvips
    from PIL import Image

    from imagemarket.imaging.hashes import perceptual_hash
    from imagemarket.imaging.renditions import encoder_settings
    from imagemarket.imaging.watermark import draw_visible_watermark, embed_identity

    pyvips.cache_set_max(0)

    def encode(picture: pyvips.Image, chosen: dict[str, dict[str, Any]]) -> list[bytes]:
        return [
            picture.webpsave_buffer(Q=chosen["WEBP"]["quality"], effort=chosen["WEBP"]["method"]),
            picture.heifsave_buffer(
                Q=chosen["AVIF"]["quality"], compression="av1", effort=9 - chosen["AVIF"]["speed"], bitdepth=8
            ),
            picture.jpegsave_buffer(Q=chosen["JPEG"]["quality"], optimize_coding=True, interlace=True),
        ]

    bounds = {"height": _EDGES[0], "size": "down"}
    if path.suffix == ".dng":
        import numpy as np

        picture = pyvips.Image.new_from_array(np.asarray(_opened(path))).copy(interpretation="srgb")
        picture = picture.thumbnail_image(_EDGES[0], **bounds)
    else:
        picture = pyvips.Image.thumbnail(str(path), _EDGES[0], **bounds)
    picture = largest = picture.copy_memory()
    pillow = Image.frombytes("RGB", (largest.width, largest.height), largest.write_to_memory())
    made: list[object] = [_digest(path), perceptual_hash(pillow)]
    for edge in _EDGES:
        picture = picture.thumbnail_image(edge, height=edge, size="down").copy_memory()
        made.append(encode(picture, encoder_settings()))
    marked = embed_identity(draw_visible_watermark(pillow, _IMAGE_ID), _IMAGE_ID)
    preview = pyvips.Image.new_from_memory(marked.tobytes(), *marked.size, 3, "uchar").copy(interpretation="srgb")
    made.append(encode(preview, encoder_settings("preview")))
    made.append(largest.thumbnail_image(450, height=450, size="down").jpegsave_buffer())
    return made


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(_run_side(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        sys.exit(report.main(measure))
