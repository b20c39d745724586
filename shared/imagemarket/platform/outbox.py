"""The transactional outbox: what must be told is written with what happened, and sent afterwards.

A row is added in the transaction that changes the truth; `OutboxRelay.drain` sends what has been
committed, oldest first, at least once. The publishing function drains right after its commit and a
schedule drains what a crash left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString
from uuid import UUID

from imagemarket.platform.database import Database
from imagemarket.platform.queue import Queue

if TYPE_CHECKING:
    from psycopg import Connection

_BATCH = 100

INDEX_TOPIC = "index"
"""An image's search document may have changed; the payload is `{"image_id", "version"}`."""


NOTIFICATIONS_TOPIC = "notifications"
"""A contributor has something to be told of an image; the payload is `{"notification_id", "image_id"}`. A trigger on
`images.status` adds it."""


def add(connection: Connection[Any], *, topic: str, image_id: UUID, payload: dict[str, Any]) -> None:
    """Adds one message within the caller's transaction, with the `request_id` that the image began with."""
    from psycopg.types.json import Jsonb

    connection.execute(
        "INSERT INTO outbox (topic, image_id, payload) VALUES (%(topic)s, %(image)s, %(payload)s || coalesce("
        " (SELECT jsonb_build_object('request_id', request_id) FROM image_uploads"
        "   WHERE image_id = %(image)s AND request_id IS NOT NULL), '{}'))",
        {"topic": topic, "image": image_id, "payload": Jsonb(payload)},
    )


def add_all(connection: Connection[Any], *, topic: str, query: LiteralString) -> None:
    """Adds a message for each row of a query with `image_id` and `payload`, in one statement."""
    connection.execute(
        f"INSERT INTO outbox (topic, image_id, payload) SELECT %s, image_id, payload FROM ({query}) AS messages",
        (topic,),
    )


class OutboxRelay:
    """Sends committed outbox rows to the queue of their topic, each in the trace of its image."""

    def __init__(self, database: Database, queues: dict[str, Queue]) -> None:
        self._database = database
        self._queues = queues

    def drain(self) -> int:
        """Sends everything that waits and tells how many messages that was.

        Rows are locked while they are sent, so two relays never send the same row side by side; a
        crash after sending and before the commit sends them again.
        """
        return sum(self._drain(topic, queue) for topic, queue in self._queues.items())

    def _drain(self, topic: str, queue: Queue) -> int:
        total = 0
        while True:
            with self._database.transaction() as connection:
                rows = connection.execute(
                    "SELECT o.id, o.payload, i.trace_header"
                    "  FROM outbox o LEFT JOIN image_uploads i ON i.image_id = o.image_id"
                    " WHERE o.dispatched_at IS NULL AND o.topic = %s ORDER BY o.id LIMIT %s"
                    " FOR UPDATE OF o SKIP LOCKED",
                    (topic, _BATCH),
                ).fetchall()
                queue.send(
                    [{"id": row["id"], **row["payload"]} for row in rows],
                    trace_headers=[row["trace_header"] for row in rows],
                )
                connection.execute(
                    "UPDATE outbox SET dispatched_at = now() WHERE id = ANY(%s)",
                    ([row["id"] for row in rows],),
                )
            total += len(rows)
            if len(rows) < _BATCH:
                return total
