"""Which deployment a command works on: its settings and addresses, from its stacks' outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from imagemarket.cli.client import DEFAULT_URL, URL_VARIABLE, CliError
from imagemarket.platform.errors import MarketError
from imagemarket.platform.settings import MissingSetting

STAGE_VARIABLE = "MARKET_STAGE"
SETTINGS_OUTPUT = "CommandSettings"
"""Output of the stack of operations: the settings that the commands read, as a JSON object of texts."""
_GIVEN = "MARKET_DATABASE_SECRET_ARN"
"""Whoever sets the settings of a stage by hand sets this one, which every command reads that needs any."""
_CLONE = "MARKET_CLONE"
"""Set by `./market` alone, to the clone whose variables these are."""

Stage = Annotated[
    str,
    typer.Option(
        envvar=STAGE_VARIABLE,
        help="The deployment, by the name of its stage; local is the only stage yet. AWS credentials and region as for"
        " the aws command.",
    ),
]


@contextmanager
def deployment(stage: str) -> Iterator[None]:
    """The composition root works on a stage inside; what it, its settings and AWS refuse becomes one line.

    Raises `CliError`.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    use_stage(stage)
    try:
        yield
    except MarketError as error:
        raise CliError(error.detail) from error
    except MissingSetting as error:
        raise CliError(f"{error}: set it, or run the command where the stacks of stage {stage!r} tell it") from error
    except (ClientError, BotoCoreError) as error:
        raise CliError(f"AWS refused: {error}") from error


def use_stage(stage: str) -> None:
    """Gives the composition root the settings of a stage. What is set for this stage already wins.

    Raises `CliError` when the stage is not deployed where the credentials lead.
    """
    _use_region()
    another = _stage_of_settings(stage) != stage
    if not another and os.environ.get(_GIVEN):
        os.environ[STAGE_VARIABLE] = stage
        return
    if stage == "local":
        raise CliError(
            "no settings are given: this machine's cloud is reached by ./market and the same words; a stage on AWS"
            " takes --stage, with AWS_PROFILE and AWS_REGION"
        )
    found = _settings_of(stage)
    if another:
        for name in [name for name in os.environ if name.startswith("MARKET_") and name != "MARKET_PASSWORD"]:
            del os.environ[name]  # they are those of the other stage
    os.environ.update({name: value for name, value in found.items() if not os.environ.get(name)})
    os.environ[STAGE_VARIABLE] = stage


def api_address(url: str | None, stage: str) -> str:
    """Where the API of a stage is: as said, else as the environment says of this stage, else as its stacks do.

    Raises `CliError`.
    """
    if url:
        return url
    known = os.environ.get(URL_VARIABLE)
    if known and _stage_of_settings(stage) == stage:
        return known
    return DEFAULT_URL if stage == "local" else _settings_of(stage)["MARKET_PUBLIC_BASE_URL"]


def _use_region() -> None:
    """The region as the `aws` command reads it: boto3 knows `AWS_DEFAULT_REGION` alone."""
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region


def _stage_of_settings(stage: str) -> str:
    """Whose the settings in the environment are; where nothing says so, this stage's.

    Those that `./market env` printed are this machine's, whatever stage is named beside them later.
    """
    return "local" if os.environ.get(_CLONE) else os.environ.get(STAGE_VARIABLE) or stage


def _settings_of(stage: str) -> dict[str, str]:
    """The `MARKET_*` variables that the stacks of a stage tell."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    _use_region()
    try:
        client = boto3.client("cloudformation")
        (described,) = client.describe_stacks(StackName=f"imagemarket-{stage}-operations")["Stacks"]
    except (ClientError, BotoCoreError) as error:
        answered = isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") == "ValidationError"
        said = "is not found" if answered else "cannot be looked up"
        raise CliError(
            f"stage {stage!r} {said} ({error}). For this machine's cloud use ./market and the same words; for AWS"
            " set AWS_PROFILE and AWS_REGION, and --stage"
        ) from error
    outputs = {each.get("OutputKey"): each.get("OutputValue", "") for each in described.get("Outputs", [])}
    if SETTINGS_OUTPUT not in outputs:
        raise CliError(f"the stacks of stage {stage!r} have no output {SETTINGS_OUTPUT}; deploy them again")
    told: dict[str, str] = json.loads(outputs[SETTINGS_OUTPUT])
    return {f"MARKET_{name.upper()}": value for name, value in told.items() if value}
