"""Logs, metrics and traces by Powertools, set up once.

Nothing here ever gets a token, a password, a presigned URL or a GPS position: log ids and counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from imagemarket.platform.metrics import NAMESPACE

if TYPE_CHECKING:
    from aws_lambda_powertools import Metrics, Tracer

Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]


def _takes_no_trace() -> bool:
    return os.environ.get("POWERTOOLS_TRACE_DISABLED") == "true"


# Where no trace is taken, as on the local stage, the runtime's id of one finds nothing.
_left_out: dict[str, Any] = {"xray_trace_id": None} if _takes_no_trace() else {}
logger = Logger(utc=True, **_left_out)
"""The structured logger of this process; append keys per invocation, never log bodies."""


@cache
def metrics() -> Metrics:
    """The EMF metrics of this process; the service comes from POWERTOOLS_SERVICE_NAME."""
    from aws_lambda_powertools import Metrics

    return Metrics(namespace=NAMESPACE)


@cache
def _tracer() -> Tracer | None:
    """The X-Ray tracer of this process, which follows calls to AWS; None where no trace is taken."""
    if "LAMBDA_TASK_ROOT" not in os.environ or _takes_no_trace():
        return None  # and the X-Ray SDK is not imported
    from aws_lambda_powertools import Tracer

    return Tracer(patch_modules=["botocore"])


_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_segment: ContextVar[Any | None] = ContextVar("segment", default=None)
"""The part of the trace that what is at work belongs to. X-Ray's SDK keeps its own by thread, so that a route in a
worker thread finds the function's segment, which nothing may be written to; a thread that copies the context has this
one."""


def add_log_context(**keys: str | None) -> None:
    """What the log lines and the trace of this invocation, or of this message, are found by. Never raises."""
    logger.append_keys(**keys)
    segment = _segment.get()
    if segment is None:
        return
    try:
        for name, value in keys.items():
            if value is not None:
                segment.put_annotation(name, value)
    except Exception:  # e.g. of a thread that outlived its invocation, whose segment has been sent
        logger.warning("the trace was not annotated", exc_info=True)


@contextmanager
def log_context(**keys: str | None) -> Iterator[None]:
    """What the log lines of one turn are found by: those after it are about something else, unless it fails."""
    logger.append_keys(**keys)
    yield
    logger.remove_keys(keys)


def current_trace_header() -> str | None:
    """The trace of the invocation at work, as the header `X-Amzn-Trace-Id` names it, for what goes on after it; None
    outside of one and where none is taken."""
    segment = _segment.get()
    if segment is None or not segment.sampled or not _TRACE_ID.fullmatch(segment.trace_id):
        return None
    return f"Root={segment.trace_id};Parent={segment.id};Sampled=1"


@contextmanager
def part_of_trace(name: str) -> Iterator[None]:
    """A part of the invocation's trace, which `add_log_context` writes to; nothing where no trace is taken."""
    if (tracer := _tracer()) is None:
        yield
        return
    provider: Any = tracer.provider
    with provider.in_subsegment(name=name) as segment, _working_on(segment):
        yield


@contextmanager
def _working_on(segment: Any) -> Iterator[None]:
    before = _segment.set(segment)
    try:
        yield
    finally:
        _segment.reset(before)


def current_request_id() -> str | None:
    """The id of the HTTP request at work, which what it begins is found by later; None outside of one."""
    return logger.get_current_keys().get("request_id")


def traced(handler: Handler) -> Handler:
    """The handler inside a segment of the invocation's trace. Answers and errors stay out of it: they may hold
    what is nobody's business there, and the log has the errors."""
    chosen: Handler | None = None

    def captured(tracer: Tracer) -> Handler:
        provider: Any = tracer.provider

        @wraps(handler)
        def found(event: Event, context: Any) -> Event:
            with _working_on(provider.current_subsegment()):
                return handler(event, context)

        return tracer.capture_lambda_handler(found, capture_response=False, capture_error=False)

    def in_segment(event: Event, context: Any) -> Event:
        nonlocal chosen
        if chosen is None:
            tracer = _tracer()
            chosen = captured(tracer) if tracer else handler
        return chosen(event, context)

    return in_segment


def count(name: str, value: float = 1) -> None:
    """Adds to a metric that is flushed when the invocation ends."""
    from aws_lambda_powertools.metrics import MetricUnit

    metrics().add_metric(name=name, unit=MetricUnit.Count, value=value)


def duration(name: str, milliseconds: float) -> None:
    """Records how long something took, in milliseconds."""
    from aws_lambda_powertools.metrics import MetricUnit

    metrics().add_metric(name=name, unit=MetricUnit.Milliseconds, value=milliseconds)


def flush_metrics() -> None:
    """Writes what was counted since the last flush, if anything."""
    if metrics().metric_set:
        metrics().flush_metrics()
