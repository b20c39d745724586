"""One Lambda of the marketplace; the only construct that knows how a stage runs functions."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.foundation.assets import stage_function
from cdk.foundation.layers import Layers, with_core
from cdk.foundation.rules import acknowledge
from cdk.foundation.use import Use, allow
from cdk.stages.model import Load, Stage
from imagemarket.platform.metrics import NAMESPACE


class MarketFunction(Construct):
    """A function with its own role, its own log group, and the environment that its services read."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        name: str,
        description: str,
        seconds: int,
        memory_mb: int,
        load: Load,
        layers: Layers,
        use: Use,
        dead_letters: sqs.IQueue | None = None,
    ) -> None:
        """`use` is all that it is told, and all that its role may do besides logging."""
        super().__init__(scope, construct_id)
        self.name = name
        self.seconds = seconds
        self.packages = with_core(use.layers)
        """The folders of `layers/` whose packages it needs."""
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/lambda/{stage.prefix}-{name}",
            retention=stage.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),  # pyright: ignore[reportArgumentType]
            description=f"imagemarket: {name}",
        )
        log_group.grant_write(role)
        for statement in use.permissions:
            role.add_to_policy(statement)
        asset = lambda_.Code.from_asset(str(stage_function(name, interpreter=stage.compute.interpreter)))
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=f"{stage.prefix}-{name}",
            description=f"imagemarket: {description}",
            runtime=lambda_.Runtime.PYTHON_3_11
            if stage.compute.interpreter is None
            else lambda_.Runtime.PROVIDED_AL2023,
            architecture=lambda_.Architecture.ARM_64,
            code=asset,
            handler=f"functions.{name}.handler.handler",
            layers=layers.of(use.layers),
            role=role,  # pyright: ignore[reportArgumentType]
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
            timeout=Duration.seconds(seconds),
            memory_size=memory_mb,
            reserved_concurrent_executions=stage.compute.reserved.get(load),
            dead_letter_queue=dead_letters,
            environment={
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                # Only AWS's own runtime has somebody who takes traces.
                "POWERTOOLS_TRACE_DISABLED": "false" if stage.compute.interpreter is None else "true",
                **{f"MARKET_{field.upper()}": value for field, value in use.settings.items()},
            },
        )
        for finding in use.accepted:
            finding.on(role)
        acknowledge(role, "AwsSolutions-IAM5[Resource::*]", "X-Ray takes segments from a role, and knows no resources.")
        if stage.compute.interpreter is not None:
            acknowledge(
                self.function,
                "AwsSolutions-L1",
                "A custom runtime starts this machine's Python 3.11, as AWS's would be.",
            )
        if dead_letters is None:
            acknowledge(
                self.function,
                "Serverless-LambdaDLQ",
                "Whoever calls it waits for its answer and keeps the work: the gateway, a queue with dead "
                "letters, the state machine or CloudFormation. Nothing calls it asynchronously.",
            )

    @property
    def function_name(self) -> str:
        return self.function.function_name

    @property
    def arn(self) -> str:
        return self.function.function_arn

    def invoke(self, setting: str) -> Use:
        """Call it and wait for the answer; `setting` is told its name."""
        return Use({setting: self.function_name}) + allow("lambda:InvokeFunction", on=self.arn)

    @property
    def policy(self) -> Construct:
        """What its role may do; a custom resource waits for it, lest the function runs before it may."""
        role = self.function.role
        assert role is not None
        return role.node.find_child("DefaultPolicy")  # pyright: ignore[reportReturnType]
