"""Bytes against quality for each format of the renditions, on real photos; the encoders' settings come from here.

    python -m benchmarks.imaging_encoders [--photos DIR] [--most N] [--sweep] [--json FILE]

Quality is SSIMULACRA 2 (the PyPI package `ssimulacra2`, BSD): 90 cannot be told from the original, 70 is high, 50
medium. A photo is decoded as the product does, so each setting is judged on the very pixels that it gets. `--sweep`
prints every setting; the rows compare those in use. CPU is user and system time of encoding alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report
from benchmarks.material.samples import SAMPLES
from local.arguments import file_to_write

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTOS = SAMPLES / "photos"
MOST = 24
"""Photos, spread evenly over the folder."""
EDGES = (1000, 450, 150)
BUDGET_KB, PREVIEW_BUDGET_KB = 120.0, 200.0
AVIF_SAVES = 0.20
SWEEP: dict[str, list[dict[str, Any]]] = {
    "WEBP": [{"quality": quality, "method": method} for method in (3, 4, 6) for quality in (68, 74, 80, 86)],
    "AVIF": [{"quality": quality, "speed": speed} for speed in (6, 7, 8, 9) for quality in (50, 56, 62, 68)],
    "JPEG": [{"quality": quality, "optimize": True, "progressive": True} for quality in (70, 76, 82, 88)],
}


@dataclass(frozen=True)
class Encoded:
    """One setting at one size: means over the photos."""

    encoder: str
    options: dict[str, Any]
    edge: int
    kilobytes: float
    quality: float
    """SSIMULACRA 2."""
    cpu_ms: float


def photos(folder: Path, most: int) -> list[Path]:
    """The folder's photos of at least 1000 px, evenly thinned to `most`."""
    from PIL import Image

    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}:
            with Image.open(path) as opened:
                if max(opened.size) >= EDGES[0]:
                    found.append(path)
    step = max(1.0, len(found) / most)
    return [found[int(place * step)] for place in range(min(most, len(found)))]


def ladders(paths: Sequence[Path]) -> Iterator[dict[int, Image]]:
    """Each photo's sizes as the product makes them."""
    from imagemarket.imaging.inspection import inspect
    from imagemarket.imaging.renditions import ladder, open_master

    for path in paths:
        yield dict(ladder(open_master(inspect(path).master)))


def encode(picture: Image, encoder: str, options: dict[str, Any]) -> tuple[bytes, float]:
    """The bytes, and the CPU milliseconds that they took."""
    out = io.BytesIO()
    began = time.process_time()
    picture.save(out, encoder, **({"max_threads": 1} if encoder == "AVIF" else {}), **options)
    return out.getvalue(), (time.process_time() - began) * 1000


def judge(original: Image, data: bytes) -> float:
    """SSIMULACRA 2 of an encoded picture against what was encoded."""
    from PIL import Image
    from ssimulacra2 import compute_ssimulacra2

    with tempfile.TemporaryDirectory() as folder, Image.open(io.BytesIO(data)) as opened:
        paths = Path(folder) / "original.png", Path(folder) / "encoded.png"
        original.convert("RGB").save(paths[0], compress_level=1)
        opened.convert("RGB").save(paths[1], compress_level=1)
        return float(compute_ssimulacra2(str(paths[0]), str(paths[1])))


def measured(pictures: Sequence[dict[int, Image]], encoder: str, options: dict[str, Any]) -> list[Encoded]:
    """The setting at every size."""
    rows = []
    for edge in EDGES:
        encoded = [(each[edge], *encode(each[edge], encoder, options)) for each in pictures]
        rows.append(
            Encoded(
                encoder,
                options,
                edge,
                statistics.mean(len(data) for _, data, _ in encoded) / 1000,
                statistics.mean(judge(picture, data) for picture, data, _ in encoded),
                statistics.mean(taken for *_, taken in encoded),
            )
        )
    return rows


def bytes_at(quality: float, settings: Sequence[Encoded]) -> float:
    """Kilobytes at which an encoder reaches a quality, between its measured settings (linear in the logarithm)."""
    import numpy as np

    ordered = sorted(settings, key=lambda each: each.quality)
    return float(
        np.exp(np.interp(quality, [each.quality for each in ordered], [np.log(each.kilobytes) for each in ordered]))
    )


def previews(pictures: Sequence[dict[int, Image]]) -> float:
    """Mean kilobytes of the watermarked preview as WebP."""
    import uuid

    from imagemarket.imaging.watermark import make_watermarked

    sizes = []
    for each in pictures:
        out = io.BytesIO()
        each[EDGES[0]].save(out, "TIFF")
        made = make_watermarked(out.getvalue(), uuid.UUID(int=1))
        sizes += [len(rendition.data) for rendition in made if rendition.format == "webp"]
    return statistics.mean(sizes) / 1000


def measure(options: argparse.Namespace) -> list[report.Row]:
    """The settings in use against the budgets, and AVIF against WebP at equal quality."""
    from imagemarket.imaging.renditions import encoder_settings

    paths = photos(options.photos, options.most) if options.photos.is_dir() else []
    goal = f"≤ {BUDGET_KB:g}"
    if not paths:
        reason = "the sample photos are not beside this clone"
        return [report.unmeasured("three WebP sizes of a photo", unit="KB", goal=goal, reason=reason)]
    pictures = list(ladders(paths))
    used = {
        encoder: measured(pictures, encoder, {name: value for name, value in chosen.items() if name != "max_threads"})
        for encoder, chosen in encoder_settings().items()
    }
    table = [row for rows in used.values() for row in rows]
    if options.sweep:
        for encoder, choices in SWEEP.items():
            table += [row for choice in choices for row in measured(pictures, encoder, choice)]
    for row in table:
        settings = " ".join(f"{name}={value}" for name, value in row.options.items())
        print(
            f"{row.encoder:5}{settings:48}{row.edge:5} px {row.kilobytes:8.1f} KB"
            f" {row.quality:6.1f} {row.cpu_ms:7.1f} ms",
            file=sys.stderr,
        )
    if options.json:
        options.json.with_suffix(".settings.json").write_text(
            json.dumps([dataclasses.asdict(row) for row in table], indent=1) + "\n", encoding="utf-8"
        )
    of = f"{len(pictures)} photos"
    avif, webp = used["AVIF"][0], used["WEBP"][0]
    qualities = (74, 80, 86, 90) if webp.quality < avif.quality else (60, 68, 74, 80)
    around = [measured(pictures, "WEBP", {**webp.options, "quality": quality})[0] for quality in qualities]
    return [
        report.at_most(
            f"{of}: three WebP sizes", ours=sum(row.kilobytes for row in used["WEBP"]), unit="KB", limit=BUDGET_KB
        ),
        report.at_most(
            f"{of}: the marked preview as WebP", ours=previews(pictures), unit="KB", limit=PREVIEW_BUDGET_KB
        ),
        report.at_most(
            f"{of}: AVIF at 1000 px, against WebP at the same SSIMULACRA 2 ({avif.quality:.0f})",
            ours=avif.kilobytes,
            peer=bytes_at(avif.quality, [webp, *around]),
            unit="KB",
            limit=(1 - AVIF_SAVES) * bytes_at(avif.quality, [webp, *around]),
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description="Bytes against quality for each format of the renditions."
    )
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--most", type=int, default=MOST)
    parser.add_argument("--sweep", action="store_true", help="measure every setting, not only those in use")
    parser.add_argument(
        "--json", type=file_to_write, metavar="FILE", help="also write the rows here, and every setting beside"
    )
    options = parser.parse_args(arguments)
    return report.finish(measure(options), options.json)


if __name__ == "__main__":
    sys.exit(main())
