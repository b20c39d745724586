"""The EventBridge bus that events are published on. Each listener has a rule of its own there, by the events' types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from imagemarket.platform.aws import aws_errors
from imagemarket.platform.events import Envelope
from imagemarket.platform.telemetry import count, logger

SOURCE = "imagemarket"
"""Of every event on the bus; its type alone tells one from another."""
ENTRIES_LIMIT = 10
BYTES_LIMIT = 256 * 1024
"""Of one PutEvents request."""
_TIME_BYTES = 14
"""What EventBridge counts for an entry's time (user guide, "Calculating PutEvents event entry size")."""


class EventBus:
    """One bus to publish on."""

    def __init__(self, client: Any, name: str) -> None:
        """`client` is boto3's `events`."""
        self._client = client
        self._name = name

    def publish(self, envelopes: Sequence[Envelope]) -> set[UUID]:
        """Publishes events; the ids of those that the bus refused, such as while it throttles: nobody hears of them.

        Raises `DependencyUnavailable` where it does not answer; some may have been published then.
        """
        refused: dict[UUID, str] = {}
        for batch in _batches(envelopes):
            if sum(map(_size, batch)) > BYTES_LIMIT:  # one event alone, which the bus would never take
                refused[batch[0].id] = "TooLarge"
                continue
            with aws_errors("The event bus"):
                answer = self._client.put_events(Entries=[self._entry(envelope) for envelope in batch])
            results = zip(batch, answer["Entries"], strict=True)
            refused |= {envelope.id: result["ErrorCode"] for envelope, result in results if "ErrorCode" in result}
        if refused:
            count("EventsRefused", len(refused))
            logger.warning("the bus refused events", refused={str(each): error for each, error in refused.items()})
        return set(refused)

    def _entry(self, envelope: Envelope) -> dict[str, Any]:
        traced = {} if envelope.trace_header is None else {"TraceHeader": envelope.trace_header}
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": envelope.type,
            "Time": envelope.occurred_at,
            "Detail": envelope.model_dump_json(),
            **traced,
        }


def _batches(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """As many as one request takes; one that is too large for any is alone."""
    batch: list[Envelope] = []
    size = 0
    for envelope in envelopes:
        own = _size(envelope)
        if batch and (len(batch) == ENTRIES_LIMIT or size + own > BYTES_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(envelope)
        size += own
    if batch:
        yield batch


def _size(envelope: Envelope) -> int:
    """Of its entry, in bytes, as EventBridge counts."""
    return _TIME_BYTES + sum(len(part.encode()) for part in (SOURCE, envelope.type, envelope.model_dump_json()))
