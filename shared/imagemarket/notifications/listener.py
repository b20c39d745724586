"""What contributors are told of: decided here, from the events that are listened to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.catalog.models import ImageStatus
from imagemarket.identity.events import AccountMailRequested
from imagemarket.notifications.events import NotificationAdded
from imagemarket.platform import events
from imagemarket.platform.database import Row

if TYPE_CHECKING:
    from psycopg import Connection

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

_NOTE = """
    INSERT INTO notifications (event_id, account_id, type, image_id, data, created_at)
    SELECT %(event)s, %(account)s, %(type)s::varchar, %(image)s::uuid, %(data)s, %(at)s
     WHERE NOT (%(unless_known)s AND coalesce(%(type)s::varchar = (
               SELECT type FROM notifications
                WHERE image_id = %(image)s AND (data ->> 'version')::bigint < %(version)s
                ORDER BY seq DESC LIMIT 1), false))
    ON CONFLICT (event_id) DO NOTHING
"""


def note(connection: Connection[Row], event_id: UUID, event: ImageStatusChanged) -> None:
    """Writes the notifications of a change of status and of all earlier ones of the image, each once and in their
    order, so that an event which overtakes another one takes it along."""
    known = {**dict(events.published(connection, ImageStatusChanged, event.image_id)), event_id: event}
    for each_id, each in sorted(known.items(), key=lambda item: item[1].version):
        if each.after in _NEWS and each.version <= event.version:
            _note(connection, each_id, each)


def _note(connection: Connection[Row], event_id: UUID, event: ImageStatusChanged) -> None:
    from psycopg.types.json import Jsonb

    data: dict[str, Any] = {
        "image_id": str(event.image_id),
        "title": event.title,
        "status": event.after.value,
        "version": event.version,
    }
    if event.reason is not None:
        data["reason"] = event.reason.model_dump(exclude_none=True)
    connection.execute(
        _NOTE,
        {
            "event": event_id,
            "account": event.contributor_id,
            "type": f"image.{event.after.value}",
            "image": event.image_id,
            "data": Jsonb(data),
            "at": event.at,
            "version": event.version,
            "unless_known": event.after in _UNLESS_KNOWN,
        },
    )
