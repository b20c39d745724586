"""What wakes somebody, and where alarms go: one topic for a stage, to which whoever is to be woken subscribes."""

from __future__ import annotations

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk.stages.model import Stage
from imagemarket.platform.metrics import NAMESPACE


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


class Alarms(Construct):
    """Alarms of one capability; what to do about each stands in docs/operations.md."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, topic: sns.Topic) -> None:
        """The topic hears of each alarm when it goes off and when it is over."""
        super().__init__(scope, construct_id)
        self._stage = stage
        self._telling = actions.SnsAction(topic)  # pyright: ignore[reportArgumentType]

    def add(
        self, slug: str, metric: cloudwatch.IMetric, *, says: str, above: float, about: str = "", periods: int = 1
    ) -> None:
        """`slug` is the heading of its entry in the runbook; `periods` is how many periods in a row it takes."""
        name = f"{slug}-{about}" if about else slug
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.capitalize() for part in name.split("-")),
            alarm_name=f"{self._stage.prefix}-{name}",
            alarm_description=f"imagemarket: {says}. Runbook: docs/operations.md#{slug}",
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._telling)  # pyright: ignore[reportArgumentType]
        alarm.add_ok_action(self._telling)  # pyright: ignore[reportArgumentType]


def metric_of(function: str, metric: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """A metric that a function of ours writes."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": function},
        statistic=statistic,
        period=Duration.minutes(5),
    )
