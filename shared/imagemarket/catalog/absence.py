"""Why an image is not shown."""

from __future__ import annotations

from uuid import UUID

from imagemarket.catalog.errors import ImageGone, ImageNotFound
from imagemarket.catalog.repository import status
from imagemarket.platform.database import Database
from imagemarket.platform.errors import NotFound


def absence(database: Database, image_id: UUID) -> NotFound:
    """The error for an image that the public does not get: `ImageGone` for a tombstone, otherwise `ImageNotFound`,
    which does not tell an image of another from none."""
    if status(database, image_id) in {"taken_down", "deleted"}:
        return ImageGone("The image was taken down; nothing will be found here.")
    return ImageNotFound("There is no such image, or it is not available to you.")
