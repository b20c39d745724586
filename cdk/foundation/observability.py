"""What is looked at, and what wakes somebody: a dashboard from the list of metrics, and alarms with their runbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.stages.model import Stage
from imagemarket.platform.metrics import NAMESPACE, PANELS, Panel, Series

_PERIOD = Duration.minutes(1)
_FIVE = Duration.minutes(5)
_QUARTER = Duration.minutes(15)
_WIDTH = 8
"""A third of a row."""


class Observability(Construct):
    """The dashboard `imagemarket-STAGE`, and the alarms; what to do about each stands in docs/operations.md."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        queues: Mapping[str, sqs.Queue],
        dead: Mapping[str, sqs.Queue],
        machine: sfn.StateMachine,
        api: apigateway.HttpApi,
        told: sns.Topic,
    ) -> None:
        """`told` hears of each alarm when it goes off and when it is over."""
        super().__init__(scope, construct_id)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=stage.prefix)
        dashboard.add_widgets(
            _graph(
                "Age of the oldest message, seconds",
                [queue.metric_approximate_age_of_oldest_message(period=_PERIOD) for queue in queues.values()],
            ),
            _graph(
                "Waiting messages",
                [queue.metric_approximate_number_of_messages_visible(period=_PERIOD) for queue in queues.values()],
            ),
            _graph(
                "Dead letters",
                [queue.metric_approximate_number_of_messages_visible(period=_PERIOD) for queue in dead.values()],
            ),
        )
        dashboard.add_widgets(*(_panel(panel) for panel in PANELS))
        self._stage = stage
        self._telling = actions.SnsAction(told)  # pyright: ignore[reportArgumentType]
        for name, queue in dead.items():
            self._alarm(
                "dead-letters",
                queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum"),
                says="there are dead letters",
                about=name,
                above=0,
            )
        for name, queue in queues.items():
            self._alarm(
                "queue-age",
                queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum"),
                says="a message waits for more than 15 minutes",
                about=name,
                above=900,
                periods=5,
            )
        for ending, metric in (
            ("failed", machine.metric_failed(period=_QUARTER, statistic="Sum")),
            ("timed-out", machine.metric_timed_out(period=_QUARTER, statistic="Sum")),
            ("aborted", machine.metric_aborted(period=_QUARTER, statistic="Sum")),
        ):
            self._alarm(
                "saga-failures",
                metric,
                says=f"more than three executions {ending.replace('-', ' ')} in 15 minutes",
                about=ending,
                above=3,
            )
        for outcome, says in (
            ("failed", "the sweeper gave an image up"),
            ("failed_to", "the sweeper could not settle an image"),
        ):
            self._alarm(
                "stuck-images",
                _own(f"Swept.{outcome}", "sweep_uploads"),
                says=says,
                about=outcome.replace("_", "-"),
                above=0,
            )
        self._alarm(
            "api-errors",
            api.metric_server_error(period=_FIVE, statistic="Sum"),
            says="more than five answers in five minutes were 5xx",
            above=5,
        )
        self._alarm(
            "search-degraded",
            _own("SearchesDegraded", "search_api"),
            says="more than ten searches in five minutes lacked an engine, the encoder or the cache",
            above=10,
        )
        self._alarm(
            "search-slow",
            _own("SearchDuration.hybrid", "search_api", "p99"),
            says="the slowest of a hundred hybrid searches takes longer than 200 ms",
            above=200,
            periods=3,
        )
        self._alarm(
            "requests-not-counted",
            _own("RateLimiterUnavailable", "search_api"),
            says="requests go through without being counted: the cache does not answer",
            above=10,
        )

    def _alarm(
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


def _own(metric: str, function: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """A metric that a function of ours writes."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": function},
        statistic=statistic,
        period=_FIVE,
    )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH)


def _panel(panel: Panel) -> cloudwatch.GraphWidget:
    title = panel.title if panel.unit == "count" else f"{panel.title}, {panel.unit}"
    return _graph(title, [_search(series) for series in panel.series])


def _search(series: Series) -> cloudwatch.MathExpression:
    """All metrics of a name, or of a family, whichever functions they come from: which those are, only their running
    tells."""
    name = series.metric.removesuffix(".*")
    wanted = f"MetricName={name}" if series.metric.endswith("*") else f'MetricName="{name}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{{{NAMESPACE},service}} {wanted}', '{series.statistic}', {_PERIOD.to_seconds():.0f})",
        using_metrics={},
        label="" if series.metric.endswith("*") else series.label,
        period=_PERIOD,
    )
