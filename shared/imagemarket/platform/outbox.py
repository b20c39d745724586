"""The transactional outbox: events are written with what happened, and put on the bus afterwards.

A row is added in the transaction that changes the truth (`events.publish`); `OutboxRelay.drain` publishes what has been
committed, oldest first, at least once. The publishing function drains right after its commit and a
schedule drains what a crash left behind.
"""

from __future__ import annotations

from imagemarket.platform.bus import EventBus
from imagemarket.platform.database import Database, Row
from imagemarket.platform.events import Envelope

_BATCH = 100


class OutboxRelay:
    """Puts committed events on the bus, each in its trace; who listens there it does not know."""

    def __init__(self, database: Database, bus: EventBus) -> None:
        self._database = database
        self._bus = bus

    def drain(self) -> int:
        """Publishes everything that waits and tells how many events that was. Those that the bus refuses stay, and are
        published by the next call.

        Rows are locked while they are published, so two relays never publish the same row side by side; a
        crash after publishing and before the commit publishes them again. Raises `DependencyUnavailable`.
        """
        total = last = 0
        while True:
            with self._database.transaction() as connection:
                rows = connection.execute(
                    "SELECT id, event_id, type, subject, payload, created_at, request_id, trace_header FROM outbox"
                    " WHERE dispatched_at IS NULL AND id > %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
                    (last, _BATCH),
                ).fetchall()
                refused = self._bus.publish([_envelope(row) for row in rows])
                published = [row["id"] for row in rows if row["event_id"] not in refused]
                connection.execute("UPDATE outbox SET dispatched_at = now() WHERE id = ANY(%s)", (published,))
            total += len(published)
            if len(rows) < _BATCH:
                return total
            last = rows[-1]["id"]


def _envelope(row: Row) -> Envelope:
    return Envelope(
        id=row["event_id"],
        type=row["type"],
        subject=row["subject"],
        payload=row["payload"],
        occurred_at=row["created_at"],
        request_id=row["request_id"],
        trace_header=row["trace_header"],
    )
