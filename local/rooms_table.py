"""The table of floors and rooms in `docs/how-it-works.md`, made from the contract that `lint-imports` checks and the
first line of each room.

    PYTHONPATH=shared .market/venv/bin/python -m local.rooms_table

writes it anew; a test holds it equal.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from local.layout import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-it-works.md"
_HEAD = "| Floor | Room | What lives there |\n|---|---|---|\n"


def table() -> str:
    """A row for each room, the top floor first."""
    return _HEAD + "".join(_rows())


def page(now: str) -> str:
    """The page with its table made anew."""
    before, found, rest = now.partition(_HEAD)
    _, blank, behind = rest.partition("\n\n")
    if not (found and blank):
        raise ValueError(f"{PAGE.name} has no place for the table")
    return f"{before}{table()}\n{behind}"


def _rows() -> Iterator[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (floors,) = (each for each in project["tool"]["importlinter"]["contracts"] if each["name"] == "floors")
    layers = floors["layers"]
    for place, rooms in enumerate(layers, start=1):
        for room in rooms.split(" | "):
            yield f"| {len(layers) - place} | `{room.removeprefix('imagemarket.')}` | {_first_line(room)} |\n"


def _first_line(room: str) -> str:
    if room == "functions":  # a folder of packages and none itself
        return "the Lambdas: parse, call one service, map the error"
    spec = find_spec(room)
    if spec is None or spec.origin is None:
        raise ValueError(f"{room} is no room")
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{room} does not say what lives there")
    return text.split("\n\n")[0].replace("\n", " ").removesuffix(".")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
