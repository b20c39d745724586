"""The daily run that deletes what has expired; each room's `retention.py` says how long it keeps what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from imagemarket.platform.database import Database

_MONTHS_AHEAD = 6

_STATEMENT_TIMEOUT = "20s"


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
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (_STATEMENT_TIMEOUT,))
            connection.execute("SELECT ensure_image_partitions((now() AT TIME ZONE 'UTC')::date, %s)", (_MONTHS_AHEAD,))
            for table, statement in self._expired.items():
                deleted[table] = connection.execute(statement).rowcount
        return deleted
