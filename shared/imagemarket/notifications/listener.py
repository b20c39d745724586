"""What contributors are told of: decided here, from the events that are listened to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.catalog.models import ImageStatus
from imagemarket.identity.events import AccountMailRequested
from imagemarket.notifications.events import NotificationAdded
from imagemarket.notifications.repository import notifications as repository
from imagemarket.platform import events
from imagemarket.platform.database import Connection

LISTENS_TO = (ImageStatusChanged, NotificationAdded, AccountMailRequested)

_NEWS = {
    ImageStatus.APPROVED,
    ImageStatus.REJECTED,
    ImageStatus.PENDING_REVIEW,
    ImageStatus.PROCESSING_FAILED,
    ImageStatus.TAKEN_DOWN,
}
_UNLESS_KNOWN = {ImageStatus.APPROVED, ImageStatus.PENDING_REVIEW}
"""An image that is made anew, because something of it was lost, comes to where its contributor knows it is."""


def note(connection: Connection, event_id: UUID, event: ImageStatusChanged) -> None:
    """Writes the notifications of a change of status and of all earlier ones of the image, each once and in their
    order, so that an event which overtakes another one takes it along."""
    known = {**dict(events.published(connection, ImageStatusChanged, event.image_id)), event_id: event}
    for each_id, each in sorted(known.items(), key=lambda item: item[1].version):
        if each.after in _NEWS and each.version <= event.version:
            _note(connection, each_id, each)


def _note(connection: Connection, event_id: UUID, event: ImageStatusChanged) -> None:
    data: dict[str, Any] = {
        "image_id": str(event.image_id),
        "title": event.title,
        "status": event.after.value,
        "version": event.version,
    }
    if event.reason is not None:
        data["reason"] = event.reason.model_dump(exclude_none=True)
    repository.add_of_event(
        connection, event_id, event, f"image.{event.after.value}", data, unless_known=event.after in _UNLESS_KNOWN
    )
