"""`imagemarket users`: accounts, straight in the database."""

from __future__ import annotations

from typing import Annotated

import typer

from imagemarket.cli.stage import Stage, deployment
from imagemarket.cli.terminal import password_of, say

app = typer.Typer(name="users", help="Accounts, straight in the database.", no_args_is_help=True)


@app.callback()
def users() -> None:
    """Accounts, straight in the database."""


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Argument(help="The admin's e-mail address.")],
    name: Annotated[str, typer.Option(help="The name shown for the account.")] = "Administrator",
    promote: Annotated[
        bool, typer.Option("--promote", help="Make an existing account an admin; its password stays.")
    ] = False,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing when the account is an admin already.")
    ] = False,
    stage: Stage = "local",
) -> None:
    """Make an account that may do everything.

    The password of a new account is taken from MARKET_PASSWORD, or asked for; never from the command
    line, which other users of the machine can read.
    """
    from imagemarket.app import app

    with deployment(stage):
        identity = app().identity.service
        if if_missing and identity.is_admin(email):
            say(f"{email} is an admin already.")
            return
        password = None
        if not (promote and identity.exists(email)):
            password = password_of(email, twice=True)
        account = identity.create_admin(email=email, password=password, display_name=name, promote=promote)
    say(f"{account.email} is an admin (account {account.id}).")


@app.command("confirm")
def confirm(
    email: Annotated[str, typer.Argument(help="The account's e-mail address.")], stage: Stage = "local"
) -> None:
    """Take an account's e-mail address as confirmed, without a mail.

    News of its pictures are mailed to it from then on.
    """
    from imagemarket.app import app

    with deployment(stage):
        account = app().identity.service.confirm_by_operator(email)
    say(f"{account.email} is confirmed.")
