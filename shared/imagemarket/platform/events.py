"""Typed events: published in the transaction that makes them true, put on the bus afterwards by the outbox's relay.

An event comes at least once and in any order; whoever listens reads the truth anew, or goes by the event's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagemarket.platform.database import Database
from imagemarket.platform.errors import InvalidRequest
from imagemarket.platform.ids import new_id

if TYPE_CHECKING:
    from psycopg import Connection


class Event(BaseModel):
    """Something that has become true. The name of the class is its type, its fields are what listeners are told."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def type_name(cls) -> str:
        """What the outbox, the bus and the listeners' rules call it: one name among the events of all rooms."""
        return cls.__name__

    @property
    def subject(self) -> UUID:
        """What it is about."""
        raise NotImplementedError


_Kind = TypeVar("_Kind", bound=Event)


class Envelope(BaseModel):
    """An event on its way: the `detail` that the bus carries to its listeners."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    type: str
    subject: UUID
    payload: dict[str, Any]
    """The event's fields."""
    occurred_at: datetime
    request_id: str | None = None
    """The request that it follows from."""
    trace_header: str | None = Field(default=None, exclude=True)
    """The trace that it belongs to, which the bus carries beside the detail."""

    @classmethod
    def of(cls, event_id: UUID, event: Event, occurred_at: datetime) -> Envelope:
        """Of an event that follows from no request."""
        return cls(
            id=event_id,
            type=event.type_name(),
            subject=event.subject,
            payload=event.model_dump(mode="json"),
            occurred_at=occurred_at,
        )


def publish(
    connection: Connection[Any], event: Event, *, request_id: str | None = None, trace_header: str | None = None
) -> UUID:
    """Publishes an event with the caller's transaction; its id. `request_id` and `trace_header` say which request it
    follows from, and in which trace."""
    from psycopg.types.json import Jsonb

    event_id = new_id()
    connection.execute(
        "INSERT INTO outbox (event_id, type, subject, payload, request_id, trace_header)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (event_id, event.type_name(), event.subject, Jsonb(event.model_dump(mode="json")), request_id, trace_header),
    )
    return event_id


def publish_all(connection: Connection[Any], kind: type[Event], query: LiteralString) -> None:
    """Publishes an event of one type for each row of a query with `subject`, `payload`, `request_id` and
    `trace_header`, in one statement."""
    connection.execute(
        "INSERT INTO outbox (type, subject, payload, request_id, trace_header)"
        f" SELECT %s, subject, payload, request_id, trace_header FROM ({query}) AS events",
        (kind.type_name(),),
    )


def published(connection: Connection[Any], kind: type[_Kind], subject: UUID) -> list[tuple[UUID, _Kind]]:
    """The events of one type and subject in the order of their publication, each with its id; of the last days, for
    which they are kept."""
    rows = connection.execute(
        "SELECT event_id, payload FROM outbox WHERE subject = %s AND type = %s ORDER BY id", (subject, kind.type_name())
    ).fetchall()
    return [(row["event_id"], kind.model_validate(row["payload"])) for row in rows]


def subjects_since(database: Database, kind: type[Event], since: datetime) -> list[UUID]:
    """The subjects of events of one type that were published since a minute before a time, each once, in order."""
    rows = database.fetch_all(
        "SELECT DISTINCT subject FROM outbox WHERE type = %s AND created_at >= %s - interval '1 minute'"
        " ORDER BY subject",
        (kind.type_name(), since),
    )
    return [row["subject"] for row in rows]


def received(message: Mapping[str, Any], *kinds: type[_Kind]) -> tuple[UUID, _Kind]:
    """The event that a message of a listener's queue brings, one of `kinds`, with its id.

    Raises `InvalidRequest` for any other message.
    """
    if "detail-type" not in message:
        return _from_before_the_bus(message, kinds)
    with suppress(ValidationError):
        envelope = Envelope.model_validate(message.get("detail"))
        for kind in kinds:
            if kind.type_name() == envelope.type:
                return envelope.id, kind.model_validate(envelope.payload)
    raise InvalidRequest("The message is no event that is listened to here.")


def _from_before_the_bus(message: Mapping[str, Any], kinds: tuple[type[_Kind], ...]) -> tuple[UUID, _Kind]:
    """Of a message that the relay sent to the queue itself: an event's fields without its type. Such wait in a queue
    for up to 4 days after the first deployment of the bus, and among dead letters for 14."""
    for kind in kinds:
        with suppress(ValidationError):
            event = kind.model_validate(message)
            # The oldest had no id; nothing is remembered by the id of an event of their types.
            return UUID(message["event_id"]) if "event_id" in message else new_id(), event
    raise InvalidRequest("The message is no event that is listened to here.")
