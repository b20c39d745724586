"""The journal of replays: what makes an interrupted one lose nothing and double nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from imagemarket.operations.dead_letters.models import Cause, DeadMessage, image_of
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID


@dataclass(frozen=True)
class Claim:
    """A message's entry in the journal."""

    token: UUID
    sent_as: str | None
    """The id it was sent under; None when it was not sent, or nobody lived to write that it was."""


class Replays:
    """Claims, and what the database knows of messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self, messages: Sequence[DeadMessage]) -> list[DeadMessage]:
        """The messages with their causes, images, contributors and earlier replays; one round trip for each."""
        images = {message.id: image_of(message.body) for message in messages}
        owners = {
            row["id"]: row["contributor_id"]
            for row in self._database.fetch_all(
                "SELECT id, contributor_id FROM images WHERE id = ANY(%s)",
                ([image for image in images.values() if image],),
            )
        }
        ids = [name for message in messages for name in {message.id, message.known_as}]
        causes = {
            row.pop("message_id"): Cause.model_validate(row)
            for row in self._database.fetch_all(
                "SELECT message_id, function, error, detail, receives, request_id, last_at FROM message_failures"
                " WHERE message_id = ANY(%s)",
                (ids,),
            )
        }
        replays = self._replays(messages)
        return [
            message.model_copy(
                update={
                    "image_id": images[message.id],
                    "contributor_id": owners.get(images[message.id]),
                    "cause": causes.get(message.id) or causes.get(message.known_as) or _carried(message),
                    **replays[message.id],
                }
            )
            for message in messages
        ]

    def _replays(self, messages: Sequence[DeadMessage]) -> dict[str, dict[str, Any]]:
        """How often each message was replayed before it died again. Its own claim is not among them: that one is
        a replay under way."""
        found: dict[str, dict[str, Any]] = {message.id: {"replays": 0, "replayed_by": None} for message in messages}
        origins = {message.id: message.text(ORIGINAL_MESSAGE_ID) or message.id for message in messages}
        rows = self._database.fetch_all(
            "SELECT message_id, origin_id, replayed_by FROM message_replays WHERE origin_id = ANY(%s)"
            " ORDER BY claimed_at",
            (list(origins.values()),),
        )
        for message_id, origin in origins.items():
            for row in rows:
                if row["origin_id"] == origin and row["message_id"] != message_id:
                    known = found[message_id]
                    known["replays"] += 1
                    known["replayed_by"] = row["replayed_by"]
        return found

    def claim(self, message: DeadMessage, *, replayed_by: str) -> Claim:
        """Claims a message before it is sent; the same claim as before when there is one."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO message_replays (message_id, queue, token, origin_id, replayed_by)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (message_id) DO NOTHING",
                (
                    message.id,
                    message.queue,
                    new_id(),
                    message.text(ORIGINAL_MESSAGE_ID) or message.id,
                    replayed_by,
                ),
            )
            row = connection.execute(
                "SELECT token, sent_message_id FROM message_replays WHERE message_id = %s", (message.id,)
            ).fetchone()
        assert row is not None
        return Claim(row["token"], row["sent_message_id"])

    def sent(self, message_id: str, *, sent_as: str) -> None:
        """Writes down that a claimed message was sent."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE message_replays SET sent_at = clock_timestamp(), sent_message_id = %s WHERE message_id = %s",
                (sent_as, message_id),
            )


def _carried(message: DeadMessage) -> Cause:
    """The cause that EventBridge or Lambda put into the message's attributes, or that there is none."""
    error = message.text("ERROR_CODE")
    if error is not None:
        return Cause(error=error, detail=message.text("ERROR_MESSAGE") or "EventBridge could not deliver it.")
    if message.text("RequestID") is not None:
        detail = message.text("ErrorMessage") or "The function broke off."
        return Cause(detail=detail, request_id=message.text("RequestID"))
    return Cause()
