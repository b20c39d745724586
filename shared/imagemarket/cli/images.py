"""`imagemarket images`: pictures that need a person, straight in the deployment."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from imagemarket.cli.catalogue import show
from imagemarket.platform.errors import MarketError

app = typer.Typer(name="images", help="Pictures that need a person, straight in the deployment.", no_args_is_help=True)


@app.callback()
def images() -> None:
    """Pictures that need a person, straight in the deployment."""


@app.command("stuck")
def stuck(
    settle: Annotated[bool, typer.Option("--settle", help="Do at once what the sweeper would do next.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show images in processing that nothing carries on, how their executions stand, and what will be done.

    `resume` starts an execution that never was; `replay` starts the next run, which goes on after the steps that
    succeeded; `fail` states the reason. The sweeper does it by itself every few minutes.
    """
    from imagemarket import wiring

    try:
        found = wiring.execution_sweeper().stuck()
        done = wiring.execution_sweeper().run() if settle else None
    except MarketError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(1) from error
    rows = [
        {
            "image_id": str(each.job.image_id),
            "run": each.job.run,
            "last_heard": each.last_heard.isoformat(timespec="seconds"),
            "execution": each.execution.value if each.execution else "none",
            "action": each.action,
        }
        for each in found
    ]
    if as_json:
        typer.echo(json.dumps({"stuck": rows, "done": done}, indent=2))
        return
    if rows:
        show(("image id", "run", "last heard", "execution", "action"), [tuple(map(str, row.values())) for row in rows])
    else:
        typer.echo("No image is stuck.")
    if done is not None:
        typer.echo(", ".join(f"{outcome.replace('_', ' ')}: {number}" for outcome, number in done.items()))
