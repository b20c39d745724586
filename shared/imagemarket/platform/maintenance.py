"""Daily housekeeping of the database."""

from __future__ import annotations

from typing import LiteralString

from imagemarket.platform.database import Database

_MONTHS_AHEAD = 6

_DELETIONS: dict[str, LiteralString] = {
    "account_tokens": "DELETE FROM account_tokens WHERE expires_at < now()",
    "account_mails": "DELETE FROM account_mails WHERE requested_at < now() - interval '7 days'",
    "mails_sent": "DELETE FROM mails_sent WHERE at < now() - interval '30 days'",
    "known_networks": "DELETE FROM known_networks WHERE last_at < now() - interval '180 days'",
    "refresh_tokens": "DELETE FROM refresh_tokens WHERE expires_at < now()",
    "idempotency_keys": "DELETE FROM idempotency_keys WHERE expires_at < now()",
    "message_failures": "DELETE FROM message_failures WHERE last_at < now() - interval '30 days'",
    "message_replays": "DELETE FROM message_replays WHERE claimed_at < now() - interval '30 days'",
    "notifications": "DELETE FROM notifications WHERE created_at < now() - interval '180 days'",
    "webhook_deliveries": (
        "DELETE FROM webhook_deliveries WHERE status <> 'pending' AND finished_at < now() - interval '30 days'"
        # what waits for a webhook that is never verified
        " OR status = 'pending' AND created_at < now() - interval '30 days' AND due_at < now() - interval '30 days'"
    ),
    "webhook_challenges": "DELETE FROM webhook_challenges WHERE at < now() - interval '1 day'",
    "search_events": "DELETE FROM search_events WHERE at < now() - interval '90 days'",
    "outbox": "DELETE FROM outbox WHERE dispatched_at < now() - interval '7 days'",
}


_STATEMENT_TIMEOUT = "20s"


class Maintenance:
    """Opens partitions ahead of time and deletes what has expired."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> dict[str, int]:
        """Rows deleted by table. Safe to run at any time."""
        deleted: dict[str, int] = {}
        with self._database.transaction() as connection:
            # No client waits for it, as for other statements: a deployment does, on a machine that may be busy.
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (_STATEMENT_TIMEOUT,))
            connection.execute("SELECT ensure_image_partitions((now() AT TIME ZONE 'UTC')::date, %s)", (_MONTHS_AHEAD,))
            for table, statement in _DELETIONS.items():
                deleted[table] = connection.execute(statement).rowcount
        return deleted
