"""What becomes true of notifications."""

from __future__ import annotations

from uuid import UUID

from imagemarket.platform.events import Event


class NotificationAdded(Event):
    """A notification that no change of an image's status made waits to be passed on."""

    notification_id: UUID
    image_id: UUID
    """The image whose delivery it follows from."""

    @property
    def subject(self) -> UUID:
        return self.image_id
