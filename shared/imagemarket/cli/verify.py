"""`imagemarket verify`: reads everything back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from imagemarket.cli.catalogue import show
from imagemarket.cli.stage import Stage, deployment
from imagemarket.cli.terminal import say


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    checksums: Annotated[
        bool, typer.Option("--checksums/--no-checksums", help="Read every object, or only look for it.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each difference.")] = False,
    stage: Stage = "local",
) -> None:
    """Read back everything that is kept of images (rows, objects by checksum, renditions, vectors, documents), and
    list what differs. The exit status is 1 where something is left to mend.

    A rendition or vector that is lost is made again from the original by another run of the saga; until that has
    ended the image is not shown.
    """
    from imagemarket.app import app

    found = []
    with deployment(stage):
        for difference in app().operations.consistency_check.run(repair=repair, checksums=checksums):
            found.append(difference)
            if as_json:
                typer.echo(json.dumps(asdict(difference), default=str))
    if not as_json:
        words = {None: "", True: "mended", False: "cannot be mended here"}
        if found:
            show(
                ("image id", "what", "detail", ""),
                [(str(each.image_id or ""), each.kind, each.detail, words[each.mended]) for each in found],
            )
        kinds = Counter(each.kind for each in found)
        say(
            ", ".join(f"{kind}: {number}" for kind, number in sorted(kinds.items())) or "Everything is as it should be."
        )
    if any(not each.mended for each in found):
        raise typer.Exit(1)
