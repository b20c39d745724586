"""What the functions are wrapped in: steps of the saga, scheduled jobs and consumers of queues.

Each logs, counts and traces what it does, and notes why it failed where whoever looks at dead letters finds it. What
serves HTTP is wrapped by `http`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imagemarket.platform.errors import DependencyUnavailable, MarketError
from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID, REPLAY_TOKEN, Failure, FailureLog
from imagemarket.platform.metrics import lambda_cost_microdollars
from imagemarket.platform.telemetry import (
    Event,
    Handler,
    add_log_context,
    count,
    flush_metrics,
    logger,
    part_of_trace,
    traced,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord


def saga_step(function: Handler) -> Handler:
    """A step of the saga: logs carry the image and the execution, metrics are flushed, what it cost is counted."""

    def handler(event: Event, context: Any) -> Event:
        logger.clear_state()
        add_log_context(
            image_id=event.get("image_id"), execution=event.get("execution"), request_id=event.get("request_id")
        )
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


def scheduled(function: Handler, failure_log: Callable[[], FailureLog]) -> Handler:
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
                _write_down(failure_log, error, message_id=request, receives=1, context=context)
            raise
        finally:
            flush_metrics()

    return traced(handler)


def _write_down(
    failure_log: Callable[[], FailureLog], error: Exception, *, message_id: str, receives: int, context: Any
) -> None:
    """The log has the reason in any case; whoever looks at dead letters looks into the failure_log."""
    try:
        failure_log().failed(
            Failure.of(
                error,
                message_id=message_id,
                function=os.environ.get("POWERTOOLS_SERVICE_NAME", "unknown"),
                receives=receives,
                request_id=getattr(context, "aws_request_id", None),
            )
        )
    except Exception:  # noqa: BLE001 - the log has it, and the work is what counts
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
    with part_of_trace("## message"):
        add_log_context(**_told_in(record["body"]))
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


def batch_handler(work: Callable[[Event], None], failure_log: Callable[[], FailureLog]) -> Handler:
    """An SQS consumer that answers with the messages that failed, so that only they come again.

    Why one failed is written to the failure_log. A replay that was dealt with already is dropped: it was sent twice
    because whoever replayed it was interrupted.
    """

    def one(record: Event) -> None:
        token = _token(record)
        if token is not None and failure_log().is_done(token):
            logger.info("dropped the double of a replay")
            count("ReplaysDropped")
            return
        work(record)
        if token is not None:
            failure_log().done(token)

    def noted(record: Event, context: Any) -> Exception | None:
        _describe(record)
        with _at_message(record):
            try:
                one(record)
            except Exception as error:  # noqa: BLE001 - raised again behind the trace
                logger.exception("message failed")
                count(f"MessagesFailed.{type(error).__name__}")
                receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
                _write_down(failure_log, error, message_id=record["messageId"], receives=receives, context=context)
                return error
        return None

    def handler(event: Event, context: Any) -> Event:
        from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

        def taken(record: SQSRecord) -> None:
            if (error := noted(record.raw_event, context)) is not None:
                raise error  # after its part of the trace, which errors stay out of

        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        with processor(records=event["Records"], handler=taken):
            processor.process()
        flush_metrics()
        return {**processor.response()}

    return traced(handler)


def bulk_handler(work: Callable[[Sequence[Event]], Sequence[str]], failure_log: Callable[[], FailureLog]) -> Handler:
    """An SQS consumer that takes a batch as one piece of work.

    `work` returns the ids of the messages that are to come again. When it raises, or the batch holds a replay, the
    messages are taken one by one, so that only those at fault come again; it must be safe to repeat.
    """

    def one(record: Event) -> None:
        if work([record]):
            raise DependencyUnavailable("The message is to come again.")

    one_by_one = batch_handler(one, failure_log)

    def handler(event: Event, context: Any) -> Event:
        if any(_token(record) is not None for record in event["Records"]):
            return one_by_one(event, context)
        for record in event["Records"][:_ANNOTATED_MESSAGES]:
            with _at_message(record):
                pass
        _describe_all(event["Records"])
        try:
            failed = work(event["Records"])
        except Exception:  # noqa: BLE001 - they are taken one by one, which tells which is at fault
            logger.exception("batch failed")
            return one_by_one(event, context)
        if failed:
            logger.warning("messages failed", failed=list(failed))
            count("MessagesFailed", len(failed))
        flush_metrics()
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    return traced(handler)
