"""Makes the demo's pictures in a folder: the illustrations drawn, the photos copied, and what is true of each."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

# the modules of painters hang their pictures in the gallery as they are imported
from local.demo import fractals, patterns, posters, scenes  # noqa: F401
from local.demo.canvas import GALLERY, Illustration
from local.demo.photos import PHOTOS

_CREDIT = "Drawn by a program for the imagemarket demo; CC0."
_LOSSLESS = frozenset({"halftone-ball", "piano-keys", "seigaiha-waves"})
"""Flat drawings, which PNG keeps small; the others are JPEG."""


def file_of(drawing: Illustration) -> str:
    """What the file of a drawing is called."""
    return f"{drawing.name}.{'png' if drawing.name in _LOSSLESS else 'jpg'}"


def draw(drawing: Illustration) -> Image.Image:
    """The drawing, the same every time."""
    return drawing.paint(drawing.size, np.random.default_rng(crc32(drawing.name.encode())))


def notes() -> dict[str, dict[str, Any]]:
    """What `metadata.json` says of every picture, by its file's name."""
    drawn = {
        file_of(drawing): {
            "title": drawing.title,
            "description": drawing.description,
            "tags": list(drawing.tags),
            "categories": list(drawing.categories),
            "credit": _CREDIT,
            "image_type": "illustration",
            "license_types": ["standard", "enhanced"],
        }
        for drawing in GALLERY
    }
    taken = {
        photo.name: {
            "title": photo.title,
            "description": photo.description,
            "tags": [word.strip() for word in photo.tags.split(",")],
            "categories": photo.categories.split(),
            "credit": photo.credit,
            "image_type": "photo",
            "license_types": list(photo.license_types),
        }
        for photo in PHOTOS
    }
    return drawn | taken


def _draw_to(number: int, folder: Path) -> None:
    """Draw the gallery's picture `number` into its file."""
    drawing = GALLERY[number]
    path = folder / file_of(drawing)
    if path.suffix == ".png":
        draw(drawing).save(path)
    else:
        draw(drawing).save(path, quality=92)


def make_demo(folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
    """Fill `folder`, which exists, with the demo's pictures and their `metadata.json`; `say` hears how far it is.

    What is there already is made anew, so a run that was cut short can be repeated.
    """
    total = len(GALLERY) + len(PHOTOS)
    for photo in PHOTOS:
        shutil.copyfile(photo.path(), folder / photo.name)
    said = json.dumps(notes(), indent=2, ensure_ascii=False)
    (folder / "metadata.json").write_text(said + "\n", encoding="utf-8")
    say(f"{len(PHOTOS)} of {total}")
    # spawned, for a fork would take along the threads that keep the terminal's line moving
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), mp_context=context) as pool:
        drawn = [pool.submit(_draw_to, number, folder) for number in range(len(GALLERY))]
        try:
            for done, drawing in enumerate(as_completed(drawn), start=len(PHOTOS) + 1):
                drawing.result()
                say(f"{done} of {total}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
