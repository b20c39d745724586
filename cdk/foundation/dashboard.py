"""What is looked at: a dashboard from the list of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.stages.model import Stage
from imagemarket.platform.metrics import NAMESPACE, PANELS, Panel, Series

_PERIOD = Duration.minutes(1)
_WIDTH = 8
"""A third of a row."""


class Dashboard(Construct):
    """The dashboard `imagemarket-STAGE`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        queues: Mapping[str, sqs.Queue],
        dead: Mapping[str, sqs.Queue],
    ) -> None:
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
