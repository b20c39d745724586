"""Publishing against a real database: one transaction for all that is known of a picture."""

from __future__ import annotations

from typing import Any

import pytest

from imagemarket.catalog.events import ImageListingChanged
from imagemarket.ingestion.errors import JobSuperseded
from imagemarket.ingestion.models import IngestionJob, Step
from imagemarket.ingestion.near_duplicates import NearDuplicateDetector
from imagemarket.ingestion.saga import PublishImage, analysis_key
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from imagemarket.vision.models import Analysis, Tag
from tests.fakes import MemoryBus, MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.roles import InRole

pytestmark = pytest.mark.engines

FACTS = {
    "format": "jpeg",
    "width": 3000,
    "height": 2000,
    "file_size_bytes": 1000,
    "sha256": "ab" * 32,
    "phash": "ffffffffffffffff",
    "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
    "palette": [{"hex": "#102030", "percentage": 100.0}],
    "colours": ["blue"],
    "technical": {},
    "suggestions": {"title": "Boats", "creator": "Ada"},
}


def a_rendition(kind: str) -> dict[str, Any]:
    sizes = {"long_edge": 450, "width": 450, "height": 300, "bytes": 10}
    return {"kind": kind, "format": "jpeg", "key": f"{kind}/450.jpg", **sizes}


ANALYSIS = Analysis(
    embedding=[1.0] + [0.0] * 767,
    tags=[Tag(tag="sea", confidence=0.9)],
    categories=["nature"],
    nsfw_score=0.0,
    description="A sea.",
    people=False,
)


@pytest.fixture
def job(database: Database) -> IngestionJob:
    contributor = a_contributor(database)
    image = an_image(database, contributor, object_version="v1")
    job = IngestionJob(image_id=image, contributor_id=contributor, key="k", version_id="v1")
    step_runs = StepRuns(database)
    step_runs.run_once(job, Step.INSPECT, lambda: FACTS)
    step_runs.run_once(job, Step.DETECT_DUPLICATE, lambda: {"lookalikes": []})
    step_runs.run_once(job, Step.MAKE_THUMBNAILS, lambda: {"renditions": [a_rendition("thumbnail")]})
    step_runs.run_once(job, Step.MAKE_WATERMARK, lambda: {"renditions": [a_rendition("preview")]})
    step_runs.run_once(job, Step.EMBED_AND_TAG, lambda: {"model_version": "m1", "nsfw_score": 0.0})
    return job


def publish(database: Database, job: IngestionJob, bus: MemoryBus, *, nsfw_score: float = 0.0) -> dict[str, Any]:
    work = MemoryObjectStore()
    analysis = ANALYSIS.model_copy(update={"nsfw_score": nsfw_score})
    work.put(analysis_key(job), analysis.model_dump_json().encode(), content_type="application/json")
    ingestion = InRole(database, DatabaseRole.INGESTION)
    relay = OutboxRelay(ingestion, bus)
    copies = NearDuplicateDetector(database=ingestion, renditions=MemoryObjectStore(), nearest=lambda *_: [])
    step = PublishImage(step_runs=StepRuns(ingestion), database=ingestion, work=work, relay=relay, copies=copies)
    return step.run(job)


@pytest.mark.parametrize(("nsfw_score", "status"), [(0.0999, "approved"), (0.1, "pending_review")])
def test_the_score_decides_who_sees_it(database: Database, job: IngestionJob, nsfw_score: float, status: str) -> None:
    assert publish(database, job, MemoryBus(), nsfw_score=nsfw_score) == {"status": status}
    row = database.fetch_one(
        "SELECT status, published_at, sha256, phash, suggestions FROM images JOIN uploads ON image_id = id"
        " WHERE id = %s",
        (job.image_id,),
    )
    assert row is not None
    assert row["suggestions"] == {"title": "Boats", "creator": "Ada"}
    assert row["status"] == status
    assert (row["published_at"] is not None) == (status == "approved")
    assert bytes(row["sha256"]).hex() == FACTS["sha256"]
    assert row["phash"] == -1


def test_all_that_is_known_is_written_and_told_once(database: Database, job: IngestionJob) -> None:
    bus = MemoryBus()
    assert [publish(database, job, bus) for _ in range(2)] == [{"status": "approved"}] * 2
    assert [event.image_id for event in bus.heard(ImageListingChanged)] == [job.image_id]
    counted = {
        table: database.fetch_one(f"SELECT count(*) AS n FROM {table} WHERE image_id = %s", (job.image_id,))
        for table in ("image_renditions", "image_tags", "image_categories", "image_embeddings")
    }
    assert {table: row["n"] for table, row in counted.items() if row} == {
        "image_renditions": 2,
        "image_tags": 1,
        "image_categories": 1,
        "image_embeddings": 1,
    }
    told = database.fetch_all("SELECT type FROM outbox WHERE subject = %s ORDER BY id", (job.image_id,))
    assert [row["type"] for row in told] == ["ImageStatusChanged", "ImageListingChanged"]


def test_an_image_that_has_ended_is_not_published(database: Database, job: IngestionJob) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE images SET status = 'rejected' WHERE id = %s", (job.image_id,))
    with pytest.raises(JobSuperseded):
        publish(database, job, MemoryBus())
    assert database.fetch_one("SELECT 1 FROM outbox WHERE subject = %s", (job.image_id,)) is None


def test_a_crash_between_publication_and_record_is_healed_by_the_next_try(
    database: Database, job: IngestionJob
) -> None:
    bus = MemoryBus()
    publish(database, job, bus)
    with database.transaction() as connection:
        connection.execute("UPDATE processing_steps SET status = 'running', output = NULL WHERE step = 'publish'")
    assert publish(database, job, bus) == {"status": "approved"}
    row = database.fetch_one("SELECT version FROM images WHERE id = %s", (job.image_id,))
    assert (row, len(bus.heard(ImageListingChanged))) == ({"version": 2}, 1)


def test_a_step_without_a_result_is_waited_for(database: Database) -> None:
    contributor = a_contributor(database)
    image = an_image(database, contributor, object_version="v1")
    job = IngestionJob(image_id=image, contributor_id=contributor, key="k", version_id="v1")
    with pytest.raises(DependencyUnavailable, match="embed_and_tag"):
        publish(database, job, MemoryBus())
