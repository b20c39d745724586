"""A page of results as one picture: a contact sheet, and a viewer for it where there is one."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 300
"""Pixels of the square that a thumbnail stands in."""
_CAPTION = 44
_GAP = 12
_COLUMNS = 5
_PAPER, _INK, _FAINT = (24, 24, 26), (238, 238, 238), (150, 150, 155)
_FETCHED_AT_ONCE = 8
_MAX_THUMBNAIL_BYTES = 2_000_000

Result = Mapping[str, Any]


def draw(results: Sequence[Result], fetch: Callable[[str], bytes]) -> Image:
    """The results in rows of five, each with its number, title and score; one whose thumbnail cannot be had stays
    an empty square that says so. `fetch` gets the bytes of a URL."""
    from PIL import Image, ImageDraw, ImageFont

    columns = min(_COLUMNS, max(1, len(results)))
    rows = -(-max(1, len(results)) // columns)
    step, line = CELL + _GAP, CELL + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * step + _GAP, rows * line + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(15), ImageFont.load_default(12)
    pool = ThreadPoolExecutor(_FETCHED_AT_ONCE)
    try:
        thumbnails = list(pool.map(lambda result: _thumbnail(result, fetch), results))
    finally:  # interrupted, it leaves what is under way to whoever fetches
        pool.shutdown(wait=False, cancel_futures=True)
    for place, (result, thumbnail) in enumerate(zip(results, thumbnails, strict=True)):
        left, top = _GAP + place % columns * step, _GAP + place // columns * line
        if thumbnail is None:
            pen.rectangle((left, top, left + CELL, top + CELL), outline=_FAINT)
            pen.text((left + 10, top + 10), "no thumbnail", fill=_FAINT, font=small)
        else:
            sheet.paste(thumbnail, (left + (CELL - thumbnail.width) // 2, top + (CELL - thumbnail.height) // 2))
        title = _fitting(f"{place + 1}  {result['title']}", lambda text: font.getlength(text) <= CELL)
        pen.text((left, top + CELL + 4), title, fill=_INK, font=font)
        pen.text((left, top + CELL + 24), f"{result['score']:.3f}   {result['id']}", fill=_FAINT, font=small)
    return sheet


def _thumbnail(result: Result, fetch: Callable[[str], bytes]) -> Image | None:
    from PIL import Image, UnidentifiedImageError

    jpegs = [each for each in result["renditions"] if each["format"] == "jpeg"]
    if not jpegs:
        return None
    best = max(jpegs, key=lambda each: each["width"])
    try:
        data = fetch(best["url"])
        if len(data) > _MAX_THUMBNAIL_BYTES:
            return None
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as opened:
            picture = opened.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError):
        return None
    picture.thumbnail((CELL, CELL))
    return picture


def _fitting(text: str, fits: Callable[[str], bool]) -> str:
    if fits(text):
        return text
    while text and not fits(f"{text}\u2026"):
        text = text[:-1]
    return f"{text}\u2026"


def viewer() -> str | None:
    """The program that shows a picture on this machine; None where there is no screen or no such program."""
    if sys.platform == "darwin":
        return shutil.which("open")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    return shutil.which("xdg-open")


def show(path: Path) -> bool:
    """Hands the file to the viewer and goes on; False where there is none."""
    program = viewer()
    if program is None:
        return False
    subprocess.Popen(  # noqa: S603 - our own file, no shell
        [program, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return True
