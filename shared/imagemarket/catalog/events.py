"""What becomes true of an image, for whoever listens. `catalog.images` alone publishes these."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from imagemarket.catalog.models import ImageStatus
from imagemarket.platform.events import Event


class Reason(BaseModel):
    """Why an image did not make it, or was withdrawn: a machine `code` and a sentence."""

    code: str | None = None
    detail: str | None = None


class ImageEvent(Event):
    """An event of one image."""

    image_id: UUID
    version: int
    """The image's, since then."""

    @property
    def subject(self) -> UUID:
        return self.image_id


class ImageStatusChanged(ImageEvent):
    """An image came from one status to another."""

    contributor_id: UUID
    title: str
    before: ImageStatus
    after: ImageStatus
    reason: Reason | None
    at: datetime


class ImageListingChanged(ImageEvent):
    """What search may show of an image has changed: its document is to be written anew, or removed."""
