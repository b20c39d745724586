"""Looking through a queue without losing or hiding anything.

SQS has no way to read a message but to receive it, which hides it for a while. `Hold` receives each message once,
keeps all of them hidden while it is open (renewing in time), and lets every one that was not deleted be seen again
when it closes. If the process is killed they are seen again by themselves when the hold runs out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HOLD_SECONDS = 120
_BATCH = 10
"""The most that SQS receives or changes at once."""

Raw = dict[str, Any]


class Hold:
    """The messages of one queue; a context manager."""

    def __init__(
        self, client: SQSClient, url: str, *, most: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`most` messages are received at most."""
        self._client = client
        self._url = url
        self._most = most
        self._monotonic = monotonic
        self._held: dict[str, tuple[str, float]] = {}  # receipt and when it was hidden, by message id
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._change(list(self._held), 0)
        self._held.clear()

    def batches(self) -> Iterator[list[Raw]]:
        """Messages not seen before, up to ten at a time, until the queue shows no more."""
        while len(self._seen) < self._most:
            self.renew()
            # A long poll asks every server of the queue, so that an empty answer means an empty queue.
            received = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(_BATCH, self._most - len(self._seen)),
                VisibilityTimeout=HOLD_SECONDS,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not received:
                return
            now = self._monotonic()
            fresh = [dict(message) for message in received if message.get("MessageId") not in self._seen]
            for message in received:
                self._held[message.get("MessageId", "")] = (message.get("ReceiptHandle", ""), now)
            self._seen |= set(self._held)
            if fresh:
                yield fresh

    def delete(self, message_id: str) -> None:
        """Takes a held message out of the queue for good."""
        receipt, _ = self._held[message_id]
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)
        del self._held[message_id]

    def renew(self) -> None:
        """Hides what was hidden half its time ago for as long again."""
        now = self._monotonic()
        due = [name for name, (_, since) in self._held.items() if now - since > HOLD_SECONDS / 2]
        for name in self._change(due, HOLD_SECONDS):
            self._held[name] = (self._held[name][0], now)

    def _change(self, names: Sequence[str], seconds: int) -> list[str]:
        """Sets for how long messages stay hidden. Those whose receipt ran out are seen by others already."""
        changed: list[str] = []
        for start in range(0, len(names), _BATCH):
            part = names[start : start + _BATCH]
            answer = self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": self._held[name][0], "VisibilityTimeout": seconds}
                    for number, name in enumerate(part)
                ],
            )
            changed += [part[int(each["Id"])] for each in answer.get("Successful", [])]
        return changed
