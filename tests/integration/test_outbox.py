"""What waits in the outbox, and what of it the relay has published."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from imagemarket.catalog.events import ImageListingChanged
from imagemarket.platform import outbox
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.events import publish
from imagemarket.platform.ids import new_id
from imagemarket.platform.outbox import OutboxRelay
from tests.fakes import MemoryBus

pytestmark = pytest.mark.engines


def published(database: Database, number: int) -> list[UUID]:
    """Events in the outbox; their ids."""
    with database.transaction() as connection:
        return [publish(connection, ImageListingChanged(image_id=new_id(), version=1)) for _ in range(number)]


def waiting(database: Database) -> list[UUID]:
    rows = database.fetch_all("SELECT event_id FROM outbox WHERE dispatched_at IS NULL ORDER BY id")
    return [row["event_id"] for row in rows]


def sent(bus: MemoryBus) -> list[UUID]:
    """The ids of what the bus has taken since the last call."""
    return [UUID(message["detail"]["id"]) for message in bus.take(ImageListingChanged)]


def test_all_that_waits_is_published_once_in_its_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_BATCH", 10)
    events, bus = published(database, 25), MemoryBus()
    relay = OutboxRelay(database, bus)
    assert relay.drain() == 25
    assert (sent(bus), waiting(database)) == (events, [])
    assert relay.drain() == 0
    assert sent(bus) == []


def test_what_the_bus_refuses_stays_and_is_published_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a whole batch is refused, it holds up none behind it."""
    monkeypatch.setattr(outbox, "_BATCH", 10)
    events, bus = published(database, 25), MemoryBus()
    refused = {*events[:10], events[17]}
    bus.client.refuses = lambda entry: UUID(json.loads(entry["Detail"])["id"]) in refused
    relay = OutboxRelay(database, bus)
    assert relay.drain() == 14
    assert waiting(database) == sorted(refused, key=events.index)
    assert set(sent(bus)) == set(events) - refused
    assert relay.drain() == 0
    bus.client.refuses = lambda _: False
    assert relay.drain() == 11
    assert (sent(bus), waiting(database)) == (sorted(refused, key=events.index), [])


def test_nothing_is_lost_while_the_bus_is_away(database: Database) -> None:
    events, bus = published(database, 3), MemoryBus()
    bus.client.broken = True
    relay = OutboxRelay(database, bus)
    with pytest.raises(DependencyUnavailable):
        relay.drain()
    assert waiting(database) == events
    bus.client.broken = False
    assert relay.drain() == 3
    assert sent(bus) == events
