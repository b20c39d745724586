"""The next try of an image that did not make it, through the upload API on a real PostgreSQL."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

import pytest

from functions.upload_api.handler import handler
from imagemarket.ingestion import retries
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import FailedStep, IngestionJob, Step
from imagemarket.ingestion.progress import ProgressOfImages
from imagemarket.ingestion.retries import Retries
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.outbox import OutboxRelay
from tests.api.events import http_event
from tests.fakes import MemoryBus, MemoryObjectStore, MemoryStepFunctions
from tests.integration.rows import a_contributor, an_image, image_with_upload
from tests.provided import provide

pytestmark = pytest.mark.engines
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:m"


class Room:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.states: Any = MemoryStepFunctions(MACHINE)
        self.originals = MemoryObjectStore("originals")
        executions = Executions(self.states, MACHINE)
        keys = IdempotencyKeys(database, SystemClock())
        self.uploads = Uploads(
            database=database, originals=self.originals, idempotency=keys, public_base_url="http://api.test"
        )
        self.retries = Retries(uploads=self.uploads, originals=self.originals, executions=executions, idempotency=keys)
        self.starter = IngestionStarter(database=database, originals=self.originals, executions=executions)
        self.compensation = CompensateImage(
            database=database,
            originals=self.originals,
            work=MemoryObjectStore("work"),
            renditions=MemoryObjectStore("renditions"),
            relay=OutboxRelay(database, MemoryBus()),
        )
        self.owner = Caller(a_contributor(database), "contributor")

    def ended(self, error: str) -> IngestionJob:
        """An image whose first run ended with the error."""
        key = f"originals/{self.owner.account_id}/0.jpg"
        image = an_image(self.database, self.owner.account_id, s3_original_key=key)
        key = f"originals/{self.owner.account_id}/{image}.jpg"
        with self.database.transaction() as connection:
            connection.execute("UPDATE images SET s3_original_key = %s WHERE id = %s", (key, image))
        self.originals.put(key, b"the first bytes", content_type="image/jpeg")
        self.starter.begin(image, key)
        job = IngestionJob(
            image_id=image,
            contributor_id=self.owner.account_id,
            key=key,
            version_id=self.originals.head(key).version_id or "",
        )
        self.states.executions[job.execution_name] = "FAILED"
        self.compensation.run(job, FailedStep(Error=error))
        return job

    def image(self, image_id: UUID) -> dict[str, Any]:
        return image_with_upload(self.database, image_id)

    def retry(
        self, image_id: UUID, body: Any = None, *, by: Caller | None = None, key: str | None = None
    ) -> tuple[int, Any, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        event = http_event("POST", f"/v1/images/{image_id}/retry", body or {}, headers, by or self.owner)
        answer = handler(event, None)
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


@pytest.fixture
def room(database: Database) -> Room:
    room = Room(database)
    provide("ingestion.retries", room.retries)
    provide("ingestion.uploads", room.uploads)
    return room


def test_what_failed_on_our_side_starts_again_from_the_file_that_was_kept(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "current_trace_header", lambda: TRACE)
    job = room.ended("DependencyUnavailable")
    status, ticket, _ = room.retry(job.image_id)
    assert (status, ticket["status"], ticket["upload"]) == (202, "processing", None)
    again = job.model_copy(update={"run": 2})
    assert room.states.executions[again.execution_name] == "RUNNING"
    assert room.states.trace_headers[again.execution_name] == TRACE
    started = IngestionJob.model_validate_json(room.states.inputs[again.execution_name])
    assert started == again
    assert room.originals.tags(job.key, version_id=job.version_id) == {}, (
        "its lifecycle is that of every original again"
    )
    progress = ProgressOfImages(database=room.database, waits=cast("Any", None), waits_of_all=cast("Any", None)).of(
        job.image_id, contributor_id=None
    )
    assert (progress.status, progress.rejection) == ("processing", None)
    assert {step.status for step in progress.steps[1:]} == {"pending"}
    assert StepRuns(room.database).run_once(again, Step.INSPECT, lambda: {"n": 1}) == {"n": 1}


def test_asked_twice_it_is_one_run(room: Room) -> None:
    job = room.ended("DependencyUnavailable")
    first = room.retry(job.image_id, key="k")[:2]
    assert room.retry(job.image_id, key="k")[:2] == first
    status, problem, _ = room.retry(job.image_id)
    assert (status, problem["type"]) == (409, "/v1/problems/conflict")
    assert room.image(job.image_id)["run"] == 2


def test_where_the_bytes_were_at_fault_others_are_taken(room: Room) -> None:
    job = room.ended("UnreadableImage")
    status, ticket, _ = room.retry(job.image_id, {"size_bytes": 2000, "sha256": "ab" * 32})
    assert (status, ticket["expires_in"]) == (202, 3600)
    fields = ticket["upload"]["fields"]
    assert (fields["key"], fields["policy"]) == (job.key, "2000")
    assert fields["x-amz-checksum-sha256"].startswith("q6ur")
    assert room.image(job.image_id)["announced_bytes"] == 2000

    assert room.starter.begin(job.image_id, job.key) == "ignored", "a late event of the bytes that were refused"
    room.originals.put(job.key, b"other bytes", content_type="image/jpeg")
    assert room.starter.begin(job.image_id, job.key) == "started"
    image = room.image(job.image_id)
    assert (image["object_version"], image["rejection"], image["run"]) == ("v2", None, 2)


def test_other_bytes_given_up_leave_the_refusal(room: Room) -> None:
    job = room.ended("UnreadableImage")
    room.retry(job.image_id)
    event = http_event("DELETE", f"/v1/images/{job.image_id}/upload", caller=room.owner)

    assert handler(event, None)["statusCode"] == 204
    image = room.image(job.image_id)
    assert (image["status"], image["rejection"]["code"]) == ("rejected", "unreadable-image")
    assert room.retry(job.image_id)[0] == 202, "and at once others may be sent"


def test_a_key_tells_how_its_try_stands(room: Room) -> None:
    job = room.ended("UnreadableImage")
    other = {"size_bytes": 2000, "sha256": "ab" * 32}
    first = room.retry(job.image_id, other, key="k")[:2]
    assert room.retry(job.image_id, other, key="k")[:2] == first
    room.originals.put(job.key, b"other bytes", content_type="image/jpeg")
    arrived = first[1] | {"upload": None, "expires_in": None}
    assert room.retry(job.image_id, other, key="k")[:2] == (202, arrived), "unnoticed as yet"
    room.originals.delete_version(job.key, room.originals.head(job.key).version_id or "")
    handler(http_event("DELETE", f"/v1/images/{job.image_id}/upload", caller=room.owner), None)
    status, problem, _ = room.retry(job.image_id, other, key="k")
    assert (status, problem["type"]) == (409, "/v1/problems/conflict")
    assert "rejected" in problem["detail"]

    room.retry(job.image_id, {"size_bytes": 3000}, key="next")
    status, problem, _ = room.retry(job.image_id, other, key="k")
    assert status == 409, "it is another try's bytes that are waited for"


def test_an_original_that_lifecycle_took_is_asked_for_again(room: Room) -> None:
    job = room.ended("DependencyUnavailable")
    room.originals.delete([job.key])
    status, ticket, _ = room.retry(job.image_id)
    assert (status, ticket["upload"]["method"]) == (202, "POST")


def test_a_picture_that_was_refused_for_what_it_shows_is_not_tried_again(room: Room) -> None:
    job = room.ended("DuplicateImage")
    status, problem, _ = room.retry(job.image_id)
    assert (status, problem["type"]) == (409, "/v1/problems/conflict")
    assert room.image(job.image_id)["status"] == "rejected"


@pytest.mark.parametrize("left", ["a step that may be at work", "a compensation that was broken off"])
def test_what_is_still_being_cleaned_up_after_is_waited_for(room: Room, left: str) -> None:
    job = room.ended("DependencyUnavailable")
    with room.database.transaction() as connection:
        if left.startswith("a step"):
            connection.execute(
                "INSERT INTO processing_steps (image_id, step, input_version, status, started_at, lease_until)"
                " VALUES (%s, 'make_thumbnails', 'v1', 'failed', now(), now() + interval '1 minute')",
                (job.image_id,),
            )
        else:
            connection.execute("UPDATE processing_steps SET status = 'running' WHERE step = 'compensate'")
    status, problem, headers = room.retry(job.image_id)
    assert (status, headers["retry-after"]) == (409, "60"), problem
    assert room.image(job.image_id)["run"] == 1


def test_another_contributors_image_is_not_there(room: Room) -> None:
    job = room.ended("DependencyUnavailable")
    status, problem, _ = room.retry(job.image_id, by=Caller(a_contributor(room.database), "contributor"))
    assert (status, problem["type"]) == (404, "/v1/problems/image-not-found")
