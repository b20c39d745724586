"""`imagemarket search` and `imagemarket categories`: what anybody may see."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.cli.client import URL_VARIABLE, Connections, MarketClient
from imagemarket.cli.stage import Stage, api_address
from imagemarket.cli.terminal import cell, say

Url = Annotated[str | None, typer.Option(help=f"The API's address; {URL_VARIABLE} by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer instead of a table.")]


class Mode(StrEnum):
    """How a query is matched: its words, its meaning, or both."""

    KEYWORD = "keyword"
    SEMANTIC = "semantic"
    HYBRID = "hybrid"


def search(
    query: Annotated[
        list[str],
        typer.Argument(help="What to find, in words; a minus leaves out what stands behind it: beach -people."),
    ],
    mode: Annotated[Mode | None, typer.Option(help="Match words, meaning, or both.")] = None,
    category: Annotated[str | None, typer.Option(help="Only this category (see `categories`).")] = None,
    orientation: Annotated[str | None, typer.Option(help="Only landscape, portrait or square.")] = None,
    color: Annotated[str | None, typer.Option(help="Only pictures with much of this colour.")] = None,
    image_type: Annotated[ImageType | None, typer.Option("--type", help="Only this kind of picture.")] = None,
    license_type: Annotated[LicenseType | None, typer.Option("--license", help="Only with this licence.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many to show.")] = 10,
    open_sheet: Annotated[
        bool, typer.Option("--open", help="Draw the results as a contact sheet, and show it where a viewer is.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Where the contact sheet goes, a PNG.")] = None,
    url: Url = None,
    as_json: AsJson = False,
    stage: Stage = "local",
) -> None:
    """Find approved pictures."""
    # Words behind a minus reach this as unknown options do, and so does an option that is misspelt.
    if misspelt := next((word for word in query if word.startswith("--") and " " not in word), None):
        raise typer.BadParameter(f"No such option: {misspelt}")
    wanted = {
        "q": " ".join(query),
        "mode": mode,
        "category": category,
        "orientation": orientation,
        "color": color,
        "type": image_type,
        "license": license_type,
        "limit": limit,
    }
    with MarketClient(api_address(url, stage)) as client:
        answer = client.get("/v1/search", params={name: value for name, value in wanted.items() if value is not None})
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    for line in _remarks(answer):
        say(line)
    if not answer["results"]:
        say("Nothing found.")
        return
    rows = [
        (
            str(rank),
            each["title"],
            f"{each['score']:.3f}" if each.get("score") is not None else "",
            ", ".join(each.get("categories") or []),
            _name(each.get("contributor")),
            each["id"],
        )
        for rank, each in enumerate(answer["results"], start=1)
    ]
    show(("#", "title", "score", "categories", "contributor", "image id"), rows)
    say(f"{len(rows)} of about {answer.get('estimated_total', len(rows))} ({answer.get('mode', '')})")
    if open_sheet or sheet:
        _results_sheet(answer["results"], sheet, show=open_sheet)


def _remarks(answer: dict[str, Any]) -> list[str]:
    """What the search made of the words, and what is missing from the answer."""
    lines = []
    if spelling := answer.get("spelling"):
        lines.append(
            f"Showing results for \u201c{spelling['searched']}\u201d instead of \u201c{spelling['asked']}\u201d."
        )
    lines += [
        f"\u201c{each['words']}\u201d: {each['parameter']} {each['value']} ({each['effect']})"
        for each in answer.get("interpreted") or []
    ]
    lines += [f"{each['part']}: {each['effect']}" for each in answer.get("degraded") or []]
    return lines


def _results_sheet(results: list[dict[str, Any]], path: Path | None, *, show: bool) -> None:
    import tempfile

    import httpx

    from imagemarket.cli import results_sheet

    connections = Connections()
    with httpx.Client(timeout=20, follow_redirects=True, event_hooks=connections.hooks) as client:

        def fetch(address: str) -> bytes:
            try:
                return client.get(address).raise_for_status().content
            except httpx.HTTPError as error:
                raise OSError(str(error)) from error

        try:
            drawn = results_sheet.draw(results, fetch)
        except KeyboardInterrupt:
            connections.end()
            raise
    if path is None:
        path = Path(tempfile.mkdtemp(prefix="imagemarket-")) / "search.png"
    drawn.save(path, "PNG")
    seen = show and results_sheet.show(path)
    say(f"Contact sheet: {path}{' (opened)' if seen else ''}")


def categories(url: Url = None, as_json: AsJson = False, stage: Stage = "local") -> None:
    """List the categories that a picture can have."""
    with MarketClient(api_address(url, stage)) as client:
        answer = client.get("/v1/categories")["items"]
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    show(("slug", "name"), [(each["slug"], each["name"]) for each in answer])


def _name(contributor: Any) -> str:
    if isinstance(contributor, dict):
        return contributor.get("name") or contributor.get("display_name") or ""
    return contributor or ""


def show(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table; wide enough for ids where nobody looks at a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=head != "title", overflow="fold" if head == "title" else "ellipsis")
    for row in rows:
        table.add_row(*(cell(each) for each in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)
