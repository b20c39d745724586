"""The daily run that deletes what has expired; each room's `retention.py` says how long it keeps what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from imagemarket.catalog.repository import open_partitions
from imagemarket.platform.database import Database, allow_seconds

_MONTHS_AHEAD = 6
_SECONDS = 20


class Retention:
    """Opens partitions ahead of time and deletes what has expired."""

    def __init__(self, database: Database, expired: Mapping[str, LiteralString]) -> None:
        """`expired` has the statement that deletes from each table."""
        self._database = database
        self._expired = expired

    def run(self) -> dict[str, int]:
        """Rows deleted by table. Safe to run at any time."""
        deleted: dict[str, int] = {}
        with self._database.transaction() as connection:
            # No client waits for it, as for other statements: a deployment does, on a machine that may be busy.
            allow_seconds(connection, _SECONDS)
            open_partitions(connection, months_ahead=_MONTHS_AHEAD)
            for table, statement in self._expired.items():
                deleted[table] = connection.execute(statement).rowcount
        return deleted
