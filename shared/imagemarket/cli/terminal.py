"""What is asked of a person at a terminal, and shown to one."""

from __future__ import annotations

import os
import warnings
from getpass import GetPassWarning

import typer

from imagemarket.cli.client import CliError, is_utf8

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
