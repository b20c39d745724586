"""The status and the version of an image: which changes there are, and the functions that alone make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

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
    from psycopg import sql

    if to not in transition.targets:
        raise ValueError(f"{transition.name} leads to {sorted(transition.targets)}, not to {to}.")
    columns = columns or {}
    row = connection.execute(
        sql.SQL(
            """
            WITH found AS (
                SELECT id, status AS before, %(to)s::varchar AS after FROM images
                 WHERE id = %(image)s AND status = ANY(%(sources)s)
                   FOR UPDATE
            ), changed AS (
                UPDATE images i
                   SET status = found.after, version = version + 1, updated_at = now(),
                       published_at = CASE found.after WHEN 'approved' THEN coalesce(published_at, now())
                                                       ELSE published_at END{columns}
                  FROM found WHERE i.id = found.id
                RETURNING i.id, found.before, found.after, i.version, i.contributor_id, i.title, i.rejection,
                          i.updated_at
            ), audited AS (
                INSERT INTO image_audit (image_id, action, actor, reason, status_before, status_after)
                SELECT id, %(action)s, %(actor)s, %(reason)s, before, after FROM changed
            )
            SELECT c.before, c.version, c.contributor_id, c.title, c.rejection, c.updated_at,
                   u.request_id, u.trace_header
              FROM changed c LEFT JOIN image_uploads u ON u.image_id = c.id
            """
        ).format(columns=sql.SQL("").join(sql.SQL(", {} = {}").format(*_column(name)) for name in columns)),
        {
            **{f"column_{name}": value for name, value in columns.items()},
            "image": image_id,
            "sources": [status.value for status in transition.sources],
            "to": to.value,
            "action": transition.name,
            "actor": actor,
            "reason": reason,
        },
    ).fetchone()
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


def _column(name: str) -> tuple[Any, Any]:
    from psycopg import sql

    return sql.Identifier(name), sql.Placeholder(f"column_{name}")


def publish_listing(connection: Connection, image_id: UUID, version: int) -> None:
    """Publishes `ImageListingChanged`, with the request and the trace that the image began with."""
    origin = connection.execute(
        "SELECT request_id, trace_header FROM image_uploads WHERE image_id = %s", (image_id,)
    ).fetchone()
    events.publish(connection, ImageListingChanged(image_id=image_id, version=version), **(origin or {}))


def renew(connection: Connection, image_id: UUID, *, beyond: int = 0) -> int:
    """Gives the image's search document a version above `beyond` and has it written again; returns that version.

    An image that has no row any more is told of all the same, so that its document goes.
    """
    row = connection.execute(
        "UPDATE images SET version = greatest(version, %s) + 1 WHERE id = %s RETURNING version", (beyond, image_id)
    ).fetchone()
    version = beyond + 1 if row is None else row["version"]
    publish_listing(connection, image_id, version)
    return version


def renew_all_approved(connection: Connection) -> None:
    """Renews every approved image's search document, in two statements whatever their number."""
    connection.execute("UPDATE images SET version = version + 1 WHERE status = 'approved'")
    events.publish_all(
        connection,
        ImageListingChanged,
        "SELECT i.id AS subject, jsonb_build_object('image_id', i.id, 'version', i.version) AS payload, u.request_id,"
        " u.trace_header FROM images i LEFT JOIN image_uploads u ON u.image_id = i.id WHERE i.status = 'approved'",
    )
