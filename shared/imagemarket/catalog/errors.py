"""The errors of images of the catalogue."""

from __future__ import annotations

from imagemarket.platform.errors import NotFound


class ImageNotFound(NotFound):
    """No image with this id is visible to the caller."""

    slug, title, status = "image-not-found", "There is no such image", 404


class ImageGone(NotFound):
    """The image was here and was taken down or deleted; it is not coming back under this address by itself."""

    slug, title, status = "image-gone", "The image was taken down", 410
