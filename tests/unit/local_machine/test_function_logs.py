"""What functions logged, from a CloudWatch Logs that holds just these lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.function_logs import FunctionLogs, function_names
from local.layout import Layout, LocalError

_PREFIX = "/aws/lambda/imagemarket-local-"
_LAYOUT = Layout(made=Path("/none"), state=Path("/none"), port=1)


class _Logs:
    def __init__(self, events: dict[str, list[tuple[int, str]]]) -> None:
        self.events = events

    def get_paginator(self, operation: str) -> _Logs:
        self._operation = operation
        return self

    def paginate(self, **wanted: Any) -> Iterator[dict[str, Any]]:
        if self._operation == "describe_log_groups":
            yield {"logGroups": [{"logGroupName": _PREFIX + name} for name in self.events]}
            return
        about = wanted.get("filterPattern", '""').strip('"')
        yield {
            "events": [
                {"timestamp": at, "message": text + "\n"}
                for at, text in self.events[wanted["logGroupName"].removeprefix(_PREFIX)]
                if about in text and at >= wanted["startTime"]
            ]
        }


def test_a_request_is_found_in_every_function_in_the_order_of_time() -> None:
    logs = _Logs(
        {
            "search_api": [(2000, '{"request_id": "r1"}'), (2500, '{"request_id": "r2"}')],
            "index_images": [(1000, "r1 begins"), (3000, '{"_aws": {"CloudWatchMetrics": []}, "r1": 1}')],
        }
    )
    found = FunctionLogs(_LAYOUT, logs).lines(about="r1")
    assert [(line.function, line.at) for line in found] == [("index_images", 1000), ("search_api", 2000)]
    assert str(found[0]) == "00:00:01.000 index_images r1 begins"


def test_a_function_is_not_taken_for_another_that_begins_alike() -> None:
    logs = _Logs({"search_api": [(1, "mine")], "search_api_two": [(2, "another's")]})
    assert [line.text for line in FunctionLogs(_LAYOUT, logs).lines("search_api")] == ["mine"]


def test_following_shows_each_line_once_those_of_one_millisecond_too() -> None:
    logs = _Logs({"search_api": [(5, "a")]})

    def more(_: float) -> None:
        logs.events["search_api"].append((5, "b") if len(logs.events["search_api"]) == 1 else (6, "c"))

    followed = FunctionLogs(_LAYOUT, logs).follow("search_api", since=0, wait=more)
    assert [line.text for line in islice(followed, 3)] == ["a", "b", "c"]


def test_an_emulator_that_does_not_answer_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = _Logs({})

    def away(_: str) -> _Logs:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(logs, "get_paginator", away)
    with pytest.raises(LocalError, match=r"\./market status"):
        FunctionLogs(_LAYOUT, logs).lines()


def test_every_function_can_be_named() -> None:
    assert {"search_api", "inspect_image"} <= set(function_names())
