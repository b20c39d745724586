"""The sample photos beside the clone, which benchmarks use when they are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from local.layout import REPOSITORY

if TYPE_CHECKING:
    from PIL.Image import Image

SAMPLES = REPOSITORY.parent / "shared" / "samples"
NOT_HERE = "the sample photos are not here"


def photos() -> list[Path]:
    """In the order of their names; none without the samples."""
    manifest = SAMPLES / "manifest.json"
    if not manifest.exists():
        return []
    return sorted(
        SAMPLES / entry["file"] for entry in json.loads(manifest.read_text()) if entry["file"].startswith("photos/")
    )


def master(path: Path) -> Image:
    """As the ingestion makes it: upright, sRGB enough for these photos, long edge at most 1000."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    picture.thumbnail((1000, 1000), Image.Resampling.LANCZOS)
    return picture
