"""The state machine `ingest_image`, from its definition in `state_machines/`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.foundation.assets import REPOSITORY
from cdk.foundation.function import MarketFunction
from cdk.foundation.rules import Accepted, acknowledge
from cdk.foundation.use import Use, allow
from cdk.stages.model import Stage, ThrottleRetry

THROTTLED = "Lambda.TooManyRequestsException"
"""What AWS calls it."""

DEFINITION = REPOSITORY / "state_machines" / "ingest_image.asl.json"


def steps_of(definition: str) -> set[str]:
    """The functions that a definition calls, by the names that stand in for their ARNs: `${InspectImage}`."""
    return set(re.findall(r"\$\{(\w+)\}", definition))


def definition_for(retry: ThrottleRetry | None, definition: str) -> str:
    """The definition without its white space, and with the stage's own way of waiting for a busy function."""

    def change(part: dict[str, Any]) -> dict[str, Any]:
        retried = part.get("ErrorEquals", [])
        if retry is None or THROTTLED not in retried:
            return part
        return {
            "ErrorEquals": list(dict.fromkeys([*retried, retry.error])),
            "IntervalSeconds": retry.seconds,
            "BackoffRate": 1,
            "MaxAttempts": retry.attempts,
        }

    return json.dumps(json.loads(definition, object_hook=change), separators=(",", ":"))


class Executions:
    """The saga's executions, by its name: whoever uses them is deployed before it or in another stack."""

    def __init__(self, stack: Stack, stage: Stage) -> None:
        self.machine_arn = stack.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=stage.saga_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        self.arn = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{stage.saga_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def start(self) -> Use:
        """Start one."""
        return Use({"state_machine_arn": self.machine_arn}) + allow("states:StartExecution", on=self.machine_arn)

    def watch(self) -> Use:
        """Ask after them and stop them."""
        actions = ("states:DescribeExecution", "states:GetExecutionHistory", "states:StopExecution")
        return allow(*actions, on=self.arn) + Use(
            accepted=(
                Accepted(
                    f"AwsSolutions-IAM5[Resource::{self.arn}]",
                    "The executions of one machine, which are named after images that nobody knows beforehand.",
                ),
            )
        )


class Saga(Construct):
    """May call its own steps and nothing else."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, steps: Mapping[str, MarketFunction]
    ) -> None:
        """`steps` by their names in the definition."""
        super().__init__(scope, construct_id)
        definition = definition_for(stage.workflow.throttle_retry, DEFINITION.read_text(encoding="utf-8"))
        if (called := steps_of(definition)) != set(steps):
            raise ValueError(f"the definition calls {sorted(called)}, and was given {sorted(steps)}")
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),  # pyright: ignore[reportArgumentType]
            description="imagemarket: ingest_image",
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[step.arn for step in steps.values()])
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=stage.saga_name,
            state_machine_type=stage.workflow.type,
            definition_body=sfn.DefinitionBody.from_string(definition),
            definition_substitutions={name: step.arn for name, step in steps.items()},
            role=role,  # pyright: ignore[reportArgumentType]
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    # Step Functions gives up on log groups whose names do not begin like this (policy size limits).
                    log_group_name=f"/aws/vendedlogs/states/{stage.saga_name}",
                    retention=stage.log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,  # the job names a contributor and the key of an original
            ),
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "Log deliveries and X-Ray have no resources to name; the functions are named one by one.",
        )
