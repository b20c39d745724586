"""Which rendition a request gets, and by what URL."""

from __future__ import annotations

from uuid import UUID

from imagemarket.catalog import repository
from imagemarket.catalog.absence import absence
from imagemarket.platform.database import Database
from imagemarket.platform.objects import ObjectStore

SIGNED_URL_SECONDS = 300
"""How long a signed URL reads (specification 2.5: 5 minutes)."""

_PREFERENCE = ("avif", "webp", "jpeg")
"""Smallest first, among those a client says it takes."""


def preferred_format(accept: str) -> str:
    """The best of AVIF, WebP and JPEG for an `Accept` header; JPEG where it names none of them.

    A wildcard does not count as AVIF or WebP: clients that send only `*/*` may read neither.
    """
    accepted: set[str] = set()
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if not any(parameter.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for parameter in parameters):
            accepted.add(media_type.removeprefix("image/"))
    return next((name for name in _PREFERENCE if name in accepted), "jpeg")


class Delivery:
    """The delivery use cases."""

    def __init__(self, *, database: Database, originals: ObjectStore, media_base_url: str) -> None:
        self._database = database
        self._originals = originals
        self._media_base_url = media_base_url

    def preview_url(self, image_id: UUID, accept: str) -> str:
        """Public URL of the watermarked preview. Raises `ImageNotFound` unless approved, `ImageGone` when it was
        taken down or deleted."""
        key = repository.public_rendition(self._database, image_id, "preview", preferred_format(accept))
        if key is None:
            raise absence(self._database, image_id)
        return f"{self._media_base_url}/{key}"

    def clean_url(self, image_id: UUID, accept: str, *, contributor_id: UUID | None) -> str:
        """Signed URL of the clean 1000 px rendition: for the image's contributor, or for anyone of
        the staff when `contributor_id` is None. Raises `ImageNotFound`."""
        key = repository.own_rendition(
            self._database, image_id, "clean", preferred_format(accept), contributor_id=contributor_id
        )
        if key is None:
            raise absence(self._database, image_id)
        return self._originals.presign_get(key, expires_in=SIGNED_URL_SECONDS)
