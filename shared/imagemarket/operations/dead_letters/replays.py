"""The journal of replays: what makes an interrupted one lose nothing and double nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imagemarket.catalog.repository import contributors
from imagemarket.operations import repository
from imagemarket.operations.dead_letters.models import Cause, DeadMessage, image_of
from imagemarket.operations.repository import Claim
from imagemarket.platform.database import Database
from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID


class Replays:
    """Claims, and what the database knows of messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self, messages: Sequence[DeadMessage]) -> list[DeadMessage]:
        """The messages with their causes, images, contributors and earlier replays; one round trip for each."""
        images = {message.id: image_of(message.body) for message in messages}
        owners = contributors(self._database, [image for image in images.values() if image])
        ids = [name for message in messages for name in {message.id, message.known_as}]
        causes = {row.pop("message_id"): Cause.model_validate(row) for row in repository.failures(self._database, ids)}
        replays = self._replays(messages)
        return [
            message.model_copy(
                update={
                    "image_id": (image_id := images[message.id]),
                    "contributor_id": owners.get(image_id) if image_id else None,
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
        rows = repository.replays(self._database, list(origins.values()))
        for message_id, origin in origins.items():
            for row in rows:
                if row["origin_id"] == origin and row["message_id"] != message_id:
                    known = found[message_id]
                    known["replays"] += 1
                    known["replayed_by"] = row["replayed_by"]
        return found

    def claim(self, message: DeadMessage, *, replayed_by: str) -> Claim:
        """Claims a message before it is sent; the same claim as before when there is one."""
        return repository.claim(
            self._database,
            message.id,
            queue=message.queue,
            origin_id=message.text(ORIGINAL_MESSAGE_ID) or message.id,
            replayed_by=replayed_by,
        )

    def sent(self, message_id: str, *, sent_as: str) -> None:
        """Writes down that a claimed message was sent."""
        repository.mark_sent(self._database, message_id, sent_as=sent_as)


def _carried(message: DeadMessage) -> Cause:
    """The cause that EventBridge or Lambda put into the message's attributes, or that there is none."""
    error = message.text("ERROR_CODE")
    if error is not None:
        return Cause(error=error, detail=message.text("ERROR_MESSAGE") or "EventBridge could not deliver it.")
    if message.text("RequestID") is not None:
        detail = message.text("ErrorMessage") or "The function broke off."
        return Cause(detail=detail, request_id=message.text("RequestID"))
    return Cause()
