"""The transactional outbox: events are written with what happened, and sent afterwards.

A row is added in the transaction that changes the truth (`events.publish`); `OutboxRelay.drain` sends what has been
committed, oldest first, at least once. The publishing function drains right after its commit and a
schedule drains what a crash left behind.
"""

from __future__ import annotations

from typing import Any

from imagemarket.platform.database import Database, Row
from imagemarket.platform.queue import Queue

_BATCH = 100


class OutboxRelay:
    """Sends committed events to the queue of whoever listens to their type, each in its trace."""

    def __init__(self, database: Database, listeners: dict[str, Queue]) -> None:
        self._database = database
        self._listeners = listeners

    def drain(self) -> int:
        """Sends everything that waits and tells how many messages that was.

        Rows are locked while they are sent, so two relays never send the same row side by side; a
        crash after sending and before the commit sends them again.
        """
        return sum(self._drain(kind, queue) for kind, queue in self._listeners.items())

    def _drain(self, kind: str, queue: Queue) -> int:
        total = 0
        while True:
            with self._database.transaction() as connection:
                rows = connection.execute(
                    "SELECT id, event_id, payload, request_id, trace_header FROM outbox"
                    " WHERE dispatched_at IS NULL AND type = %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
                    (kind, _BATCH),
                ).fetchall()
                queue.send([_message(row) for row in rows], trace_headers=[row["trace_header"] for row in rows])
                connection.execute(
                    "UPDATE outbox SET dispatched_at = now() WHERE id = ANY(%s)",
                    ([row["id"] for row in rows],),
                )
            total += len(rows)
            if len(rows) < _BATCH:
                return total


def _message(row: Row) -> dict[str, Any]:
    request = {} if row["request_id"] is None else {"request_id": row["request_id"]}
    return {"event_id": str(row["event_id"]), **row["payload"], **request}
