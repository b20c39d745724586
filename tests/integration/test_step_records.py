"""A step delivered twice gives its first result; a failed or interrupted one runs again."""

from __future__ import annotations

from typing import Any

import pytest

from imagemarket.ingestion.models import IngestionJob, Step
from imagemarket.ingestion.records import StepRecords
from imagemarket.platform.database import Database
from imagemarket.platform.errors import UnreadableImage
from tests.integration.rows import a_contributor, an_image

pytestmark = pytest.mark.engines


@pytest.fixture
def job(database: Database) -> IngestionJob:
    contributor = a_contributor(database)
    image = an_image(database, contributor, object_version="v1")
    return IngestionJob(image_id=image, contributor_id=contributor, key="k", version_id="v1")


def record(database: Database, job: IngestionJob) -> dict[str, Any]:
    row = database.fetch_one("SELECT * FROM processing_steps WHERE image_id = %s", (job.image_id,))
    assert row is not None
    return row


def test_a_second_delivery_gets_the_first_result(database: Database, job: IngestionJob) -> None:
    records = StepRecords(database)
    calls = []

    def work() -> dict[str, Any]:
        calls.append(1)
        return {"n": len(calls)}

    assert [records.once(job, Step.INSPECT, work) for _ in range(5)] == [{"n": 1}] * 5
    assert record(database, job)["attempts"] == 1
    assert records.outputs(job) == {Step.INSPECT: {"n": 1}}


def test_a_refusal_is_recorded_and_the_next_delivery_tries_again(database: Database, job: IngestionJob) -> None:
    records = StepRecords(database)

    def refuse() -> dict[str, Any]:
        raise UnreadableImage("It ends in the middle.")

    with pytest.raises(UnreadableImage):
        records.once(job, Step.INSPECT, refuse)
    failed = record(database, job)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "unreadable-image")
    assert records.once(job, Step.INSPECT, lambda: {"ok": True}) == {"ok": True}
    assert (record(database, job)["status"], record(database, job)["attempts"]) == ("succeeded", 2)


def test_a_crash_between_effect_and_record_runs_the_step_again(database: Database, job: IngestionJob) -> None:
    records = StepRecords(database)

    def crash() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.once(job, Step.INSPECT, crash)
    assert record(database, job)["status"] == "running"
    assert records.once(job, Step.INSPECT, lambda: {"healed": True}) == {"healed": True}


def test_another_version_is_other_work(database: Database, job: IngestionJob) -> None:
    records = StepRecords(database)
    records.once(job, Step.INSPECT, lambda: {"version": 1})
    later = job.model_copy(update={"version_id": "v2"})
    assert records.once(later, Step.INSPECT, lambda: {"version": 2}) == {"version": 2}
    assert records.outputs(job) == {}


def test_a_step_that_ends_after_the_image_did_undoes_itself(database: Database, job: IngestionJob) -> None:
    undone = []

    def work() -> dict[str, Any]:
        with database.transaction() as connection:
            connection.execute("UPDATE images SET status = 'rejected' WHERE id = %s", (job.image_id,))
        return {}

    StepRecords(database).once(job, Step.MAKE_THUMBNAILS, work, undo=lambda: undone.append(1))
    assert undone == [1]
