"""SQS: batches out, messages that carry an id a consumer can deduplicate by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagemarket.platform.aws import aws_errors
from imagemarket.platform.errors import DependencyUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH_LIMIT = 10  # messages in one SendMessageBatch, the SQS limit


class Queue:
    """One SQS queue to send to."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Sequence[Mapping[str, Any]], *, delay_seconds: int = 0) -> None:
        """Sends every message as JSON, to be seen after `delay_seconds` (900 at most, the SQS limit).

        Raises `DependencyUnavailable` unless all were taken.
        """
        for start in range(0, len(messages), BATCH_LIMIT):
            entries = [
                {
                    "Id": str(number),
                    "MessageBody": json.dumps(message, separators=(",", ":")),
                    "DelaySeconds": delay_seconds,
                }
                for number, message in enumerate(messages[start : start + BATCH_LIMIT])
            ]
            with aws_errors("The queue"):
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)  # pyright: ignore[reportArgumentType]
            if answer.get("Failed"):
                raise DependencyUnavailable("The queue did not take every message; try again.")
