"""`imagemarket upload`: a contributor's bulk uploader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.cli.client import URL_VARIABLE, MarketClient
from imagemarket.cli.stage import Stage, api_address
from imagemarket.cli.terminal import cell, counted, password_of
from imagemarket.platform.text import made_visible

if TYPE_CHECKING:
    from imagemarket.cli.pictures import PassedOver

_COLOURS = {
    "approved": "green",
    "there": "green",
    "pending_review": "yellow",
    "sent": "cyan",
    "skipped": "dim",
    "processing": "yellow",
}

_ROOM_FOR_ALL = 120
"""Columns from which reasons and ids have room beside names, which would break within words; else they stand below."""


def upload(
    paths: Annotated[list[Path], typer.Argument(metavar="FILES|DIR", help="Pictures, or folders of them.")],
    account: Annotated[str, typer.Option("--as", metavar="EMAIL", help="The contributor's account.")],
    url: Annotated[str | None, typer.Option(help=f"The API's address; {URL_VARIABLE} by default.")] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="JSON: file name to {title, description, tags, categories, credit, image_type, license_types}."
            " By default each folder's own metadata.json.",
        ),
    ] = None,
    image_type: Annotated[ImageType, typer.Option("--type", help="How the pictures were made.")] = ImageType.PHOTO,
    license_types: Annotated[
        list[LicenseType] | None,
        typer.Option("--license", help="A licence to offer; repeat for more, or a,b. [standard]"),
    ] = None,
    categories: Annotated[
        list[str] | None,
        typer.Option("--category", help="A category for pictures that name none; repeat for more, or a,b."),
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag for every picture; repeat for more, or a,b.")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Pictures sent at a time.")] = 4,
    journal: Annotated[
        Path | None, typer.Option(help="Where it remembers what arrived; in your state folder by default.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Stop waiting when no picture has ended for so long; 0: do not wait."
        ),
    ] = 900,
    again: Annotated[bool, typer.Option("--again", help="Send pictures anew that were rejected before.")] = False,
    stage: Stage = "local",
) -> None:
    """Send pictures, wait for what becomes of them, and say so in a table.

    The password is taken from MARKET_PASSWORD, or asked for. Title, description and keywords come from
    the metadata file, else from the picture's XMP, IPTC or EXIF (what a camera or a program wrote by
    itself is left out), else, the title, from its file name. Stopped or cut off, run it again: what has
    arrived is not sent again. The exit status is 1 when a picture did not make it.
    """
    from rich.console import Console

    from imagemarket.cli.journal import Journal, default_journal
    from imagemarket.cli.pictures import Defaults, categories_of_all, check_tags, find_pictures, tags_of_all
    from imagemarket.cli.uploader import Uploader, check_before_sending

    console = Console(stderr=True)
    defaults = Defaults(
        image_type=image_type,
        license_types=tuple(dict.fromkeys(license_types or (LicenseType.STANDARD,))),
        categories=categories_of_all(categories or ()),
        tags=tags_of_all(tags or ()),
    )
    pictures, passed_over = find_pictures(paths, metadata)
    check_tags(pictures, defaults)
    _say_passed_over(console, passed_over)
    if not pictures:
        console.print("There is no picture to upload.")
        raise typer.Exit(1)
    password = password_of(account)
    kept = Journal(journal or default_journal())
    try:
        for warning in kept.warnings:
            console.print(made_visible(warning), style="yellow", markup=False)
        with MarketClient(api_address(url, stage)) as client:
            client.sign_in(account, password)
            check_before_sending(client, pictures, defaults)
            shown = _Shown(console, pictures)
            uploader = Uploader(
                client, kept, shown, defaults=defaults, parallel=parallel, wait_seconds=wait, again=again
            )
            try:
                with shown:
                    outcomes = uploader.run(pictures)
            except KeyboardInterrupt:
                console.print("Stopped. Run it again to go on: what has arrived is remembered.")
                raise typer.Exit(130) from None
    finally:
        kept.close()
    _table(outcomes)
    if not all(outcome.is_good for outcome in outcomes):
        raise typer.Exit(1)


def _say_passed_over(console: Any, passed_over: Sequence[PassedOver]) -> None:
    """A line for each reason, with all the names that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for each in passed_over:
        by_reason.setdefault(each.reason, []).append(each.name)
    for reason, names in by_reason.items():
        told = f"Passed over, {reason}: {', '.join(names)}."
        console.print(made_visible(told), style="dim", markup=False, highlight=False)


class _Shown:
    """Two bars on the terminal: bytes sent, results in. Elsewhere, a line for each file that failed."""

    def __init__(self, console: Any, pictures: list[Any]) -> None:
        from rich import progress

        self._console = console
        self._bars = progress.Progress(
            progress.TextColumn("{task.description:9}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[count]}"),
            progress.TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._files = len(pictures)
        size = sum(picture.size_bytes for picture in pictures if picture.problem is None)
        self._bytes = self._bars.add_task("sending", total=max(1, size), count="")
        self._results = self._bars.add_task("results", total=self._files, count=f"0/{self._files}")
        self._arrived = self._ended = 0

    def __enter__(self) -> None:
        self._bars.start()

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def sent(self, count: int) -> None:
        self._bars.advance(self._bytes, count)

    def arrived(self) -> None:
        self._arrived += 1
        count = f"{self._arrived}/{self._files}"
        if self._arrived == self._files:  # what an earlier run sent was not counted in bytes
            total = next(task.total for task in self._bars.tasks if task.id == self._bytes)
            self._bars.update(self._bytes, completed=total, count=count)
        else:
            self._bars.update(self._bytes, count=count)

    def ended(self, outcome: Any) -> None:
        self._ended += 1
        self._bars.update(self._results, completed=self._ended, count=f"{self._ended}/{self._files}")
        if not outcome.is_good:
            self._console.print(f"[red]{cell(outcome.status)}[/red] {cell(outcome.name)}: {cell(outcome.reason)}")


def _table(outcomes: list[Any]) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    wide = console.width >= _ROOM_FOR_ALL
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("status", no_wrap=True)
    if wide:
        table.add_column("reason", overflow="fold")
        table.add_column("image id", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for each in outcomes:
        colour = _COLOURS.get(each.status, "red")
        name, *more = cell(each.name), cell(each.reason), cell(each.image_id or "")
        if not wide:
            name, more = "\n  ".join(filter(None, [name, *more])), []
        seconds = "" if each.seconds is None else f"{each.seconds:.1f}"
        table.add_row(name, f"[{colour}]{cell(each.status)}[/{colour}]", *more, seconds)
    console.print(table)
    by_status = Counter(each.status for each in outcomes)
    console.print(
        f"{counted(len(outcomes), 'file')}: "
        + ", ".join(f"{number} {cell(status)}" for status, number in by_status.most_common())
    )
