"""The keys of an image's objects, spelt here alone: for the library, for CDK's permissions and rules, for the door."""

from __future__ import annotations

import re
from enum import StrEnum
from uuid import UUID

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ORIGINAL = re.compile(rf"originals/(?P<contributor>{_UUID})/(?P<image>{_UUID})\.[a-z0-9]{{2,5}}")
_MADE = re.compile(rf"(?!originals/)[a-z]+/(?P<image>{_UUID})/.+", re.DOTALL)


class Folder(StrEnum):
    """The first part of a key; each lies in one bucket."""

    ORIGINALS = "originals"
    """In the bucket of originals, as are `CLEAN` and `QUARANTINE`: what contributors sent."""
    CLEAN = "clean"
    """Renditions without a watermark, which only their contributor and buyers get."""
    QUARANTINE = "withdrawn"
    """Public renditions of images that are taken down."""
    THUMBNAILS = "thumbnails"
    """In the bucket of renditions, as are `WATERMARKED`: public."""
    WATERMARKED = "watermarked"
    WORK = "work"
    """In the bucket of its own name, as is `QUERIES`: what the steps of the saga hand on to each other."""
    QUERIES = "queries"
    """Query images, by ids of their own."""

    def of(self, image_id: UUID) -> str:
        """The prefix of one image's objects. Originals lie by contributor: see `original_key`."""
        assert self is not Folder.ORIGINALS
        return f"{self}/{image_id}/"


PUBLIC = (Folder.THUMBNAILS, Folder.WATERMARKED)
"""What anybody can read; paths of the CDN are the same."""

OF_KIND = {"thumbnail": Folder.THUMBNAILS, "preview": Folder.WATERMARKED, "clean": Folder.CLEAN}
"""Where each kind of rendition lies."""


def original_key(contributor_id: UUID, image_id: UUID, extension: str) -> str:
    """Where a contributor's file goes; `extension` is in lower case and has no dot."""
    return f"{Folder.ORIGINALS}/{contributor_id}/{image_id}.{extension}"


def image_of_original(key: str) -> UUID | None:
    """The image that an original's key names; None for a key that is not one."""
    found = _ORIGINAL.fullmatch(key)
    return UUID(found["image"]) if found else None


def image_of(key: str) -> UUID | None:
    """The image that any of these keys names; None for a key that is none of them."""
    found = _MADE.fullmatch(key)
    return UUID(found["image"]) if found else image_of_original(key)


def rendition_key(kind: str, image_id: UUID, *, long_edge: int, content_hash: str, extension: str) -> str:
    """A key that its content decides, so that what is public never changes."""
    return f"{OF_KIND[kind].of(image_id)}{long_edge}-{content_hash}.{extension}"


def query_image_key(upload: UUID) -> str:
    """Where a query image goes by its upload's id."""
    return f"{Folder.QUERIES}/{upload}"


def content_hash_of(key: str) -> str | None:
    """The hash that a rendition's key tells of its content: the first 16 hex digits of its sha256."""
    found = re.search(r"-([0-9a-f]{16})\.\w+$", key)
    return found[1] if found else None


def quarantine_key(image_id: UUID, key: str) -> str:
    """Where the public object `key` is kept while its image is taken down."""
    return Folder.QUARANTINE.of(image_id) + key


def quarantined(key: str) -> str:
    """The public key of an object in quarantine."""
    return key.split("/", 2)[2]
