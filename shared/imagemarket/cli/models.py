"""`imagemarket models`: the bundles that see pictures and read queries, and which of them is in use."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from imagemarket.cli.client import CliError
from imagemarket.cli.closed_pipe import shell_status
from imagemarket.cli.stage import Stage, deployment
from imagemarket.cli.terminal import say

app = typer.Typer(name="models", help="Model bundles, and which of them is in use.", no_args_is_help=True)


class Bundle(StrEnum):
    """What can be built."""

    LITE = "lite"
    CLIP = "clip-vit-l-14"
    DATACOMP = "clip-vit-l-14-datacomp"
    COCA = "coca-vit-l-14"


@app.callback()
def models() -> None:
    """Model bundles, and which of them is in use."""


@app.command("build")
def build(
    name: Annotated[Bundle, typer.Argument(help="Which bundle.")],
    out: Annotated[Path, typer.Option(help="The bundle's folder.", metavar="DIR")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="A CLIP or CoCa model's weights, in place of those from the hub.", exists=True)
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="The interpreter that has PyTorch, for CLIP models (docs/models.md).")
    ] = None,
) -> None:
    """Build a bundle; quick when it stands already. CLIP models take PyTorch, in an environment of its own.

    coca-vit-l-14 is no bundle but a captioner: --out is the folder `captioner` of the bundle that shall write
    sentences with it.
    """
    if find_spec("sagemaker") is None or find_spec("sagemaker.builders") is None:
        raise CliError("bundles are built by the programs of a clone: ./market models build")
    interpreter = str(python or sys.executable)
    if name is Bundle.LITE:
        command = [interpreter, "-m", "sagemaker.builders.lite", "--out", str(out)]
    else:
        builder = "captioner" if name is Bundle.COCA else "clip"
        command = [interpreter, "-m", f"sagemaker.builders.{builder}", name.value, "--out", str(out)]
        command += ["--checkpoint", str(checkpoint)] if checkpoint else []
    raise typer.Exit(shell_status(subprocess.run(command, check=False).returncode))  # noqa: S603


@app.command("list")
def list_models(stage: Stage = "local") -> None:
    """List the models that there are vectors of."""
    from imagemarket.app import app

    with deployment(stage):
        standings = app().search.reembedding().standings()
    for standing in standings:
        say(f"{standing.model_version}  {standing.pictures} pictures{'  in use' if standing.in_use else ''}")


@app.command("reembed")
def reembed(
    to: Annotated[str, typer.Option(help="The version to go over to; the endpoint must serve it.")],
    endpoint: Annotated[
        str | None, typer.Option(help="The endpoint that serves it; the deployment's own by default.")
    ] = None,
    switch: Annotated[bool, typer.Option(help="Use it when every picture has a vector.")] = True,
    stage: Stage = "local",
) -> None:
    """Give every picture another model's vector beside live traffic, then search by it.

    A run that was broken off goes on where it was.
    """
    from imagemarket.app import app

    def tell(made: int, refused: int) -> None:
        say(f"{made} vectors made" + (f", {refused} pictures refused" if refused else ""))

    with deployment(stage):
        reembedding = app().search.reembedding(endpoint)
        made = reembedding.run(to, tell) if switch else reembedding.fill(to, tell)
        app().resources.outbox_relay.drain()
    say(f"{made} vectors of {to} were made" + ("; searches compare them now." if switch else "."))
