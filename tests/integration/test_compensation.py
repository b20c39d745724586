"""What ends an image that did not make it: exactly what its execution made goes, at any moment, any number of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.catalog.images import REPROCESS, change_status
from imagemarket.catalog.models import ImageStatus
from imagemarket.ingestion import fingerprints
from imagemarket.ingestion.errors import StepInProgress
from imagemarket.ingestion.models import COMPENSATE, FailedStep, IngestionJob, Step
from imagemarket.ingestion.repository import duplicates
from imagemarket.ingestion.repository import uploads as repository
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.search.document import Removal
from imagemarket.search.indexing.documents import DocumentBuilder
from tests.fakes import MemoryBus, MemoryObjectStore
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines

FAILED = FailedStep(Error="DependencyUnavailable")


class Room:
    """Three buckets and a compensation over them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.originals, self.work, self.renditions = (MemoryObjectStore(name) for name in ("o", "w", "r"))
        self.bus = MemoryBus()
        self.compensation = CompensateImage(
            database=database,
            originals=self.originals,
            work=self.work,
            renditions=self.renditions,
            relay=OutboxRelay(database, self.bus),
        )

    def a_job(self) -> IngestionJob:
        """An image in work with all that steps leave: objects, a fingerprint, and tags of the contributor's."""
        owner = a_contributor(self.database)
        image = an_image(self.database, owner, object_version="v1")
        job = IngestionJob(image_id=image, contributor_id=owner, key=f"originals/{owner}/{image}.jpg", version_id="v1")
        self.originals.put(job.key, b"original", content_type="image/jpeg")
        self.originals.versions[job.key] = [("v1", b"original", "image/jpeg")]
        for store, key in (
            (self.renditions, f"thumbnails/{image}/150-a.webp"),
            (self.renditions, f"watermarked/{image}/1000-b.webp"),
            (self.originals, f"clean/{image}/1000-c.webp"),
            (self.work, f"{job.work_prefix}master.tif"),
        ):
            store.put(key, b"made", content_type="image/webp")
        with self.database.transaction() as connection:
            duplicates.claim(connection, image, fingerprints.Fingerprint(image.bytes * 2, image.int & (2**64 - 1)))
            for tag, source in (("sea", "contributor"), ("boat", "ai")):
                connection.execute(
                    "INSERT INTO image_tags (image_id, tag, confidence, source) VALUES (%s, %s, 1, %s)",
                    (image, tag, source),
                )
        return job

    def objects_of(self, job: IngestionJob) -> list[str]:
        stores = (self.originals, self.work, self.renditions)
        return [key for store in stores for key in store.versions if str(job.image_id) in key]

    def one(self, sql: str, job: IngestionJob) -> dict[str, Any]:
        row = self.database.fetch_one(sql, (job.image_id,))
        assert row is not None
        return row

    def status_of(self, job: IngestionJob) -> str:
        return self.one("SELECT status FROM images WHERE id = %s", job)["status"]


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


def test_exactly_what_the_execution_made_is_removed(room: Room) -> None:
    job, neighbour = room.a_job(), room.a_job()
    untouched = room.objects_of(neighbour)
    assert room.compensation.run(job, FAILED) == {"status": "processing_failed"}
    assert room.objects_of(job) == [job.key]
    assert room.originals.tags(job.key, version_id="v1") == {"state": "ended"}
    assert room.one("SELECT array_agg(tag) AS tags FROM image_tags WHERE image_id = %s", job)["tags"] == ["sea"]
    assert room.objects_of(neighbour) == untouched
    assert room.status_of(neighbour) == "processing"
    with room.database.transaction() as connection:
        rows = connection.execute("SELECT image_id FROM image_fingerprints").fetchall()
    assert [row["image_id"] for row in rows] == [neighbour.image_id]


def test_again_it_answers_the_same_and_does_nothing(room: Room) -> None:
    job = room.a_job()
    assert [room.compensation.run(job, FAILED) for _ in range(3)] == [{"status": "processing_failed"}] * 3
    row = room.one("SELECT version, rejection FROM images WHERE id = %s", job)
    assert row["version"] == 2
    assert room.compensation.run(job, FailedStep(Error="UnreadableImage")) == {"status": "processing_failed"}


def test_its_contributor_hears_of_it_at_once_or_by_the_schedule(room: Room) -> None:
    room.bus.client.broken = True
    assert room.compensation.run(room.a_job(), FAILED) == {"status": "processing_failed"}
    assert room.bus.heard(ImageStatusChanged) == []
    room.bus.client.broken = False
    job = room.a_job()
    room.compensation.run(job, FAILED)
    told = room.bus.heard(ImageStatusChanged)
    assert told[-1].image_id == job.image_id
    assert len(told) == 2, "what waited goes along"


def test_broken_off_after_the_status_it_goes_on_at_the_next_try(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    job = room.a_job()
    delete: Callable[..., int] = room.renditions.delete

    def broken(keys: Any) -> int:
        raise DependencyUnavailable("The object store is not answering; try again.")

    monkeypatch.setattr(room.renditions, "delete", broken)
    with pytest.raises(DependencyUnavailable):
        room.compensation.run(job, FAILED)
    assert room.status_of(job) == "processing_failed"
    monkeypatch.setattr(room.renditions, "delete", delete)
    assert room.compensation.run(job, FAILED) == {"status": "processing_failed"}
    assert room.objects_of(job) == [job.key]


def test_two_do_not_clean_side_by_side(room: Room) -> None:
    job = room.a_job()
    StepRuns(room.database)._claim(job, COMPENSATE)
    with pytest.raises(StepInProgress):
        room.compensation.run(job, FAILED)


@pytest.mark.parametrize("status", ["approved", "pending_review", "taken_down"])
def test_a_published_image_is_left_alone(room: Room, status: str) -> None:
    """Its publication committed, and whoever was to hear of it never did."""
    job = room.a_job()
    before = room.objects_of(job)
    with room.database.transaction() as connection:
        connection.execute("UPDATE images SET status = %s WHERE id = %s", (status, job.image_id))
    assert room.compensation.run(job, FAILED) == {"status": status}
    assert room.objects_of(job) == before


def test_a_late_compensation_of_an_earlier_run_leaves_the_later_one_alone(room: Room) -> None:
    job = room.a_job()
    with room.database.transaction() as connection:
        connection.execute("UPDATE uploads SET run = 2 WHERE image_id = %s", (job.image_id,))
    before = room.objects_of(job)
    assert room.compensation.run(job, FAILED) == {"status": "processing"}
    assert room.objects_of(job) == before


def test_a_compensation_that_another_run_overtook_does_not_stand_in_for_the_later_one(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = room.a_job()
    end = room.compensation._end

    def overtaken(*arguments: Any) -> Any:
        assert repository.next_run(room.database, job)
        return end(*arguments)

    monkeypatch.setattr(room.compensation, "_end", overtaken)
    assert room.compensation.run(job, FAILED) == {"status": "processing"}
    monkeypatch.setattr(room.compensation, "_end", end)
    later = job.model_copy(update={"run": 2})
    assert room.compensation.run(later, FAILED) == {"status": "processing_failed"}
    assert room.objects_of(job) == [job.key]


@pytest.mark.parametrize("step", ["publish", COMPENSATE])
def test_what_died_behind_a_published_image_is_tidied_up(room: Room, step: str) -> None:
    job = room.a_job()
    step_runs = StepRuns(room.database)
    step_runs._claim(job, step)
    with room.database.transaction() as connection:
        connection.execute("UPDATE images SET status = 'approved' WHERE id = %s", (job.image_id,))
    assert step_runs.reconcile() == 0, "it may be at work"
    with room.database.transaction() as connection:
        connection.execute("UPDATE processing_steps SET lease_until = now()")
    assert step_runs.reconcile() == 1
    row = room.one("SELECT status, lease_until FROM processing_steps WHERE image_id = %s", job)
    assert row == {"status": "succeeded" if step == "publish" else "failed", "lease_until": None}


def test_a_step_at_work_undoes_itself_and_one_that_was_killed_is_cleaned_up_after(room: Room) -> None:
    job = room.a_job()
    step_runs = StepRuns(room.database)
    late = f"thumbnails/{job.image_id}/450-late.webp"

    def work() -> dict[str, Any]:
        step_runs._claim(job, Step.MAKE_WATERMARK)  # a sibling, killed later
        room.compensation.run(job, FAILED)
        room.renditions.put(late, b"late", content_type="image/webp")
        return {}

    def remove(key: str) -> None:
        room.renditions.delete([key])

    step_runs.run_once(job, Step.MAKE_THUMBNAILS, work, undo=lambda: remove(late))
    assert room.objects_of(job) == [job.key]

    room.renditions.put(late, b"by the one that was killed", content_type="image/webp")
    with room.database.transaction() as connection:
        connection.execute("UPDATE processing_steps SET lease_until = now() WHERE lease_until IS NOT NULL")
    assert room.compensation.again(job) == {"status": "processing_failed"}
    assert room.objects_of(job) == [job.key]
    assert room.one("SELECT count(lease_until) AS n FROM processing_steps WHERE image_id = %s", job)["n"] == 0


def test_the_search_engines_hear_of_a_published_image_when_it_goes_back_into_processing(room: Room) -> None:
    """From then on its document is a removal, whether its next run publishes or fails."""
    job = room.a_job()
    with room.database.transaction() as connection:
        connection.execute("UPDATE images SET version = 5, status = 'approved' WHERE id = %s", (job.image_id,))
        change_status(connection, job.image_id, REPROCESS, ImageStatus.PROCESSING, actor="verify", reason="r")
        repository.next_requested_run(connection, job.image_id)
    room.compensation.run(job.model_copy(update={"run": 2}), FAILED)
    told = room.database.fetch_all(
        "SELECT payload FROM outbox WHERE subject = %s AND type = 'ImageListingChanged'", (job.image_id,)
    )
    assert [row["payload"]["version"] for row in told] == [6]
    assert DocumentBuilder(room.database).build([job.image_id]) == ([], [Removal(job.image_id, 7)])
