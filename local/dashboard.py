"""`./market dashboard`: the panels of `imagemarket.platform.metrics` and the queues, live in a terminal.

Read from the EMF lines that functions log and from the queues' attributes, as CloudWatch does in the cloud.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.columns import Columns
from rich.console import Group
from rich.live import Live
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from imagemarket.platform.metrics import PANELS, Panel, Series
from local.emulator import aws_client
from local.layout import Layout
from local.progress import console

_PREFIX = "imagemarket-local"
_REFRESH_SECONDS = 2.0
_WIDTH = 44

Values = Mapping[str, Sequence[float]]
"""All that was measured, by metric."""


def values_of(lines: Iterable[str]) -> dict[str, list[float]]:
    """The values in EMF lines; what is no EMF is passed over."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        try:
            document = json.loads(line)
            named = document["_aws"]["CloudWatchMetrics"]
        except (ValueError, TypeError, KeyError):
            continue
        for directive in named:
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                found[metric["Name"]] += values if isinstance(values, list) else [values]
    return dict(found)


def statistic(values: Sequence[float], name: str) -> float:
    """A sum, or a percentile by nearest rank, as CloudWatch's `Sum`, `p50`, `p95`."""
    if name == "Sum":
        return sum(values)
    rank = -(-len(values) * int(name.removeprefix("p")) // 100)
    return sorted(values)[max(0, rank - 1)]


def rows_of(panel: Panel, values: Values) -> list[tuple[str, float]]:
    """What a panel shows: label and value of each metric that was measured, families spread out."""
    rows: list[tuple[str, float]] = []
    for series in panel.series:
        for name in sorted(values):
            label = _label(series, name)
            if label is not None:
                rows.append((label, statistic(values[name], series.statistic)))
    return rows


def _label(series: Series, name: str) -> str | None:
    if not series.metric.endswith("*"):
        return series.label if name == series.metric else None
    family = series.metric.removesuffix("*")
    return series.label.format(name.removeprefix(family)) if name.startswith(family) else None


class Feed:
    """Log lines and queues of the local cloud."""

    def __init__(self, layout: Layout, minutes: int) -> None:
        self._logs = aws_client(layout, "logs")
        self._sqs = aws_client(layout, "sqs")
        self._minutes = minutes

    def lines(self) -> list[str]:
        """EMF lines of the last minutes."""
        since = max(0, int((time.time() - 60 * self._minutes) * 1000))
        groups = self._logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/lambda/{_PREFIX}-")
        return [
            event["message"]
            for page in groups
            for group in page["logGroups"]
            for events in self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], startTime=since, filterPattern='"CloudWatchMetrics"'
            )
            for event in events["events"]
        ]

    def queues(self) -> list[tuple[str, int, int, int]]:
        """Name, waiting, in work, dead of each queue."""
        pages = self._sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{_PREFIX}-")
        known = {
            url.rpartition("/")[2].removeprefix(f"{_PREFIX}-"): self._sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["All"]
            )["Attributes"]
            for page in pages
            for url in page.get("QueueUrls", [])
        }

        def number(queue: str, attribute: str) -> int:
            return int(known.get(queue, {}).get(f"ApproximateNumberOfMessages{attribute}", 0))

        names = sorted({name.removesuffix("-dead") for name in known})
        return [
            (
                name,
                number(name, ""),
                number(name, "NotVisible"),
                number(f"{name}-dead", "") + number(f"{name}-dead", "NotVisible"),
            )
            for name in names
        ]


def frame(values: Values, queues: Sequence[tuple[str, int, int, int]], minutes: int) -> Group:
    """One picture of everything."""
    boxes = [_box(panel.title, rows_of(panel, values), panel.unit) for panel in PANELS]
    table = Table("queue", "waiting", "in work", "dead", box=None, header_style="bold", expand=True)
    for name, waiting, working, dead in queues:
        style = "red" if dead else ""
        table.add_row(name, str(waiting), str(working), Text(str(dead), style=style))
    images = sum(sum(each) for name, each in values.items() if name.startswith("Images."))
    cost = sum(sum(each) for name, each in values.items() if name.startswith("StepCost."))
    each = f"{cost / images / 1e6:.6f} US dollars of Lambda for each image" if images else "no image has ended yet"
    head = Text(f"The last {minutes} minutes. {each}.", style="bold")
    return Group(head, Columns([Box(table, title="Queues", width=_WIDTH), *boxes], equal=False, expand=False))


def _box(title: str, rows: Sequence[tuple[str, float]], unit: str) -> Box:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    for label, value in rows or [("nothing yet", 0.0)]:
        shown = "" if not rows else f"{value:,.0f}" if unit == "count" else f"{value:,.1f} {unit}"
        table.add_row(Text(label, overflow="ellipsis", no_wrap=True), shown)
    return Box(table, title=title, width=_WIDTH)


def show(layout: Layout, *, minutes: int, once: bool) -> int:
    """Draws until it is interrupted, or one time."""
    feed = Feed(layout, minutes)

    def current() -> Group:
        return frame(values_of(feed.lines()), feed.queues(), minutes)

    if once:
        console.print(current())
        return 0
    with Live(current(), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_REFRESH_SECONDS)
                live.update(current(), refresh=True)
        except KeyboardInterrupt:
            return 0
