# ruff: noqa: N803 - the names of boto3's arguments
"""SQS in memory: as much of boto3's client as the code under test calls, with visibility and a redrive policy."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_RECEIVES = 3


@dataclass
class Message:
    """One message of a queue."""

    body: str
    attributes: dict[str, Any]
    sent_at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receipt: str = ""
    visible_at: float = 0.0
    receives: int = 0


class MemorySqs:
    """Queues by URL. `now` is moved by the test; `before` is called with the name of each call, and may raise."""

    def __init__(self, *names: str) -> None:
        self.now = 1_000_000.0
        self.queues: dict[str, list[Message]] = {self.url(name): [] for name in names}
        self.before: Callable[[str], None] = lambda _: None

    @staticmethod
    def url(name: str) -> str:
        return f"https://sqs.test/000000000000/{name}"

    def put(self, name: str, body: str, **attributes: Any) -> str:
        """A message that has been waiting since now."""
        message = Message(body, attributes, self.now)
        self.queues[self.url(name)].append(message)
        return message.id

    def bodies(self, name: str) -> list[str]:
        return [message.body for message in self.queues[self.url(name)]]

    def visible(self, name: str) -> int:
        return sum(message.visible_at <= self.now for message in self.queues[self.url(name)])

    def deliver(self, name: str, handler: Callable[[Any, Any], Any]) -> None:
        """What an event source mapping does once: hands everything to the handler, puts back what failed, moves what
        failed too often to the dead letters."""
        url = self.url(name)
        batch, self.queues[url] = self.queues[url], []
        for message in batch:
            message.receives += 1
        answer = handler({"Records": [record_of(message) for message in batch]}, None) if batch else {}
        failed = {each["itemIdentifier"] for each in answer.get("batchItemFailures", [])}
        for message in batch:
            if message.id in failed:
                dead = message.receives >= MAX_RECEIVES
                message.receives = 0 if dead else message.receives
                self.queues[f"{url}-dead" if dead else url].append(message)

    # --- the client --------------------------------------------------------------------------------

    def get_paginator(self, name: str) -> Any:
        assert name == "list_queues"
        client = self

        class Paginator:
            def paginate(self, *, QueueNamePrefix: str) -> Iterator[dict[str, Any]]:
                yield {
                    "QueueUrls": [url for url in client.queues if url.rpartition("/")[2].startswith(QueueNamePrefix)]
                }

        return Paginator()

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        name = QueueUrl.rpartition("/")[2]
        messages = self.queues[QueueUrl]
        visible = sum(message.visible_at <= self.now for message in messages)
        found = {
            "QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{name}",
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(messages) - visible),
        }
        if f"{QueueUrl}-dead" in self.queues:
            found["RedrivePolicy"] = json.dumps(
                {"deadLetterTargetArn": f"{found['QueueArn']}-dead", "maxReceiveCount": MAX_RECEIVES}
            )
        return {"Attributes": found}

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int,
        VisibilityTimeout: int,
        **_: Any,
    ) -> dict[str, Any]:
        self.before("receive")
        chosen = [m for m in self.queues[QueueUrl] if m.visible_at <= self.now][:MaxNumberOfMessages]
        for message in chosen:
            message.receipt = str(uuid.uuid4())
            message.visible_at = self.now + VisibilityTimeout
        return {
            "Messages": [
                {
                    "MessageId": message.id,
                    "ReceiptHandle": message.receipt,
                    "Body": message.body,
                    "MessageAttributes": message.attributes,
                    "Attributes": {"SentTimestamp": str(int(message.sent_at * 1000))},
                }
                for message in chosen
            ]
        }

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: dict[str, Any]) -> dict[str, str]:
        self.before("send")
        message = Message(MessageBody, dict(MessageAttributes), self.now)
        self.queues[QueueUrl].append(message)
        self.before("sent")
        return {"MessageId": message.id}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        self.before("delete")
        kept = [message for message in self.queues[QueueUrl] if message.receipt != ReceiptHandle]
        assert len(kept) < len(self.queues[QueueUrl]), "the receipt is of no message"
        self.queues[QueueUrl] = kept
        self.before("deleted")

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.before("change")
        by_receipt = {message.receipt: message for message in self.queues[QueueUrl]}
        done = [entry for entry in Entries if entry["ReceiptHandle"] in by_receipt]
        for entry in done:
            by_receipt[entry["ReceiptHandle"]].visible_at = self.now + entry["VisibilityTimeout"]
        return {"Successful": [{"Id": entry["Id"]} for entry in done]}


def record_of(message: Message) -> dict[str, Any]:
    """A message as Lambda hands it to a function."""
    return {
        "messageId": message.id,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives)},
        "messageAttributes": {
            name: {"dataType": each["DataType"], "stringValue": each.get("StringValue")}
            for name, each in message.attributes.items()
        },
    }
