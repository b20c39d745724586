"""What the functions log, read from the emulator's CloudWatch Logs: of one function, or about one request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.emulator import aws_client
from local.layout import REPOSITORY, Layout, LocalError

_PREFIX = "/aws/lambda/imagemarket-local-"
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Line:
    """One line of a function's log. `at` is milliseconds since 1970."""

    at: int
    function: str
    text: str

    def __str__(self) -> str:
        return f"{datetime.fromtimestamp(self.at / 1000, UTC):%H:%M:%S.%f}"[:12] + f" {self.function} {self.text}"


def function_names() -> list[str]:
    """Every function of the clone, whether it has logged anything or not."""
    return sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/handler.py"))


class FunctionLogs:
    """The functions' logs in the emulator. Metrics (EMF) are left out: the dashboard shows those.

    Raises `LocalError` when the emulator does not answer.
    """

    def __init__(self, layout: Layout, client: Any = None) -> None:
        self._logs = client or aws_client(layout, "logs")

    def lines(self, function: str | None = None, *, about: str = "", since: int = 0) -> list[Line]:
        """In the order of time: one function's lines or every one's, those that contain `about` where it is said,
        from `since` on (milliseconds since 1970)."""
        from botocore.exceptions import BotoCoreError, ClientError

        wanted: dict[str, Any] = {"startTime": since}
        if about:
            wanted["filterPattern"] = f'"{about}"'
        found: list[Line] = []
        try:
            for group in self._groups(function):
                for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, **wanted):
                    found += [
                        Line(event["timestamp"], group.removeprefix(_PREFIX), text)
                        for event in page["events"]
                        if (text := event["message"].rstrip()) and '"CloudWatchMetrics"' not in text
                    ]
        except (BotoCoreError, ClientError) as error:
            raise LocalError(f"the functions' logs cannot be read ({error}): ./market status") from error
        return sorted(found, key=lambda line: line.at)

    def follow(
        self, function: str | None = None, *, about: str = "", since: int, wait: Callable[[float], None] = time.sleep
    ) -> Iterator[Line]:
        """Lines as they come, without end: each once, from `since` on."""
        shown: set[Line] = set()
        while True:
            fresh = [line for line in self.lines(function, about=about, since=since) if line not in shown]
            yield from fresh
            if fresh:  # lines of the same millisecond may still come
                since = fresh[-1].at
                shown = {line for line in shown | set(fresh) if line.at >= since}
            wait(_POLL_SECONDS)

    def _groups(self, function: str | None) -> list[str]:
        prefix = _PREFIX + (function or "")
        pages = self._logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
        return [name for name in names if function is None or name == prefix]
