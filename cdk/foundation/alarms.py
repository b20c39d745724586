"""Where alarms go: one topic for a stage, to which whoever is to be woken subscribes."""

from __future__ import annotations

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk.stages.model import Stage


class AlarmTopic(Construct):
    """Tells its subscribers when an alarm of the stage goes off, and when it is over."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self, "Topic", topic_name=f"{stage.prefix}-alarms", display_name=f"imagemarket {stage.name}"
        )
        alarms = Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{stage.prefix}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        # A policy of one's own replaces the one that lets everything in the account publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfTheStage",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],  # pyright: ignore[reportArgumentType]
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"ArnLike": {"aws:SourceArn": alarms}},
            )
        )
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ByTlsAlone",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],  # pyright: ignore[reportArgumentType]
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        )
