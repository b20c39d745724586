"""Logs, metrics and traces by Powertools, set up once.

Nothing here ever gets a token, a password, a presigned URL or a GPS position: log ids and counts.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from aws_lambda_powertools import Metrics, Tracer

logger = Logger(utc=True)
"""The structured logger of this process; append keys per invocation, never log bodies."""


@cache
def metrics() -> Metrics:
    """The EMF metrics of this process (namespace and service come from POWERTOOLS_* variables)."""
    from aws_lambda_powertools import Metrics

    return Metrics()


@cache
def tracer() -> Tracer:
    """The X-Ray tracer of this process; does nothing outside Lambda."""
    from aws_lambda_powertools import Tracer

    return Tracer()


def count(name: str, value: float = 1) -> None:
    """Adds to a metric that is flushed when the invocation ends."""
    from aws_lambda_powertools.metrics import MetricUnit

    metrics().add_metric(name=name, unit=MetricUnit.Count, value=value)


def duration(name: str, milliseconds: float) -> None:
    """Records how long something took, in milliseconds."""
    from aws_lambda_powertools.metrics import MetricUnit

    metrics().add_metric(name=name, unit=MetricUnit.Milliseconds, value=milliseconds)
