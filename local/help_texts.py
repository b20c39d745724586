"""What each command takes, as texts in `local/help` that `./market COMMAND --help` shows without an environment.

    .market/venv/bin/python -m local.help_texts

writes them anew; a test holds them equal to what the commands themselves say. `market.txt` and `test.txt` are written
by hand. `pytest.options` has every option of pytest and its plugins, so that `./market test` refuses others at once.
"""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout, suppress
from typing import Any
from unittest.mock import patch

from local import commands as market
from local.layout import REPOSITORY, Layout

FOLDER = REPOSITORY / "local" / "help"
BY_HAND = {"market", "test"}
_WIDTH = "80"
_ANY = Layout(made=FOLDER, state=FOLDER, port=8080)
"""What a command takes does not depend on it."""


def texts() -> dict[str, str]:
    """The generated texts by the command's words, joined by dashes."""
    with patch.dict(os.environ, COLUMNS=_WIDTH):
        return {**_own(), **_products()}


def _own() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, command in market.COMMANDS.items():
        if name not in BY_HAND:
            out = io.StringIO()
            with redirect_stdout(out), suppress(SystemExit):
                command(_ANY, ["--help"])
            found[name] = out.getvalue()
    return found


def _products() -> dict[str, str]:
    import typer.main

    from imagemarket.cli.app import app

    found: dict[str, str] = {}

    def tell(command: Any, words: list[str], parent: Any) -> None:
        context = command.context_class(command, info_name=words[-1], parent=parent)
        if len(words) > 1:
            found["-".join(words[1:])] = command.get_help(context).rstrip() + "\n"
        for name, below in getattr(command, "commands", {}).items():
            tell(below, [*words, name], context)

    with patch.object(app, "rich_markup_mode", None):  # plain words, without boxes
        tell(typer.main.get_command(app), ["./market"], None)
    return found


def pytest_options() -> list[str]:
    """Every option that pytest takes here, its plugins' too, in order."""
    import pytest

    class Asked:
        def pytest_cmdline_main(self, config: pytest.Config) -> int:
            self.options = sorted(config._parser.optparser._option_string_actions)  # noqa: SLF001 - its help hides some
            return 0

    asked = Asked()
    pytest.main(["-q"], plugins=[asked])
    return asked.options


def main() -> None:
    """Writes all that are generated, and removes what no command is of."""
    wanted = texts()
    for path in FOLDER.glob("*.txt"):
        if path.stem not in wanted and path.stem not in BY_HAND:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
    (FOLDER / "pytest.options").write_text("".join(f"{option}\n" for option in pytest_options()), encoding="utf-8")


if __name__ == "__main__":
    main()
