"""Logs, metrics and traces by Powertools, set up once.

Nothing here ever gets a token, a password, a presigned URL or a GPS position: log ids and counts.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from imagemarket.platform.errors import DependencyUnavailable, MarketError
from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID, REPLAY_TOKEN, Failure, MessageJournal
from imagemarket.platform.metrics import NAMESPACE, lambda_cost_microdollars

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


def annotate(**keys: str | None) -> None:
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
def about(**keys: str | None) -> Iterator[None]:
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


def saga_step(function: Handler) -> Handler:
    """A step of the saga: logs carry the image and the execution, metrics are flushed, what it cost is counted."""

    def handler(event: Event, context: Any) -> Event:
        logger.clear_state()
        annotate(image_id=event.get("image_id"), execution=event.get("execution"), request_id=event.get("request_id"))
        started = time.perf_counter()
        try:
            output = function(event, context)
            logger.info("step ended")
            return output
        except MarketError as error:
            logger.warning("step refused", error=type(error).__name__, reason=error.detail)
            count(f"StepFailed.{type(error).__name__}")
            raise
        except Exception as error:
            logger.exception("step failed")
            count(f"StepFailed.{type(error).__name__}")
            raise
        finally:
            memory_mb = getattr(context, "memory_limit_in_mb", None)
            if memory_mb is not None:
                cost = lambda_cost_microdollars(float(memory_mb), (time.perf_counter() - started) * 1000)
                count(f"StepCost.{os.environ.get('POWERTOOLS_SERVICE_NAME', 'unknown')}", round(cost, 3))
            flush_metrics()

    return traced(handler)


def scheduled(function: Handler, journal: Callable[[], MessageJournal]) -> Handler:
    """A scheduled job: its counts are logged, metrics are flushed; why it failed is written down by its request id,
    which its dead letter names."""

    def handler(event: Event, context: Any) -> Event:
        logger.clear_state()
        try:
            output = function(event, context)
            logger.clear_state()
            logger.info("job ended", **output)
            return output
        except Exception as error:
            logger.exception("job failed")
            count(f"JobsFailed.{type(error).__name__}")
            request = getattr(context, "aws_request_id", None)
            if request is not None:
                _write_down(journal, error, message_id=request, receives=1, context=context)
            raise
        finally:
            flush_metrics()

    return traced(handler)


def _write_down(
    journal: Callable[[], MessageJournal], error: Exception, *, message_id: str, receives: int, context: Any
) -> None:
    """The log has the reason in any case; whoever looks at dead letters looks into the journal."""
    try:
        journal().failed(
            Failure.of(
                error,
                message_id=message_id,
                function=os.environ.get("POWERTOOLS_SERVICE_NAME", "unknown"),
                receives=receives,
                request_id=getattr(context, "aws_request_id", None),
            )
        )
    except Exception:
        logger.exception("the reason could not be written down")


def _token(record: Event) -> str | None:
    return record.get("messageAttributes", {}).get(REPLAY_TOKEN, {}).get("stringValue")


_IN_BODY = {
    "image_id": re.compile(r'"image_id"\s*:\s*"([0-9a-f-]{36})"'),
    "request_id": re.compile(r'"request_id"\s*:\s*"([\w=+/-]{1,100})"'),
}
_ANNOTATED_MESSAGES = 20
"""Of a batch that is one piece of work: X-Ray finds a trace by 50 annotations. Lambda links it to all of its messages'
traces, as many as they are."""


def _told_in(body: str) -> dict[str, str]:
    """The image that a message is about and the request that the image began with, where it says so."""
    return {key: found[1] for key, pattern in _IN_BODY.items() if (found := pattern.search(body))}


@contextmanager
def _at_message(record: Event) -> Iterator[None]:
    """A part of the trace for one message of a batch, found by what the message is about and not by its neighbours."""
    if (tracer := _tracer()) is None:
        yield
        return
    provider: Any = tracer.provider
    with provider.in_subsegment(name="## message") as segment, _working_on(segment):
        annotate(**_told_in(record["body"]))
        yield


def _describe(record: Event) -> None:
    """Every line about a message names it, the image it is about and the request that the image began with."""
    logger.clear_state()
    logger.append_keys(
        **_told_in(record["body"]),
        message_id=record["messageId"],
        receive_count=record.get("attributes", {}).get("ApproximateReceiveCount"),
        original_message_id=record.get("messageAttributes", {}).get(ORIGINAL_MESSAGE_ID, {}).get("stringValue"),
    )


def _describe_all(records: Sequence[Event]) -> None:
    """The same for a batch that is one piece of work: every line names all of it, at most some 100 bytes a message."""
    logger.clear_state()
    told = [_told_in(record["body"]) for record in records]
    logger.append_keys(
        message_ids=[record["messageId"] for record in records],
        **{f"{key}s": list(dict.fromkeys(each[key] for each in told if key in each)) for key in _IN_BODY},
    )


def batch_handler(work: Callable[[Event], None], journal: Callable[[], MessageJournal]) -> Handler:
    """An SQS consumer that answers with the messages that failed, so that only they come again.

    Why one failed is written to the journal. A replay that was dealt with already is dropped: it was sent twice
    because whoever replayed it was interrupted.
    """

    def one(record: Event) -> None:
        token = _token(record)
        if token is not None and journal().is_done(token):
            logger.info("dropped the double of a replay")
            count("ReplaysDropped")
            return
        work(record)
        if token is not None:
            journal().done(token)

    def handler(event: Event, context: Any) -> Event:
        failures: list[dict[str, str]] = []
        for record in event["Records"]:
            _describe(record)
            with _at_message(record):
                try:
                    one(record)
                except Exception as error:
                    logger.exception("message failed")
                    count(f"MessagesFailed.{type(error).__name__}")
                    receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
                    _write_down(journal, error, message_id=record["messageId"], receives=receives, context=context)
                    failures.append({"itemIdentifier": record["messageId"]})
        flush_metrics()
        return {"batchItemFailures": failures}

    return traced(handler)


def bulk_handler(work: Callable[[Sequence[Event]], Sequence[str]], journal: Callable[[], MessageJournal]) -> Handler:
    """An SQS consumer that takes a batch as one piece of work.

    `work` returns the ids of the messages that are to come again. When it raises, or the batch holds a replay, the
    messages are taken one by one, so that only those at fault come again; it must be safe to repeat.
    """

    def one(record: Event) -> None:
        if work([record]):
            raise DependencyUnavailable("The message is to come again.")

    one_by_one = batch_handler(one, journal)

    def handler(event: Event, context: Any) -> Event:
        if any(_token(record) is not None for record in event["Records"]):
            return one_by_one(event, context)
        for record in event["Records"][:_ANNOTATED_MESSAGES]:
            with _at_message(record):
                pass
        _describe_all(event["Records"])
        try:
            failed = work(event["Records"])
        except Exception:
            logger.exception("batch failed")
            return one_by_one(event, context)
        if failed:
            logger.warning("messages failed", failed=list(failed))
            count("MessagesFailed", len(failed))
        flush_metrics()
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    return traced(handler)
