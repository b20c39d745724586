"""`imagemarket`: the marketplace's command line."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperGroup

from imagemarket.cli import (
    catalogue,
    contact_sheet,
    dead_letters,
    images,
    models,
    search,
    upload,
    users,
    verify,
    watermark,
)
from imagemarket.cli.client import CliError, is_utf8
from imagemarket.cli.closed_pipe import until_nobody_reads
from imagemarket.cli.terminal import say
from imagemarket.platform.telemetry import logger
from imagemarket.platform.text import made_visible
from imagemarket.platform.validation import sentence_of, shown


def _hold_to_what_says_something(command: Any) -> None:
    """Refuses, wherever a command takes them, an empty name for a file (a path made of it is the current folder, and
    `"$DIR"` may be unset) and words that no JSON can carry. An option that may be repeated takes commas as well, as the
    API's `fields` does."""
    for below in getattr(command, "commands", {}).values():
        _hold_to_what_says_something(below)
    for parameter in command.params:
        parameter.process_value = _only_of_words(parameter)


def _only_of_words(parameter: Any) -> Any:
    process = parameter.process_value
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    is_path = Path in {kind, *get_args(kind)}
    repeated = getattr(parameter, "multiple", False)

    def process_value(context: Any, value: Any) -> Any:
        if repeated and value:
            value = [part.strip() for word in value for part in word.split(",")]
        for word in value if isinstance(value, (list, tuple)) else [value]:
            if not isinstance(word, str):
                continue
            if is_path and not word:
                raise typer.BadParameter("an empty name is no file or folder", ctx=context, param=parameter)
            if not is_path and not is_utf8(word):
                raise typer.BadParameter(f"'{shown(word)}' is no UTF-8", ctx=context, param=parameter)
        return process(context, value)

    return process_value


class _Commands(TyperGroup):
    """Says in our words what is wrong with a value: typer reads them with pydantic, and repeats its."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        _hold_to_what_says_something(self)

    def invoke(self, ctx: Any) -> Any:
        from pydantic import ValidationError

        try:
            return super().invoke(ctx)
        except typer.BadParameter as refused:
            if isinstance(refused.__cause__, ValidationError):
                first = refused.__cause__.errors()[0]
                value, sentence = repr(shown(str(first["input"]))), sentence_of(first)
                refused.message = sentence if sentence.startswith(value) else f"{value} {sentence}"
            refused.message = made_visible(refused.message)
            raise


app = typer.Typer(
    name="imagemarket",
    cls=_Commands,
    help="The marketplace's command line: try pictures out, upload and find them, look after what died.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    from importlib.metadata import PackageNotFoundError, version

    if not asked:
        return
    try:
        say(f"imagemarket {version('imagemarket')}")
    except PackageNotFoundError:
        say("imagemarket, of a clone")
    raise typer.Exit


@app.callback()
def imagemarket(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """The marketplace's command line: try pictures out, upload and find them, look after what died."""


app.add_typer(users.app, name="users")
app.add_typer(dead_letters.app, name="dlq")
app.add_typer(images.app, name="images")
app.add_typer(models.app, name="models")
app.add_typer(watermark.app, name="watermark")
app.command("upload")(upload.upload)
app.add_typer(search.app, name="search")
app.command("contact-sheet")(contact_sheet.contact_sheet)
app.command("verify")(verify.verify)
app.command("categories")(catalogue.categories)


def main() -> None:
    """Runs the command line; what a person can put right is one line on stderr and status 1."""
    logger.setLevel("ERROR")  # a person reads this terminal, and stdout is for answers
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a title is told also where the terminal has not its letters
    sys.exit(until_nobody_reads(_run))


def _run() -> int:
    try:
        app()
    except CliError as error:
        say(f"imagemarket: {error}", err=True)
        return 1
    return 0
