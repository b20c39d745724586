"""`imagemarket watermark`: whose image a found file is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from imagemarket.cli.client import URL_VARIABLE, ApiProblem, CliError, MarketClient

if TYPE_CHECKING:
    from PIL.Image import Image

NO_MARK = 3
"""Exit status when the file carries no mark that can be read."""

app = typer.Typer(name="watermark", help="The unseen mark of previews.", no_args_is_help=True)


@app.callback()
def watermark() -> None:
    """The unseen mark of previews."""


@app.command("read")
def read(
    file: Annotated[Path, typer.Argument(help="The picture that was found.", exists=True, dir_okay=False)],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|IMAGE_ID",
            help="The picture it may come from: the original or preview as a file, or an image of the market, whose"
            " preview is fetched. The found picture is laid over it first, so it may be turned, stretched or cut in"
            " any way.",
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help=f"The API that is asked who the image belongs to; {URL_VARIABLE} by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Read which image a found picture was made from.

    Prints the image's id; where an API is known (--url or MARKET_URL) also its title and contributor. Exits with
    status 3 when no mark is found: the picture is none of ours, or too little of it is left.
    """
    from imagemarket.imaging.identity_mark import read_identity

    address = url or os.environ.get(URL_VARIABLE)
    picture = _opened(file)
    laid = None if against is None else _aligned(picture, _known(against, address))
    reading = None if laid is None else read_identity(laid)
    aligned = reading is not None and reading.image_id is not None
    if reading is None or not aligned:
        reading = read_identity(picture)
    if reading.image_id is None:
        if as_json:
            typer.echo(json.dumps({"image_id": None}))
        else:
            typer.echo("No mark was found." + ("" if against else " --against the original may help."), err=True)
        raise typer.Exit(NO_MARK)
    found: dict[str, Any] = {
        "image_id": reading.image_id,
        "scale": None if aligned or reading.scale is None else round(reading.scale, 3),
        "upright": None if aligned else reading.upright,
        "image": _image(reading.image_id, address) if address else None,
    }
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"image {reading.image_id}")
    if found["image"]:
        typer.echo(f"“{found['image']['title']}” by {found['image']['contributor']['name']}")
    elif address:
        typer.echo("The market does not show this image (any more).")
    if not aligned:
        size = f"{reading.scale:.0%} of the preview's size"
        typer.echo(f"The copy has {size}{'' if reading.upright else ' and is mirrored or turned'}.")


def _opened(file: Path) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise CliError(f"{file}: not a picture that can be read") from error


def _aligned(picture: Image, known: Image) -> Image | None:
    from PIL.Image import Resampling

    from imagemarket.imaging.matching import ALIGNED_LONG_EDGE, align

    known.thumbnail((ALIGNED_LONG_EDGE, ALIGNED_LONG_EDGE), Resampling.LANCZOS)  # as the preview was
    return align(picture, known)


def _known(against: str, address: str | None) -> Image:
    """The picture of a file, or the preview of an image of the market."""
    import io

    from PIL import Image

    if Path(against).is_file():
        return _opened(Path(against))
    try:
        image_id = UUID(against)
    except ValueError:
        raise CliError(f"--against {against}: neither a file nor an image id") from None
    if address is None:
        raise CliError(f"--against {against}: say which market the image is in with --url or {URL_VARIABLE}")
    with MarketClient(address) as client:
        preview = client.picture(f"/v1/images/{image_id}/preview")
    with Image.open(io.BytesIO(preview)) as opened:
        return opened.convert("RGB")


def _image(image_id: str, address: str) -> dict[str, Any] | None:
    """What the market shows of the image, if it shows it."""
    with MarketClient(address) as client:
        try:
            detail = client.get(f"/v1/images/{image_id}")
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
    return {"title": detail["title"], "contributor": detail["contributor"]}
