"""What is asked of a person at a terminal, and shown to one."""

from __future__ import annotations

import os
import warnings
from getpass import GetPassWarning

import typer

from imagemarket.cli.client import CliError, is_utf8
from imagemarket.platform.text import made_visible

PASSWORD_VARIABLE = "MARKET_PASSWORD"  # noqa: S105 - a variable's name


def password_of(account: str, *, twice: bool = False) -> str:
    """The password of an account: as the environment says, else as it is typed, `twice` for a new one. Raises
    `CliError` where there is no terminal to type it at."""
    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # else it shows the password, and lines of its own source
            password = password or typer.prompt(
                f"Password of {account}", hide_input=True, confirmation_prompt=twice, err=True
            )
    except GetPassWarning:
        raise CliError(f"there is no terminal to ask for the password of {account}; set {PASSWORD_VARIABLE}") from None
    if not is_utf8(password):
        raise CliError(f"the password of {account} is no UTF-8")
    return password


def say(text: str, *, err: bool = False, lines: bool = False) -> None:
    """Prints a line, or with `lines` several. What is told comes from files, their names and servers in part: what
    would steer a terminal, or deceive who reads it, is shown as its escape."""
    typer.echo(made_visible(text, lines=lines), err=err)


def cell(text: str) -> str:
    """A text as a rich table or line takes it: shown as it is."""
    from rich.markup import escape

    return escape(made_visible(text))


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def confirm(question: str) -> None:
    """Asks before what cannot be taken back. Raises `CliError` where nobody is there to answer."""
    try:
        typer.confirm(question, abort=True, err=True)
    except typer.Abort as aborted:
        if isinstance(aborted.__context__, EOFError):
            raise CliError("there is nobody to answer; --yes does it without asking. Nothing was done") from None
        raise
