"""What is published, in how many requests, and what becomes of what the bus refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from imagemarket.platform.bus import BYTES_LIMIT, EventBus
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.events import Envelope
from imagemarket.platform.ids import new_id
from tests.fakes import MemoryEvents

AT = datetime(2026, 1, 5, 10, 4, 44, tzinfo=UTC)


class Recorder(MemoryEvents):
    """Keeps how many entries came with each request."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[int] = []

    def put_events(self, *, Entries: Any) -> dict[str, Any]:  # noqa: N803
        self.requests.append(len(Entries))
        return super().put_events(Entries=Entries)


def an_event(size: int = 0, **fields: Any) -> Envelope:
    return Envelope(
        id=new_id(), type="Happened", subject=new_id(), payload={"words": "é" * (size // 2)}, occurred_at=AT, **fields
    )


def test_an_entry_says_what_the_event_says() -> None:
    client = MemoryEvents()
    event = an_event(request_id="request-1", trace_header="Root=1-5759e988-bd862e3fe1be46a994272793")
    assert EventBus(client, "imagemarket-test").publish([event]) == set()
    (entry,) = client.entries
    detail = json.loads(entry.pop("Detail"))
    assert entry == {
        "EventBusName": "imagemarket-test",
        "Source": "imagemarket",
        "DetailType": "Happened",
        "Time": AT,
        "TraceHeader": event.trace_header,
    }
    assert detail == {
        "id": str(event.id),
        "type": "Happened",
        "subject": str(event.subject),
        "payload": {"words": ""},
        "occurred_at": "2026-01-05T10:04:44Z",
        "request_id": "request-1",
    }


def test_a_request_has_ten_entries_and_256_kib_at_most() -> None:
    client = Recorder()
    bus = EventBus(client, "b")
    bus.publish([an_event() for _ in range(23)])
    assert client.requests == [10, 10, 3]
    client.requests.clear()
    bus.publish([an_event(size) for size in (100_000, 100_000, 100_000, 240_000, 22_000, 10)])
    assert client.requests == [2, 1, 1, 2]
    assert bus.publish([]) == set()
    assert len(client.requests) == 4, "nothing is asked for nothing"


def test_only_what_the_bus_refuses_is_told() -> None:
    client = MemoryEvents()
    events = [an_event() for _ in range(12)]
    wrong = {str(events[3].id), str(events[11].id)}
    client.refuses = lambda entry: json.loads(entry["Detail"])["id"] in wrong
    assert EventBus(client, "b").publish(events) == {events[3].id, events[11].id}
    assert len(client.entries) == 10


def test_an_event_that_is_too_large_holds_up_no_other() -> None:
    client = MemoryEvents()
    events = [an_event(), an_event(BYTES_LIMIT), an_event()]
    assert EventBus(client, "b").publish(events) == {events[1].id}
    assert [json.loads(entry["Detail"])["id"] for entry in client.entries] == [str(events[0].id), str(events[2].id)]


def test_a_bus_that_does_not_answer_is_said_to() -> None:
    client = MemoryEvents()
    client.broken = True
    with pytest.raises(DependencyUnavailable):
        EventBus(client, "b").publish([an_event()])
