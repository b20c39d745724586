"""Typed events: published in the transaction that makes them true, passed on afterwards by the outbox's relay.

An event comes at least once and in any order; whoever listens reads the truth anew, or goes by the event's id.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id

if TYPE_CHECKING:
    from psycopg import Connection


class Event(BaseModel):
    """Something that has become true. The name of the class is its type, its fields are what listeners are told."""

    model_config = ConfigDict(frozen=True)

    @property
    def subject(self) -> UUID:
        """What it is about."""
        raise NotImplementedError


_Kind = TypeVar("_Kind", bound=Event)


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
        (event_id, type(event).__name__, event.subject, Jsonb(event.model_dump(mode="json")), request_id, trace_header),
    )
    return event_id


def publish_all(connection: Connection[Any], kind: type[Event], query: LiteralString) -> None:
    """Publishes an event of one type for each row of a query with `subject`, `payload`, `request_id` and
    `trace_header`, in one statement."""
    connection.execute(
        "INSERT INTO outbox (type, subject, payload, request_id, trace_header)"
        f" SELECT %s, subject, payload, request_id, trace_header FROM ({query}) AS events",
        (kind.__name__,),
    )


def published(connection: Connection[Any], kind: type[_Kind], subject: UUID) -> list[tuple[UUID, _Kind]]:
    """The events of one type and subject in the order of their publication, each with its id; of the last days, for
    which they are kept."""
    rows = connection.execute(
        "SELECT event_id, payload FROM outbox WHERE subject = %s AND type = %s ORDER BY id", (subject, kind.__name__)
    ).fetchall()
    return [(row["event_id"], kind.model_validate(row["payload"])) for row in rows]


def subjects_since(database: Database, kind: type[Event], since: datetime) -> list[UUID]:
    """The subjects of events of one type that were published since a minute before a time, each once, in order."""
    rows = database.fetch_all(
        "SELECT DISTINCT subject FROM outbox WHERE type = %s AND created_at >= %s - interval '1 minute'"
        " ORDER BY subject",
        (kind.__name__, since),
    )
    return [row["subject"] for row in rows]
