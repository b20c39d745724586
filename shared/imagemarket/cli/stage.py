"""Which deployment a command works on: its names and addresses, from its stacks' outputs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from imagemarket.cli.client import CliError

STAGE_VARIABLE = "MARKET_STAGE"

Stage = Annotated[
    str,
    typer.Option(
        envvar=STAGE_VARIABLE,
        help="The deployment: local, launch, growth or scale. AWS credentials and region as for the aws command.",
    ),
]

_FROM_OUTPUTS = {"MARKET_DATABASE_SECRET_ARN": "DatabaseSecretArn", "MARKET_STATE_MACHINE_ARN": "StateMachineArn"}


def use_stage(stage: str) -> None:
    """Gives the composition root what it needs of a stage. What is set for this stage already wins.

    Raises `CliError` when the stage is not deployed where the credentials lead.
    """
    another = os.environ.get(STAGE_VARIABLE, stage) != stage
    os.environ[STAGE_VARIABLE] = stage
    missing = {name: output for name, output in _FROM_OUTPUTS.items() if another or not os.environ.get(name)}
    if not missing:
        return
    outputs = _outputs(stage)
    for variable, output in missing.items():
        if output not in outputs:
            raise CliError(f"the stacks of stage {stage!r} have no output {output}; deploy them, or set {variable}")
        os.environ[variable] = outputs[output]


def _outputs(stage: str) -> dict[str, str]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    found: dict[str, str] = {}
    try:
        client = boto3.client("cloudformation")
        for stack in ("state", "application"):
            (described,) = client.describe_stacks(StackName=f"imagemarket-{stage}-{stack}")["Stacks"]
            found |= {each.get("OutputKey", ""): each.get("OutputValue", "") for each in described.get("Outputs", [])}
    except (ClientError, BotoCoreError) as error:
        raise CliError(
            f"stage {stage!r} is not found: {error}. For this machine's cloud use ./market dlq; for AWS set AWS_PROFILE"
            " and AWS_REGION, and --stage"
        ) from error
    return found
