"""The status and the version of an image: which changes there are, and the functions that alone make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from imagemarket.catalog import repository
from imagemarket.catalog.events import ImageListingChanged, ImageStatusChanged, Reason
from imagemarket.catalog.models import ImageStatus
from imagemarket.platform import events
from imagemarket.platform.database import Connection

_PROCESSING = frozenset({ImageStatus.PROCESSING})
_PUBLISHED = frozenset({ImageStatus.APPROVED, ImageStatus.PENDING_REVIEW})
_FAILED = frozenset({ImageStatus.REJECTED, ImageStatus.PROCESSING_FAILED})
_WITHDRAWN = frozenset({ImageStatus.TAKEN_DOWN, ImageStatus.DELETED})


@dataclass(frozen=True)
class Transition:
    """A change of status: what the audit calls it, and from which statuses it leads to which."""

    name: str
    sources: frozenset[ImageStatus]
    targets: frozenset[ImageStatus]


PUBLISH = Transition("publish", _PROCESSING, _PUBLISHED)
FAIL = Transition("fail", _PROCESSING, _FAILED)
RETRY = Transition("retry", _FAILED, _PROCESSING)
ABANDON_RETRY = Transition("abandon_retry", _PROCESSING, frozenset({ImageStatus.REJECTED}))
"""The other bytes that a retry announced did not come."""
REPROCESS = Transition("reprocess", _PUBLISHED, _PROCESSING)
"""Something that was made of a published image is lost, and is made again."""
TAKE_DOWN = Transition("take_down", _PUBLISHED, frozenset({ImageStatus.TAKEN_DOWN}))
RESTORE = Transition("restore", frozenset({ImageStatus.TAKEN_DOWN}), _PUBLISHED)
DELETE = Transition("delete", _PUBLISHED | _FAILED | {ImageStatus.TAKEN_DOWN}, frozenset({ImageStatus.DELETED}))

TRANSITIONS = (PUBLISH, FAIL, RETRY, ABANDON_RETRY, REPROCESS, TAKE_DOWN, RESTORE, DELETE)
"""Every change of status that there is; `tests/integration/test_image_status.py` makes each and refuses all others."""


@dataclass(frozen=True)
class StatusChange:
    """A change that was made, and the image's version since."""

    before: ImageStatus
    after: ImageStatus
    version: int


def change_status(
    connection: Connection,
    image_id: UUID,
    transition: Transition,
    to: ImageStatus,
    *,
    actor: str,
    reason: str,
    columns: Mapping[str, object] | None = None,
) -> StatusChange | None:
    """Makes a change of status; None where the image is in none of the transition's sources.

    It belongs to the caller's transaction, and everything that a change entails is in it: a new version, the time, an
    entry of the audit with `actor` and `reason`, and the events `ImageStatusChanged` and, where search may show the
    image before or after, `ImageListingChanged`. `columns` are set in the same statement.

    Raises `ValueError` where the transition does not lead to `to`: a mistake of the caller.
    """
    if to not in transition.targets:
        raise ValueError(f"{transition.name} leads to {sorted(transition.targets)}, not to {to}.")
    row = repository.write_status(
        connection,
        image_id,
        sources=transition.sources,
        to=to,
        action=transition.name,
        actor=actor,
        reason=reason,
        columns=columns or {},
    )
    if row is None:
        return None
    change = StatusChange(ImageStatus(row["before"]), to, row["version"])
    published: list[events.Event] = [
        ImageStatusChanged(
            image_id=image_id,
            version=change.version,
            contributor_id=row["contributor_id"],
            title=row["title"],
            before=change.before,
            after=change.after,
            reason=Reason.model_validate(row["rejection"]) if row["rejection"] else None,
            at=row["updated_at"],
        )
    ]
    if {change.before, change.after} & (_PUBLISHED | _WITHDRAWN):
        published.append(ImageListingChanged(image_id=image_id, version=change.version))
    for event in published:
        events.publish(connection, event, request_id=row["request_id"], trace_header=row["trace_header"])
    return change


def publish_listing(connection: Connection, image_id: UUID, version: int) -> None:
    """Publishes `ImageListingChanged`, with the request and the trace that the image began with."""
    events.publish(
        connection,
        ImageListingChanged(image_id=image_id, version=version),
        **repository.origin(connection, image_id),
    )


def renew(connection: Connection, image_id: UUID, *, beyond: int = 0) -> int:
    """Gives the image's search document a version above `beyond` and has it written again; returns that version.

    An image that has no row any more is told of all the same, so that its document goes.
    """
    version = repository.raise_version(connection, image_id, beyond=beyond) or beyond + 1
    publish_listing(connection, image_id, version)
    return version


def renew_all_approved(connection: Connection) -> None:
    """Renews every approved image's search document, in two statements whatever their number."""
    repository.raise_versions_of_approved(connection)
    events.publish_all(connection, ImageListingChanged, repository.LISTINGS_OF_APPROVED)
