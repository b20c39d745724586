"""`imagemarket contact-sheet`: what the marketplace would make of every file in a folder, on one page or several."""

from __future__ import annotations

import io
import textwrap
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagemarket.cli.client import CliError
from imagemarket.cli.terminal import counted, say

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

    from imagemarket.imaging.sandbox import Inspector

_SUFFIXES = (".jpg", ".jpeg", ".png")
_EDGE, _GAP, _LINE = 300, 12, 17
_SMALL = 150
_LETTERS = (2 * _EDGE + _SMALL + 2 * _GAP) // 7
"""In a line of text, at the font's mean width."""
_PAPER, _INK, _FAINT, _BAD = (250, 250, 248), (25, 25, 25), (110, 110, 110), (176, 32, 32)
_SQUARE = 8
"""Side of the chequered ground's squares, on which one sees what can be seen through."""


@dataclass(frozen=True)
class Cell:
    """One file: what was made of it, or why nothing was."""

    name: str
    told: str
    refused: bool
    pictures: tuple[Image, ...] = ()
    """The clean rendition, the smallest one, and the marked preview."""


def contact_sheet(
    folder: Annotated[Path, typer.Argument(help="Searched to the bottom; hidden files are passed over.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="JPEG or PNG; further pages get a number.")] = Path(
        "contact-sheet.jpg"
    ),
    columns: Annotated[int, typer.Option(min=1, max=8, help="Files side by side.")] = 2,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Files below each other on a page.")] = 8,
) -> None:
    """Draw the renditions and the marked preview of every file in a folder, or the reason why it is refused.

    Nothing is uploaded: the files are processed here as the marketplace would process them.
    """
    from imagemarket.cli.pictures import PassedOver, files_below, readable
    from imagemarket.imaging.sandbox import Inspector

    if output.suffix.lower() not in _SUFFIXES:
        raise CliError(f"{output}: must end in one of {', '.join(_SUFFIXES)}")
    if not folder.is_dir():
        raise CliError(f"{folder}: there is no such folder")
    if not output.parent.is_dir():
        raise CliError(f"{output.parent}: there is no such folder")
    passed_over: list[PassedOver] = []
    files = sorted(
        path
        for path in files_below(folder, passed_over)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    for each in passed_over:
        say(f"passed over {each.name}: {each.reason}", err=True)
    if not files:
        raise CliError(f"{folder}: there are no files in it")
    with Inspector() as inspector:
        cells = [_cell(inspector, path, readable(path.relative_to(folder).as_posix())) for path in files]
    for number, page in enumerate(_pages(cells, columns=columns, rows=rows), start=1):
        target = output if number == 1 else output.with_stem(f"{output.stem}-{number}")
        try:
            page.save(target, quality=88)
        except OSError as error:
            raise CliError(f"{target}: cannot be written ({error.strerror or error})") from None
        say(str(target))
    refused = sum(cell.refused for cell in cells)
    say(f"{counted(len(cells), 'file')}, {len(cells) - refused} accepted, {refused} refused")


def _cell(inspector: Inspector, path: Path, name: str) -> Cell:
    """What there is to see of a file. Whatever it does to those who read it, the others have their cells."""
    from imagemarket.cli.pictures import not_a_file
    from imagemarket.imaging.sandbox import raised
    from imagemarket.platform.errors import MarketError

    told = not_a_file(path)
    if told is None:
        try:
            return _accepted(inspector, path, name)
        except MarketError as error:
            told = f"{error.slug}: {error.detail}"
        except OSError as error:
            told = f"it cannot be read ({error.strerror or error})"
        except Exception as error:  # noqa: BLE001 - of a library, in any way
            told = f"it cannot be processed, which is a bug of ours: {raised(error)}"
    return Cell(name, f"refused, {told}", refused=True)


def _accepted(inspector: Inspector, path: Path, name: str) -> Cell:
    from imagemarket.imaging.renditions import make_thumbnails
    from imagemarket.imaging.watermark import make_watermarked

    found = inspector.inspect(path)
    made = make_thumbnails(found.master) + make_watermarked(found.master, uuid.uuid4())
    by_kind = {(each.kind, each.long_edge): each for each in made if each.format == "webp"}
    shown = [by_kind["clean", 1000], by_kind["thumbnail", 150], by_kind["preview", 1000]]
    facts = [f"{found.format}, {found.width} x {found.height}", ", ".join(found.colours)]
    webp = sum(len(each.data) for each in made if each.kind != "preview" and each.format == "webp")
    facts.append(f"three WebP sizes {webp / 1000:.1f} KB")
    if found.technical.camera:
        facts.append(found.technical.camera)
    if found.technical.decoded_from:
        facts.append(f"from its {found.technical.decoded_from}")
    return Cell(
        name, "accepted: " + "; ".join(facts), refused=False, pictures=tuple(_read(each.data) for each in shown)
    )


def _read(data: bytes) -> Image:
    """A rendition as it looks, on a chequered ground where it can be seen through; no larger than it is shown."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGBA")
    picture.thumbnail((_EDGE, _EDGE), Image.Resampling.LANCZOS)
    ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    for left in range(0, picture.width, _SQUARE):
        for top in range((left // _SQUARE % 2) * _SQUARE, picture.height, 2 * _SQUARE):
            ground.paste((205, 205, 205, 255), (left, top, left + _SQUARE, top + _SQUARE))
    return Image.alpha_composite(ground, picture).convert("RGB")


def _pages(cells: Sequence[Cell], *, columns: int, rows: int) -> Iterator[Image]:
    from PIL import Image, ImageFont

    font = ImageFont.load_default(14)
    assert isinstance(font, ImageFont.FreeTypeFont)
    width = 2 * _EDGE + _SMALL + 4 * _GAP
    per_page = columns * rows
    for first in range(0, len(cells), per_page):
        lines = [cells[at : at + columns] for at in range(first, min(first + per_page, len(cells)), columns)]
        heights = [max(_height(cell) for cell in line) for line in lines]
        page = Image.new("RGB", (columns * width, sum(heights) + _GAP), _PAPER)
        top = _GAP
        for line, height in zip(lines, heights, strict=True):
            for column, cell in enumerate(line):
                _draw(page, cell, (column * width + _GAP, top), font)
            top += height
        yield page


def _words(cell: Cell) -> list[str]:
    return textwrap.wrap(cell.told, _LETTERS)


def _height(cell: Cell) -> int:
    pictures = max((picture.height + _GAP // 2 for picture in cell.pictures), default=0)
    return (1 + len(_words(cell))) * _LINE + pictures + 2 * _GAP


def _draw(page: Image, cell: Cell, at: tuple[int, int], font: FreeTypeFont) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(page)
    left, top = at
    draw.text((left, top), textwrap.shorten(cell.name, _LETTERS, placeholder=" ..."), fill=_INK, font=font)
    for line in _words(cell):
        top += _LINE
        draw.text((left, top), line, fill=_BAD if cell.refused else _FAINT, font=font)
    top += _LINE + _GAP // 2
    for picture, room in zip(cell.pictures, (_EDGE, _SMALL, _EDGE), strict=False):
        page.paste(picture, (left, top))
        left += room + _GAP
