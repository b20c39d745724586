"""Which queues of dead letters a stage has, and how a dead letter goes back to where it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imagemarket.operations.dead_letters.models import DeadMessage, DeadQueue
from imagemarket.platform.errors import InvalidRequest

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_DEAD = "-dead"
ATTRIBUTES_AT_MOST = 10
"""Message attributes that SQS takes."""


class DeadQueues:
    """Found by their names, which begin with the stage's prefix, so that a new queue needs no registration."""

    def __init__(self, *, sqs: SQSClient, lambdas: Any, events: Any, prefix: str) -> None:
        """`lambdas` and `events` are clients of AWS Lambda and EventBridge; `prefix` such as `imagemarket-local`."""
        self.sqs: SQSClient = sqs
        self._lambdas = lambdas
        self._events = events
        self._prefix = prefix

    def all(self) -> list[DeadQueue]:
        """Every queue of dead letters with its source, by name."""
        attributes = {url: self._attributes(url) for url in self._urls()}
        sources: dict[str, str] = {}
        for url, each in attributes.items():
            if "RedrivePolicy" in each:
                sources[json.loads(each["RedrivePolicy"])["deadLetterTargetArn"]] = url
        return sorted(
            (
                DeadQueue(
                    name=name.removeprefix(f"{self._prefix}-").removesuffix(_DEAD),
                    url=url,
                    source_url=sources.get(each["QueueArn"]),
                    waiting=int(each["ApproximateNumberOfMessages"]),
                    held=int(each["ApproximateNumberOfMessagesNotVisible"]),
                )
                for url, each in attributes.items()
                if (name := url.rpartition("/")[2]).endswith(_DEAD)
            ),
            key=lambda queue: queue.name,
        )

    def _urls(self) -> list[str]:
        pages = self.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{self._prefix}-")
        return [url for page in pages for url in page.get("QueueUrls", [])]

    def _attributes(self, url: str) -> Mapping[str, str]:
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]  # pyright: ignore[reportReturnType]

    def send_back(self, queue: DeadQueue, message: DeadMessage, extra: Mapping[str, str]) -> str:
        """Sends a message to its source with its attributes and the `extra` ones; returns the new message's id.

        A scheduled job is called again with its event; the id is then that of the request. Raises
        `InvalidRequest` where there is no way back.
        """
        if queue.source_url is not None:
            return self.send(queue.source_url, message, extra)
        answer = self._lambdas.invoke(
            FunctionName=self._function_of(message), InvocationType="Event", Payload=message.body.encode()
        )
        return answer["ResponseMetadata"]["RequestId"]

    def send(self, url: str, message: DeadMessage, extra: Mapping[str, str]) -> str:
        """Sends a message to a queue; returns the new message's id."""
        attributes: dict[str, Any] = {
            **message.attributes,
            **{name: {"DataType": "String", "StringValue": value} for name, value in extra.items()},
        }
        if len(attributes) > ATTRIBUTES_AT_MOST:
            raise InvalidRequest(
                f"The message has {len(message.attributes)} attributes, and SQS takes {ATTRIBUTES_AT_MOST} with the"
                f" {len(extra)} that a replay adds."
            )
        return self.sqs.send_message(QueueUrl=url, MessageBody=message.body, MessageAttributes=attributes)["MessageId"]

    def _function_of(self, message: DeadMessage) -> str:
        """The function that a scheduled event was for: EventBridge names it, or the rule in the event does."""
        arn = message.text("TARGET_ARN") or self._target_of_rule(message.body)
        if arn.split(":")[5:6] != ["function"] or not arn.split(":")[6].startswith(f"{self._prefix}-"):
            raise InvalidRequest("The dead letter names no function of this stage, so there is nowhere to send it.")
        return arn

    def _target_of_rule(self, body: str) -> str:
        try:
            rule = json.loads(body)["resources"][0].rpartition("/")[2]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise InvalidRequest("The dead letter is no scheduled event, so nobody knows where it was for.") from None
        targets = self._events.list_targets_by_rule(Rule=rule)["Targets"]
        if not targets:
            raise InvalidRequest("The rule that made this event has no target any more.")
        return targets[0]["Arn"]
