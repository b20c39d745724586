"""SQS: batches out, messages that carry an id a consumer can deduplicate by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagemarket.platform.errors import DependencyUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH_LIMIT = 10  # messages in one SendMessageBatch, the SQS limit


class Queue:
    """One SQS queue to send to."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        delay_seconds: int = 0,
        trace_headers: Sequence[str | None] = (),
    ) -> None:
        """Sends every message as JSON, to be seen after `delay_seconds` (900 at most, the SQS limit).

        `trace_headers` name the trace that each message belongs to, in the messages' order; one without belongs to the
        sender's. Raises `DependencyUnavailable` unless all were taken.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        told = list(zip(messages, trace_headers or [None] * len(messages), strict=True))
        for start in range(0, len(messages), BATCH_LIMIT):
            entries = [
                {
                    "Id": str(number),
                    "MessageBody": json.dumps(message, separators=(",", ":")),
                    "DelaySeconds": delay_seconds,
                    **_in_trace(header),
                }
                for number, (message, header) in enumerate(told[start : start + BATCH_LIMIT])
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)  # pyright: ignore[reportArgumentType]
            except (BotoCoreError, ClientError) as error:
                raise DependencyUnavailable("The queue is not answering; try again.") from error
            if answer.get("Failed"):
                raise DependencyUnavailable("The queue did not take every message; try again.")


def _in_trace(header: str | None) -> dict[str, Any]:
    """The one attribute of its own that SQS takes; it overrides the header of the request."""
    if header is None:
        return {}
    return {"MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}}
