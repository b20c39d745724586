"""Taking an image down, restoring it, and deleting it: by the staff, with a reason, and never without a trace."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from imagemarket.catalog import repository
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.catalog.images import DELETE, RESTORE, TAKE_DOWN, Transition, change_status
from imagemarket.catalog.keys import PUBLIC, Folder, quarantine_key, quarantined
from imagemarket.catalog.models import ImageStatus
from imagemarket.platform.cdn import Cdn
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.errors import Conflict, DependencyUnavailable, InvalidRequest
from imagemarket.platform.objects import ObjectStore
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.telemetry import logger

_MAX_REASON = 1000


class Takedowns:
    """The status comes first, so that from then on the API answers 410; then the public objects, the CDN's copies and
    the search document go. Each is safe to repeat, and to be repeated is the way out when one was broken off.

    The original and the clean renditions stay: whoever bought a licence keeps what it grants.
    """

    def __init__(
        self,
        *,
        database: Database,
        originals: ObjectStore,
        renditions: ObjectStore,
        cdn: Cdn,
        relay: OutboxRelay,
        forget: Callable[[Connection, UUID], None],
    ) -> None:
        """`forget` deletes, in the transaction that deletes the image, what another room keeps of it."""
        self._forget = forget
        self._database = database
        self._originals = originals
        self._renditions = renditions
        self._cdn = cdn
        self._relay = relay

    def take_down(self, image_id: UUID, *, reason: str, actor: str) -> None:
        """Withdraws a published image; its public renditions are put away until it is restored. Its fingerprint
        stays, so that the same picture is not uploaded again meanwhile.

        Raises `ImageNotFound`, `Conflict` for an image that is not published, `InvalidRequest` without a reason.
        """
        self._change(image_id, TAKE_DOWN, ImageStatus.TAKEN_DOWN, reason, actor)
        for key in self.public_keys(image_id):
            self._originals.copy(quarantine_key(image_id, key), self._renditions, key)
            self._renditions.delete([key])
        self._tell(image_id)

    def restore(self, image_id: UUID, *, reason: str, actor: str) -> ImageStatus:
        """Brings an image that was taken down back to the status it had, which is returned.

        Raises `ImageNotFound`, `Conflict` for an image that was not taken down, `InvalidRequest` without a reason.
        """
        before = self._status_before(image_id)
        for kept in self._originals.list_keys(Folder.QUARANTINE.of(image_id)):
            self._renditions.copy(quarantined(kept), self._originals, kept)
        self._change(image_id, RESTORE, before, reason, actor)
        self._originals.delete(self._originals.list_keys(Folder.QUARANTINE.of(image_id)))
        self._tell(image_id)
        return before

    def delete(self, image_id: UUID, *, reason: str, actor: str) -> None:
        """Leaves a tombstone, for good: nothing is shown or found, and the same picture may be uploaded again.

        Raises `ImageNotFound`, `Conflict` while the image is in processing, `InvalidRequest` without a reason.
        """
        self._change(image_id, DELETE, ImageStatus.DELETED, reason, actor)
        self._renditions.delete(self.public_keys(image_id))
        self._originals.delete(self._originals.list_keys(Folder.QUARANTINE.of(image_id)))
        self._tell(image_id)

    def history(self, image_id: UUID) -> list[Row]:
        """What was done to the image, by whom and why, the oldest first."""
        return repository.audit(self._database, image_id)

    def _change(self, image_id: UUID, transition: Transition, status: ImageStatus, reason: str, actor: str) -> None:
        reason = reason.strip()
        if not reason or len(reason) > _MAX_REASON:
            raise InvalidRequest(f"reason: 1 to {_MAX_REASON} characters that say why.")
        with self._database.transaction() as connection:
            now_is = repository.lock_status(connection, image_id)
            if now_is is None:
                raise ImageNotFound("There is no such image.")
            if now_is == status:
                logger.info("its status was changed already", status=status.value)
                return
            if now_is not in transition.sources:
                raise Conflict(f"The image is {now_is}; this is for {', '.join(sorted(transition.sources))}.")
            told = {"code": status.value.replace("_", "-"), "detail": reason} if transition is not RESTORE else None
            change_status(
                connection,
                image_id,
                transition,
                status,
                actor=actor,
                reason=reason,
                columns={"rejection": told},
            )
            if transition is DELETE:
                repository.forget_shown(connection, image_id)
                self._forget(connection, image_id)

    def _status_before(self, image_id: UUID) -> ImageStatus:
        row = repository.status_before_take_down(self._database, image_id)
        if row is None:
            raise ImageNotFound("There is no such image.")
        if row["before"] is None or row["status"] not in {"taken_down", row["before"]}:
            raise Conflict(f"The image is {row['status']}; this is for taken_down.")
        return ImageStatus(row["before"])

    def public_keys(self, image_id: UUID) -> list[str]:
        """The objects of the image that anybody can read."""
        return [key for folder in PUBLIC for key in self._renditions.list_keys(folder.of(image_id))]

    def _tell(self, image_id: UUID) -> None:
        self._cdn.invalidate([f"/{folder.of(image_id)}*" for folder in PUBLIC])
        try:
            self._relay.drain()
        except DependencyUnavailable:
            logger.warning("the outbox waits for its schedule")
