"""What the emulator holds for ever of itself, and is made to let go of: without it its memory grows with every picture
and every request."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any

import psutil

MOST_PROCESSES = 56
"""Of functions, as many as may be at work at once; idle ones beyond it are ended."""
_INVOCATIONS = 1000
"""Of each function, whose log is kept: the newest."""
_HISTORIES = {"SUCCEEDED": 100, "FAILED": 300, "TIMED_OUT": 300, "ABORTED": 300}
"""Of executions that have ended so, which tell each step: the newest. Their outcomes are all kept."""
_POINTS = 1000
"""Of each metric: the newest."""
_EVENTS = 1000
_SLACK = 100
"""So many more are let go of together: others walk through the same lists meanwhile."""
_IDLE_S = 5.0


def let_go() -> None:
    """Called every few seconds beside the emulator's own work."""
    _bodies_on_disk()
    _logs()
    _histories()
    _events()
    _metrics()
    _idle_functions()
    _hand_back()


def _bodies_on_disk() -> None:
    """Of a bucket with versions it writes each object to disk, and holds its bytes beside that until it is stopped."""
    from ministack.services import s3

    for (account, (bucket, key)), versions in list(s3._object_versions._data.items()):  # noqa: SLF001
        current = s3._buckets._data.get((account, bucket), {}).get("objects", {}).get(key) or {}  # noqa: SLF001
        for version in list(versions):
            if version.get("data") is None:
                continue
            written = current.get("version_id") == version["version_id"] and current.get("body") is None
            if written or s3._version_file_exists(bucket, key, version["version_id"], account):  # noqa: SLF001
                version["data"] = None


def _logs() -> None:
    from ministack.services import cloudwatch_logs

    for group in list(cloudwatch_logs._log_groups._data.values()):  # noqa: SLF001
        streams = group["streams"]  # one for each invocation
        for name in _oldest(streams, _INVOCATIONS):
            streams.pop(name, None)


def _histories() -> None:
    from ministack.services import stepfunctions

    executions = list(stepfunctions._executions._data.items())  # noqa: SLF001
    for status, kept in _HISTORIES.items():
        told = {name: each for name, each in executions if each["status"] == status and each["events"]}
        for name in _oldest(told, kept):
            told[name]["events"] = []


def _events() -> None:
    from ministack.services import eventbridge

    for events in list(eventbridge._events_log._data.values()):  # noqa: SLF001
        _shorten(events, _EVENTS)


def _metrics() -> None:
    from ministack.services import cloudwatch

    for points in list(cloudwatch._metrics._data.values()):  # noqa: SLF001
        _shorten(points, _POINTS)


def _idle_functions() -> None:
    """The emulator limits how many are at work, and not how many stay: each function has as many as were once at work
    at once, whatever others have."""
    from ministack.core.lambda_runtime import reap_idle_workers

    if len(psutil.Process().children()) > MOST_PROCESSES:
        reap_idle_workers(_IDLE_S)


def _hand_back() -> None:
    """What is free of memory: glibc keeps the pages of bodies that have gone between others that have not."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _oldest(given: dict[str, Any], kept: int) -> list[str]:
    """The names that go, of a dict in the order of time; none until they are many."""
    names = list(given)
    return names[:-kept] if len(names) > kept + _SLACK else []


def _shorten(entries: list[Any], kept: int) -> None:
    if len(entries) > kept + _SLACK:
        del entries[:-kept]
