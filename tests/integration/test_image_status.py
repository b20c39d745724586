"""Every change of an image's status: which there are, and that each leaves all the traces that it must."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from imagemarket.catalog.events import ImageListingChanged, ImageStatusChanged
from imagemarket.catalog.images import (
    DELETE,
    FAIL,
    PUBLISH,
    RETRY,
    TAKE_DOWN,
    TRANSITIONS,
    StatusChange,
    Transition,
    change_status,
    renew,
    renew_all_approved,
)
from imagemarket.catalog.models import ImageStatus
from imagemarket.platform.database import Database
from imagemarket.platform.events import published
from imagemarket.platform.ids import new_id
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines

SEARCHABLE = {"approved", "pending_review", "taken_down", "deleted"}


def change(
    database: Database, image: UUID, transition: Transition, to: ImageStatus, **more: Any
) -> StatusChange | None:
    with database.transaction() as connection:
        return change_status(connection, image, transition, to, actor="ada", reason="Because.", **more)


def row_of(database: Database, image: UUID) -> dict[str, Any]:
    row = database.fetch_one("SELECT * FROM images WHERE id = %s", (image,))
    assert row is not None
    return row


def audit_of(database: Database, image: UUID) -> list[tuple[str, ...]]:
    rows = database.fetch_all(
        "SELECT action, actor, reason, status_before, status_after FROM image_audit WHERE image_id = %s ORDER BY id",
        (image,),
    )
    return [tuple(row.values()) for row in rows]


def told_of(database: Database, image: UUID) -> list[int]:
    with database.transaction() as connection:
        return [event.version for _, event in published(connection, ImageListingChanged, image)]


def changes_of(database: Database, image: UUID) -> list[tuple[str, str, int]]:
    with database.transaction() as connection:
        events = [event for _, event in published(connection, ImageStatusChanged, image)]
    assert all(event.title == "A picture" for event in events)
    return [(event.before.value, event.after.value, event.version) for event in events]


ALLOWED = [
    (transition, before, after)
    for transition in TRANSITIONS
    for before, after in product(sorted(transition.sources), sorted(transition.targets))
]


@pytest.mark.parametrize(("transition", "before", "after"), ALLOWED, ids=lambda each: getattr(each, "name", str(each)))
def test_a_change_leaves_version_time_audit_and_events(
    database: Database, transition: Transition, before: ImageStatus, after: ImageStatus
) -> None:
    image = an_image(database, a_contributor(database), status=before.value, version=4)
    started = row_of(database, image)["updated_at"]
    assert change(database, image, transition, after) == StatusChange(before, after, version=5)
    row = row_of(database, image)
    assert (row["status"], row["version"]) == (after.value, 5)
    assert row["updated_at"] > started
    assert (row["published_at"] is not None) == (after is ImageStatus.APPROVED)
    assert audit_of(database, image) == [(transition.name, "ada", "Because.", before.value, after.value)]
    assert told_of(database, image) == ([5] if {before.value, after.value} & SEARCHABLE else [])
    assert changes_of(database, image) == [(before.value, after.value, 5)]


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda transition: transition.name)
def test_a_change_from_another_status_does_nothing(database: Database, transition: Transition) -> None:
    owner = a_contributor(database)
    for before in set(ImageStatus) - transition.sources:
        image = an_image(database, owner, status=before.value)
        for after in transition.targets:
            assert change(database, image, transition, after) is None
        row = row_of(database, image)
        assert (row["status"], row["version"]) == (before.value, 1)
        assert audit_of(database, image) == []
        assert told_of(database, image) == []
        assert changes_of(database, image) == []


def test_a_tombstone_is_the_end_and_every_status_has_a_way_in_and_out() -> None:
    sources = {status for transition in TRANSITIONS for status in transition.sources}
    targets = {status for transition in TRANSITIONS for status in transition.targets}
    assert set(ImageStatus) - sources == {ImageStatus.DELETED}
    assert set(ImageStatus) - targets == set()
    assert len({transition.name for transition in TRANSITIONS}) == len(TRANSITIONS)


def test_a_transition_leads_nowhere_else(database: Database) -> None:
    image = an_image(database, a_contributor(database))
    with pytest.raises(ValueError, match="publish leads to"):
        change(database, image, PUBLISH, ImageStatus.DELETED)


def test_an_image_that_is_gone_is_left(database: Database) -> None:
    assert change(database, new_id(), FAIL, ImageStatus.REJECTED) is None


def test_other_columns_change_with_the_status(database: Database) -> None:
    image = an_image(database, a_contributor(database), status="rejected", width=3)
    change(database, image, RETRY, ImageStatus.PROCESSING, columns={"width": 4, "rejection": {"code": "x"}})
    row = row_of(database, image)
    assert (row["width"], row["rejection"]) == (4, {"code": "x"})


def test_the_first_publication_is_the_one_that_counts(database: Database) -> None:
    image = an_image(database, a_contributor(database))
    change(database, image, PUBLISH, ImageStatus.APPROVED)
    first = row_of(database, image)["published_at"]
    change(database, image, TAKE_DOWN, ImageStatus.TAKEN_DOWN)
    assert row_of(database, image)["published_at"] == first


def test_of_two_at_once_one_is_made(database: Database) -> None:
    image = an_image(database, a_contributor(database), status="approved")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: change(database, image, DELETE, ImageStatus.DELETED), range(4)))
    assert sum(each is not None for each in made) == 1
    assert len(audit_of(database, image)) == 1


def test_a_renewed_document_is_newer_than_what_an_index_shows(database: Database) -> None:
    image, gone = an_image(database, a_contributor(database), version=3), new_id()
    with database.transaction() as connection:
        assert renew(connection, image, beyond=7) == 8
        assert renew(connection, image) == 9
        assert renew(connection, gone, beyond=5) == 6
    assert told_of(database, image) == [8, 9]
    assert told_of(database, gone) == [6]


def test_every_approved_image_is_renewed_at_once(database: Database) -> None:
    owner = a_contributor(database)
    shown, held = (an_image(database, owner, status=status, version=2) for status in ("approved", "pending_review"))
    with database.transaction() as connection:
        renew_all_approved(connection)
    assert (told_of(database, shown), told_of(database, held)) == ([3], [])
