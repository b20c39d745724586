"""The rows of why messages failed and which were sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from imagemarket.platform.database import Database, Row
from imagemarket.platform.ids import new_id


@dataclass(frozen=True)
class Claim:
    """A message's entry in the journal."""

    token: UUID
    sent_as: str | None
    """The id it was sent under; None when it was not sent, or nobody lived to write that it was."""


def failures(database: Database, message_ids: Sequence[str]) -> list[Row]:
    """Why messages failed last."""
    return database.fetch_all(
        "SELECT message_id, function, error, detail, receives, request_id, last_at FROM message_failures"
        " WHERE message_id = ANY(%s)",
        (list(message_ids),),
    )


def replays(database: Database, origin_ids: Sequence[str]) -> list[Row]:
    """The claims on messages that were first known under some ids, in the order in which they were made."""
    return database.fetch_all(
        "SELECT message_id, origin_id, replayed_by FROM message_replays WHERE origin_id = ANY(%s) ORDER BY claimed_at",
        (list(origin_ids),),
    )


def claim(database: Database, message_id: str, *, queue: str, origin_id: str, replayed_by: str) -> Claim:
    """Claims a message of a queue's dead letters; the same claim as before when there is one."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO message_replays (message_id, queue, token, origin_id, replayed_by)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (message_id) DO NOTHING",
            (message_id, queue, new_id(), origin_id, replayed_by),
        )
        row = connection.execute(
            "SELECT token, sent_message_id FROM message_replays WHERE message_id = %s", (message_id,)
        ).fetchone()
    assert row is not None
    return Claim(row["token"], row["sent_message_id"])


def mark_sent(database: Database, message_id: str, *, sent_as: str) -> None:
    """Writes down that a claimed message was sent."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE message_replays SET sent_at = clock_timestamp(), sent_message_id = %s WHERE message_id = %s",
            (sent_as, message_id),
        )
