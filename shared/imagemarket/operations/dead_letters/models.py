"""What a dead letter is, which ones are meant, and what was done with them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from imagemarket.platform.messages import ORIGINAL_MESSAGE_ID

UNRECORDED = "Unrecorded"
"""Cause of a message whose consumer left no word: it ended by its limit of time or memory, or had no database."""

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_IMAGE = (
    re.compile(rf'"image_id"\s*:\s*"({_UUID})"'),
    re.compile(rf"originals/{_UUID}/({_UUID})\."),
)


class DeadQueue(BaseModel):
    """A queue of dead letters and where they came from."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Short name: without the stage's prefix and `-dead`.")
    url: str
    source_url: str | None = Field(description="The queue whose dead letters these are; None for scheduled jobs.")
    waiting: int = Field(description="Messages that can be received, as SQS estimates.")
    held: int = Field(description="Messages that somebody else is looking at now, as SQS estimates.")


class Cause(BaseModel):
    """Why a message died."""

    error: str = UNRECORDED
    detail: str = "Its consumer left no word: it ran out of time or memory, or could not reach the database."
    function: str | None = None
    receives: int | None = None
    request_id: str | None = None
    last_at: datetime | None = None


class DeadMessage(BaseModel):
    """One message in a queue of dead letters."""

    id: str
    queue: str
    body: str
    attributes: dict[str, dict[str, Any]] = Field(description="Message attributes as SQS gives them.")
    sent_at: datetime
    image_id: UUID | None = None
    contributor_id: UUID | None = None
    cause: Cause = Cause()
    replays: int = Field(default=0, description="How often it was sent again, under whichever id.")
    replayed_by: str | None = Field(default=None, description="Who sent it again last.")

    def text(self, attribute: str) -> str | None:
        """A message attribute's string."""
        return self.attributes.get(attribute, {}).get("StringValue")

    @property
    def known_as(self) -> str:
        """The id under which its failure stands in the failure log, when it is not its own: that of the message it
        was imported from, or of the asynchronous call."""
        return self.text(ORIGINAL_MESSAGE_ID) or self.text("RequestID") or self.id


def image_of(body: str) -> UUID | None:
    """The image that a message is about: named in its body, or by the key of its original."""
    for pattern in _IMAGE:
        if found := pattern.search(body):
            return UUID(found[1])
    return None


class Choice(BaseModel):
    """Which dead letters are meant; every field that is set must hold."""

    model_config = ConfigDict(frozen=True)

    queue: str | None = None
    message: str | None = None
    errors: frozenset[str] = frozenset()
    """Causes, any of which will do; none means any at all."""
    image: UUID | None = None
    contributor: UUID | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    def matches(self, message: DeadMessage, now: datetime) -> bool:
        age = now - message.sent_at
        return (
            (self.queue is None or message.queue == self.queue)
            and (self.message is None or message.id == self.message)
            and (not self.errors or message.cause.error.casefold() in {error.casefold() for error in self.errors})
            and (self.image is None or message.image_id == self.image)
            and (self.contributor is None or message.contributor_id == self.contributor)
            and (self.older_than is None or age >= self.older_than)
            and (self.newer_than is None or age <= self.newer_than)
        )


Outcome = Literal[
    "replayed", "finished", "would_replay", "refused", "failed", "purged", "exported", "imported", "there"
]
"""`finished`: an interrupted replay had sent it already, and now it is gone from the dead letters too. `there`: an
import found it in its queue."""


class Line(BaseModel):
    """What was done with one message."""

    message_id: str
    queue: str
    outcome: Outcome
    error: str = Field(description="The message's cause.")
    image_id: UUID | None = None
    reason: str | None = Field(default=None, description="Why it was refused or failed.")
    sent_as: str | None = Field(default=None, description="The id of the message that was sent in its place.")


class Report(BaseModel):
    """What was done."""

    lines: list[Line] = []

    @property
    def counts(self) -> dict[str, int]:
        return dict(sorted(Counter(line.outcome for line in self.lines).items()))

    @property
    def clean(self) -> bool:
        """Whether nothing was refused and nothing failed."""
        return not {"refused", "failed"} & set(self.counts)
