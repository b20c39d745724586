"""One machine's dashboard, and the list of metrics that both dashboards are made from."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from imagemarket.platform.metrics import PANELS, Panel, Series, lambda_cost_microdollars
from imagemarket.platform.telemetry import count, duration, flush_metrics
from local.dashboard import frame, rows_of, statistic, values_of
from local.layout import REPOSITORY


@pytest.fixture(autouse=True)
def _nothing_counted_before(capsys: pytest.CaptureFixture[str]) -> None:
    flush_metrics()
    capsys.readouterr()


def test_what_telemetry_writes_is_what_the_dashboard_reads(capsys: pytest.CaptureFixture[str]) -> None:
    count("Searches")
    count("Searches", 2)
    duration("Step.inspect", 12.5)
    flush_metrics()
    lines = [*capsys.readouterr().out.splitlines(), "no JSON", "[]", '{"level": "INFO"}', "null"]
    assert values_of(lines) == {"Searches": [1.0, 2.0], "Step.inspect": [12.5]}


@pytest.mark.parametrize(("name", "expected"), [("Sum", 5050), ("p50", 50), ("p95", 95), ("p100", 100), ("p1", 1)])
def test_statistics(name: str, expected: float) -> None:
    assert statistic([*range(100, 0, -1)], name) == expected


def test_a_family_is_spread_out_and_other_names_are_not_in_it() -> None:
    panel = Panel("p", (Series("Step.*", "{} p95", "p95"), Series("Steps", "all")))
    values = {"Step.inspect": [1.0, 3.0], "Steps": [7.0], "StepFailed.X": [1.0]}
    assert rows_of(panel, values) == [("inspect p95", 3.0), ("all", 7.0)]


def test_a_frame_shows_queues_failures_and_the_cost_of_an_image() -> None:
    values = {"StepCost.inspect_image": [600.0], "StepCost.publish_image": [400.0], "Images.approved": [2.0]}
    console = Console(file=io.StringIO(), width=140)
    console.print(frame(values | {"StepFailed.DuplicateImage": [1.0]}, [("uploads", 3, 1, 4)], 15))
    shown: Any = console.file
    text = shown.getvalue()
    assert "0.000500 US dollars of Lambda for each image" in text
    assert re.search(r"uploads\s+3\s+1\s+4", text)
    assert re.search(r"step: DuplicateImage\s+1", text)
    console.print(frame({}, [], 15))
    assert "no image has ended yet" in shown.getvalue()


def test_the_cost_of_a_run_is_that_of_the_price_list() -> None:
    """A million runs of 1 s with 1 GB: 1,000,000 GB-seconds are 13.33 US dollars, and 0.20 for the requests."""
    assert lambda_cost_microdollars(1024, 1000) == pytest.approx(13.3334 + 0.2)
    assert lambda_cost_microdollars(3008, 2000) == pytest.approx(3008 / 1024 * 2 * 13.3334 + 0.2)


def test_every_metric_of_the_list_is_written_somewhere() -> None:
    sources = "".join(
        source.read_text(encoding="utf-8")
        for folder in ("shared", "functions")
        for source in (REPOSITORY / folder).rglob("*.py")
        if source.name != "metrics.py"
    )
    written = {name.split("{")[0] for name in re.findall(r'(?:count|duration)\(\s*f?"([\w.{]+)', sources)}
    later = {"PagesFromCache"}  # written where pages are kept, once a stage keeps them
    for panel in PANELS:
        for series in panel.series:
            name = series.metric.removesuffix("*")
            assert name in written | later or f"{name.split('.')[0]}." in written, series.metric


def test_emf_is_as_cloudwatch_reads_it(capsys: pytest.CaptureFixture[str]) -> None:
    count("Searches")
    flush_metrics()
    (line,) = capsys.readouterr().out.splitlines()
    (directive,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "imagemarket"
