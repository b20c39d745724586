"""`imagemarket`: the marketplace's command line."""

from __future__ import annotations

import sys

import typer

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
from imagemarket.cli.client import CliError
from imagemarket.platform.telemetry import logger

app = typer.Typer(
    name="imagemarket",
    help="The marketplace's command line: try pictures out, upload and find them, look after what died.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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
    try:
        app()
    except CliError as error:
        typer.echo(f"imagemarket: {error}", err=True)
        sys.exit(1)
