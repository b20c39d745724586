"""What becomes true of favourites, for whoever listens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from imagemarket.platform.events import Event


class ImageFavourited(Event):
    """An account made an image a favourite."""

    image_id: UUID
    account_id: UUID
    at: datetime

    @property
    def subject(self) -> UUID:
        return self.image_id
