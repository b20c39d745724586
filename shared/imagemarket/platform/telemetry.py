"""Logs, metrics and traces by Powertools, set up once.

Nothing here ever gets a token, a password, a presigned URL or a GPS position: log ids and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from imagemarket.platform.errors import MarketError

if TYPE_CHECKING:
    from aws_lambda_powertools import Metrics, Tracer

logger = Logger(utc=True)
"""The structured logger of this process; append keys per invocation, never log bodies."""


@cache
def metrics() -> Metrics:
    """The EMF metrics of this process; the service comes from POWERTOOLS_SERVICE_NAME."""
    from aws_lambda_powertools import Metrics

    return Metrics(namespace="imagemarket")


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


def flush_metrics() -> None:
    """Writes what was counted since the last flush, if anything."""
    if metrics().metric_set:
        metrics().flush_metrics()


Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]


def saga_step(function: Handler) -> Handler:
    """A step of the saga: logs carry the image and the execution, metrics are flushed."""

    def handler(event: Event, context: Any) -> Event:
        logger.clear_state()
        logger.append_keys(image_id=event.get("image_id"), execution=event.get("execution"))
        try:
            output = function(event, context)
            logger.info("step ended")
            return output
        except MarketError as error:
            logger.warning("step refused", error=type(error).__name__, reason=error.detail)
            raise
        except Exception:
            logger.exception("step failed")
            raise
        finally:
            flush_metrics()

    return handler


def scheduled(function: Handler) -> Handler:
    """A scheduled job: its counts are logged, metrics are flushed."""

    def handler(event: Event, context: Any) -> Event:
        logger.clear_state()
        try:
            output = function(event, context)
            logger.info("job ended", **output)
            return output
        except Exception:
            logger.exception("job failed")
            raise
        finally:
            flush_metrics()

    return handler


def batch_handler(work: Callable[[Event], None]) -> Handler:
    """An SQS consumer that answers with the messages that failed, so that only they come again."""

    def handler(event: Event, _context: Any) -> Event:
        failures: list[dict[str, str]] = []
        for record in event["Records"]:
            logger.clear_state()
            logger.append_keys(
                message_id=record["messageId"],
                receive_count=record.get("attributes", {}).get("ApproximateReceiveCount"),
            )
            try:
                work(record)
            except Exception:
                logger.exception("message failed")
                count("MessagesFailed")
                failures.append({"itemIdentifier": record["messageId"]})
        flush_metrics()
        return {"batchItemFailures": failures}

    return handler


def bulk_handler(work: Callable[[Sequence[Event]], None]) -> Handler:
    """An SQS consumer that takes a batch as one piece of work.

    When the batch fails its messages are tried one by one, so that only those at fault come again;
    `work` must be safe to repeat.
    """

    def one(record: Event) -> None:
        work([record])

    one_by_one = batch_handler(one)

    def handler(event: Event, context: Any) -> Event:
        logger.clear_state()
        try:
            work(event["Records"])
        except Exception:
            logger.exception("batch failed")
            return one_by_one(event, context)
        flush_metrics()
        return {"batchItemFailures": []}

    return handler
