"""`imagemarket search`: finding pictures, and looking after the engines that find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from imagemarket.cli import catalogue
from imagemarket.cli.stage import Stage, deployment
from imagemarket.cli.terminal import say

if TYPE_CHECKING:
    from imagemarket.search.indexing.reindex import Differences


class _FindByDefault(TyperGroup):
    """`search a red boat` is `search find a red boat`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["find", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="search",
    cls=_FindByDefault,
    help="Find pictures: search a red boat. And look after the engines that find them. A search for a word that is a "
    "command here takes find: search find verify.",
    no_args_is_help=True,
)
app.command("find", context_settings={"ignore_unknown_options": True})(catalogue.search)

Engine = Annotated[str | None, typer.Option(help="One engine alone; all that this stage uses by default.")]


@app.command()
def reindex(engine: Engine = None, stage: Stage = "local") -> None:
    """Make an engine's index anew from the database, beside the one that serves, and put it in its place."""
    _each(stage, engine, reindexing=True, repair=True)


@app.command()
def verify(
    engine: Engine = None,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what differs.")] = False,
    stage: Stage = "local",
) -> None:
    """Hold an engine's index against the database; status 1 when they differ and were not repaired."""
    if _each(stage, engine, reindexing=False, repair=repair) and not repair:
        raise typer.Exit(1)


def _each(stage: str, engine: str | None, *, reindexing: bool, repair: bool) -> bool:
    """Whether any engine differed."""
    from imagemarket.app import app

    differ = False
    with deployment(stage):
        maintenance = app().search.maintenance
        for name in [engine] if engine else maintenance.engines:
            found = maintenance.reindex(name) if reindexing else maintenance.verify(name, repair=repair)
            say(_told(name, found, repaired=repair))
            differ = differ or found.any
    return differ


def _told(name: str, found: Differences, *, repaired: bool) -> str:
    kinds = ("missing", "outdated", "differing", "newer_than_source", "orphans")
    counts = ", ".join(f"{getattr(found, kind)} {kind.replace('_', ' ')}" for kind in kinds)
    ending = " (repaired, but for those newer than the source)" if repaired and found.any else ""
    return f"{name}: {found.seen} approved images; {counts}{ending}."
