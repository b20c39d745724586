"""`imagemarket watermark`: whose image a found file is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from imagemarket.cli.client import URL_VARIABLE, ApiProblem, CliError, MarketClient
from imagemarket.cli.stage import STAGE_VARIABLE, api_address
from imagemarket.cli.terminal import say

if TYPE_CHECKING:
    from PIL.Image import Image

NO_MARK = 3
"""Exit status when the file carries no mark that can be read."""

LOOKALIKES = 60
"""So many of the market's pictures that look like the found one are tried as what it may come from. The model sees the
visible mark as well, which other pictures do not have: of previews turned by 4 degrees, among 120 photos, 36 of 40 had
their own image among the nearest 12 by the local model, 39 among the nearest 60."""

_SENT_LONG_EDGE = 1000
"""Pixels on the long edge of the picture that is searched by; models look at less."""
_LEAST_CORRELATION = 0.5
"""Of the brightness of a copy and what it was made from; pictures of other things are about 0."""

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
    stage: Annotated[
        str | None, typer.Option(envvar=STAGE_VARIABLE, help="The deployment whose API is asked, in place of --url.")
    ] = None,
) -> None:
    """Read which image a found picture was made from.

    Prints the image's id; where an API is known (--url or MARKET_URL) also its title and contributor. A picture of
    which nothing is read as it is (turned by some degrees, stretched) is then searched by, and laid over the market's
    pictures that look like it. Exits with status 3 when no mark is found: the picture is none of ours, or too little
    of it is left.
    """
    address = url or os.environ.get(URL_VARIABLE)
    if stage and stage != "local":
        address = api_address(url, stage)
    found = _read(_opened(file), against, address)
    if found.image_id is None:
        if as_json:
            typer.echo(json.dumps({"image_id": None, "lies_over": found.lies_over}))
        else:
            say(_nothing(found, against, address), err=True)
        raise typer.Exit(NO_MARK)
    image = _image(found.image_id, address) if address else None
    if as_json:
        told = {"image_id": found.image_id, "scale": found.scale, "upright": found.upright, "image": image}
        typer.echo(json.dumps(told, indent=2))
        return
    say(f"image {found.image_id}")
    if image:
        say(f"“{image['title']}” by {image['contributor']['name']}")
    elif address:
        say("The market does not show this image (any more).")
    if found.scale is not None:
        size = f"{found.scale:.0%} of the preview's size"
        say(f"The copy has {size}{'' if found.upright else ' and is mirrored or turned'}.")


@dataclass(frozen=True)
class _Found:
    """What was read of a found picture."""

    image_id: str | None
    scale: float | None = None
    """Pixels of the copy to one of the preview; None where it was laid over a known picture first."""
    upright: bool | None = None
    lies_over: str | None = None
    """The image of the market that the picture shows, though no mark could be read of it."""


def _read(picture: Image, against: str | None, address: str | None) -> _Found:
    """Laid over the picture that was named, then blind, then laid over those of the market that look like it."""
    from imagemarket.imaging.invisible_watermark import read_identity

    if against is not None:
        laid = _aligned(picture, _known(against, address))
        if laid is not None and (image_id := read_identity(laid).image_id):
            return _Found(image_id)
    reading = read_identity(picture)
    if reading.image_id is not None:
        scale = None if reading.scale is None else round(reading.scale, 3)
        return _Found(reading.image_id, scale, reading.upright)
    lies_over = None
    if against is None and address is not None:
        say(f"No mark is read as it is; laying it over up to {LOOKALIKES} pictures that look like it …", err=True)
        for candidate, preview in _lookalikes(picture, address):
            laid = _aligned(picture, preview)
            if laid is None:
                continue
            if image_id := read_identity(laid).image_id:
                return _Found(image_id)
            if lies_over is None and _shows_the_same(laid, preview):
                lies_over = candidate
    return _Found(None, lies_over=lies_over)


def _nothing(found: _Found, against: str | None, address: str | None) -> str:
    if found.lies_over:
        return (
            f"No mark was found, but the picture lies over image {found.lies_over}: it may be made from the original."
        )
    if against is not None:
        return "No mark was found."
    if address is None:
        return f"No mark was found. --url (or {URL_VARIABLE}) looks for its like in a market; --against names it."
    return f"No mark was found, nor a picture on show that it lies over ({LOOKALIKES} were tried)."


def _lookalikes(picture: Image, address: str) -> Iterator[tuple[str, Image]]:
    """Ids and previews of the market's pictures that look like this one, the nearest first."""
    import io

    from PIL.Image import Resampling

    small = picture.copy()
    small.thumbnail((_SENT_LONG_EDGE, _SENT_LONG_EDGE), Resampling.LANCZOS)
    sent = io.BytesIO()
    small.save(sent, "JPEG", quality=90)
    with MarketClient(address) as client:
        page = client.post(
            "/v1/search/by-image",
            # the nearest, however far: turned and cropped, its likeness may be below that of what people call alike
            params={"limit": LOOKALIKES, "fields": "id", "min_score": 0},
            content=sent.getvalue(),
            headers={"content-type": "image/jpeg"},
        )
        for hit in page["results"]:
            yield hit["id"], _preview(client, hit["id"])


def _shows_the_same(laid: Image, known: Image) -> bool:
    """Whether both are light and dark in the same places: a few points may agree by chance, whole pictures do not."""
    import numpy as np

    one, other = (np.asarray(each.convert("L").resize((64, 64)), dtype=np.float64).ravel() for each in (laid, known))
    if min(one.std(), other.std()) == 0:
        return False
    return float(np.corrcoef(one, other)[0, 1]) >= _LEAST_CORRELATION


def _opened(file: Path) -> Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise CliError(f"{file}: not a picture that can be read") from error


def _aligned(picture: Image, known: Image) -> Image | None:
    from PIL.Image import Resampling

    from imagemarket.imaging.feature_matching import ALIGNED_LONG_EDGE, align

    known.thumbnail((ALIGNED_LONG_EDGE, ALIGNED_LONG_EDGE), Resampling.LANCZOS)  # as the preview was
    return align(picture, known)


def _known(against: str, address: str | None) -> Image:
    """The picture of a file, or the preview of an image of the market."""
    if Path(against).is_file():
        return _opened(Path(against))
    try:
        image_id = str(UUID(against))
    except ValueError:
        raise CliError(f"--against {against}: neither a file nor an image id") from None
    if address is None:
        raise CliError(f"--against {against}: say which market the image is in with --url or {URL_VARIABLE}")
    with MarketClient(address) as client:
        return _preview(client, image_id)


def _preview(client: MarketClient, image_id: str) -> Image:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(client.picture(f"/v1/images/{image_id}/preview"))) as opened:
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
