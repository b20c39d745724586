"""The tables of `docs/settings.md` that say what functions read, made from the settings of each room.

    .market/venv/bin/python -m local.settings_page

writes them anew; a test holds them equal to the settings themselves.
"""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo

from imagemarket.platform.settings import RoomSettings, settings_classes
from local.layout import REPOSITORY

PAGE = REPOSITORY / "docs" / "settings.md"
_BEFORE = "Secrets never stand in the environment: `…_SECRET_ARN` names where one is kept.\n\n"
_BEHIND = "## What `./market` reads"


def tables() -> str:
    """A table for each room that has settings, the platform's first."""
    return "\n".join(_table(each) for each in settings_classes())


def page(now: str) -> str:
    """The page with its tables made anew."""
    before, found, rest = now.partition(_BEFORE)
    _, found_behind, behind = rest.partition(_BEHIND)
    if not (found and found_behind):
        raise ValueError(f"{PAGE.name} has no place for the tables")
    return f"{before}{_BEFORE}{tables()}\n{_BEHIND}{behind}"


def _table(settings: type[RoomSettings]) -> str:
    room = settings.__module__.split(".")[1]
    rows = [_row(name, field) for name, field in settings.model_fields.items()]
    return "\n".join([f"### {room}", "", "| Variable | Meaning | Default |", "|---|---|---|", *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split()).removesuffix(".")
    return f"| `MARKET_{name.upper()}` | {meaning} |{_default(field.default)} |"


def _default(value: Any) -> str:
    if value == "":
        return ""
    return f" `{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
