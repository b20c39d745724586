"""Taking down, restoring, deleting: what goes, what stays, and what is never forgotten."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import RaiseException

from imagemarket.catalog.absence import absence
from imagemarket.catalog.errors import ImageGone, ImageNotFound
from imagemarket.catalog.events import ImageListingChanged
from imagemarket.catalog.takedowns import Takedowns
from imagemarket.delivery.service import Delivery
from imagemarket.ingestion.saga import forget_deleted
from imagemarket.platform.database import Database
from imagemarket.platform.errors import Conflict, DependencyUnavailable, InvalidRequest
from imagemarket.platform.ids import new_id
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.details import ImageDetails
from tests.fakes import MemoryBus, MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.roles import InRole

pytestmark = pytest.mark.engines
WHY: dict[str, str] = {"reason": "A claim of another photographer.", "actor": "ada"}


class RecordingCdn:
    def __init__(self) -> None:
        self.forgotten: list[str] = []
        self.answering = True

    def invalidate(self, paths: Any) -> None:
        if not self.answering:
            raise DependencyUnavailable("The CDN did not take the invalidation; try again.")
        self.forgotten += paths


class Room:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.originals, self.renditions = MemoryObjectStore("originals"), MemoryObjectStore("renditions")
        self.cdn, self.bus = RecordingCdn(), MemoryBus()
        operator = InRole(database, DatabaseRole.OPERATOR)
        self.takedowns = Takedowns(
            database=operator,
            originals=self.originals,
            renditions=self.renditions,
            cdn=self.cdn,
            relay=OutboxRelay(operator, self.bus),
            forget=forget_deleted,
        )
        self.owner = a_contributor(database)

    def an_image(self, status: str = "approved") -> UUID:
        image = an_image(self.database, self.owner, status=status, object_version="v1", width=3, height=2)
        self.originals.put(f"originals/{self.owner}/{image}.jpg", b"original", content_type="image/jpeg")
        places = {
            "clean": (self.originals, f"clean/{image}/1000-c.webp"),
            "thumbnail": (self.renditions, f"thumbnails/{image}/150-a.webp"),
            "preview": (self.renditions, f"watermarked/{image}/1000-b.webp"),
        }
        for kind, (store, key) in places.items():
            store.put(key, kind.encode(), content_type="image/webp")
            with self.database.transaction() as connection:
                connection.execute(
                    "INSERT INTO image_renditions (image_id, kind, long_edge, format, width, height, bytes, key)"
                    " VALUES (%s, %s, 1000, 'webp', 3, 2, 9, %s)",
                    (image, kind, key),
                )
        return image

    def public(self, image: UUID) -> list[str]:
        return [key for key in self.renditions.versions if str(image) in key]

    def status(self, image: UUID) -> str:
        row = self.database.fetch_one("SELECT status FROM images WHERE id = %s", (image,))
        assert row is not None
        return row["status"]


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


@pytest.mark.parametrize("status", ["approved", "pending_review"])
def test_taken_down_and_restored_it_is_what_it_was(room: Room, status: str) -> None:
    image, neighbour = room.an_image(status), room.an_image()
    before = dict(room.renditions.versions)
    room.takedowns.take_down(image, **WHY)
    assert room.public(image) == []
    assert len(room.public(neighbour)) == 2
    assert room.cdn.forgotten == [f"/thumbnails/{image}/*", f"/watermarked/{image}/*"]
    assert [event.image_id for event in room.bus.heard(ImageListingChanged)] == [image]
    assert isinstance(absence(room.database, image), ImageGone)

    assert room.takedowns.restore(image, reason="The claim was withdrawn.", actor="eve").value == status
    assert room.status(image) == status
    restored = {key: versions[-1][1:] for key, versions in room.renditions.versions.items()}
    assert restored == {key: versions[-1][1:] for key, versions in before.items()}
    assert not [key for key in room.originals.versions if key.startswith("withdrawn/")]
    told = [(row["action"], row["actor"], row["status_before"]) for row in room.takedowns.history(image)]
    assert told == [("take_down", "ada", status), ("restore", "eve", "taken_down")]


def test_a_tombstone_answers_gone_and_what_licences_need_is_kept(room: Room) -> None:
    image = room.an_image()
    details = ImageDetails(database=room.database, media_base_url="m", public_base_url="p")
    delivery = Delivery(database=room.database, originals=room.originals, media_base_url="m")
    with room.database.transaction() as connection:
        connection.execute('UPDATE uploads SET suggestions = \'{"creator": "Ada"}\' WHERE image_id = %s', (image,))
    room.takedowns.delete(image, **WHY)
    kept = room.database.fetch_one("SELECT suggestions FROM uploads WHERE image_id = %s", (image,))
    assert kept == {"suggestions": None}  # who made it, as the file had it
    for ask in (lambda: details.detail(image), lambda: delivery.preview_url(image, "image/webp")):
        with pytest.raises(ImageGone):
            ask()
    assert room.public(image) == []
    assert sorted(key.split("/")[0] for key in room.originals.versions) == ["clean", "originals"]
    assert "clean" in delivery.clean_url(image, "image/webp", contributor_id=room.owner)
    with pytest.raises(Conflict):
        room.takedowns.restore(image, **WHY)


def test_a_stranger_is_not_gone(room: Room) -> None:
    assert type(absence(room.database, new_id())) is ImageNotFound
    assert type(absence(room.database, room.an_image("rejected"))) is ImageNotFound
    with pytest.raises(ImageNotFound):
        room.takedowns.take_down(new_id(), **WHY)


def test_broken_off_it_is_done_by_doing_it_again(room: Room) -> None:
    image = room.an_image()
    room.cdn.answering = False
    with pytest.raises(DependencyUnavailable):
        room.takedowns.take_down(image, **WHY)
    assert room.status(image) == "taken_down", "from now on it is not shown, whatever comes"
    room.cdn.answering = True
    room.takedowns.take_down(image, **WHY)
    assert room.cdn.forgotten
    assert len(room.takedowns.history(image)) == 1
    room.takedowns.restore(image, **WHY)
    room.takedowns.restore(image, **WHY)
    assert len(room.public(image)) == 2


@pytest.mark.parametrize("status", ["processing", "rejected"])
def test_only_what_is_published_is_taken_down(room: Room, status: str) -> None:
    with pytest.raises(Conflict, match=status):
        room.takedowns.take_down(room.an_image(status), **WHY)


def test_nothing_happens_without_a_reason(room: Room) -> None:
    image = room.an_image()
    with pytest.raises(InvalidRequest, match="reason"):
        room.takedowns.take_down(image, reason="  ", actor="ada")
    assert room.status(image) == "approved"


@pytest.mark.parametrize(
    "statement", ["DELETE FROM image_audit", "UPDATE image_audit SET reason = 'x'", "TRUNCATE image_audit"]
)
def test_the_audit_is_never_rewritten(room: Room, statement: Any) -> None:
    room.takedowns.take_down(room.an_image(), **WHY)
    with pytest.raises(RaiseException, match="never rewritten"), room.database.transaction() as connection:
        connection.execute(statement)
