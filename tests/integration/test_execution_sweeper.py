"""No image stays in processing: what is overdue is resumed, replayed, or failed with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import COMPENSATE, FailedStep, IngestionJob, Step
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.ingestion.sweeper import MAX_REPLAYS, ExecutionSweeper
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from tests.fakes import MemoryBus, MemoryObjectStore, MemoryStepFunctions
from tests.integration.rows import a_contributor, an_image, image_with_upload
from tests.roles import InRole

pytestmark = pytest.mark.engines
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:imagemarket-test-ingest_image"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
NOTHING = {"resumed": 0, "replayed": 0, "failed": 0, "cleaned": 0, "failed_to": 0}


class Room:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.states = MemoryStepFunctions(MACHINE)
        client: Any = self.states
        self.executions = Executions(client, MACHINE)
        self.renditions = MemoryObjectStore("renditions")
        originals = MemoryObjectStore("originals")
        ingestion = InRole(database, DatabaseRole.INGESTION)
        self.compensation = CompensateImage(
            database=ingestion,
            originals=originals,
            work=MemoryObjectStore("work"),
            renditions=self.renditions,
            relay=OutboxRelay(ingestion, MemoryBus()),
        )
        self.sweeper = ExecutionSweeper(
            database=ingestion,
            originals=originals,
            executions=self.executions,
            compensation=self.compensation,
            stalled_after_seconds=600,
        )

    def overdue(self, *, minutes: float = 11, **changes: Any) -> IngestionJob:
        owner = a_contributor(self.database)
        silent_since = datetime.now(UTC) - timedelta(minutes=minutes)
        columns = {"object_version": "v1", "updated_at": silent_since, **changes}
        image = an_image(self.database, owner, **columns)
        return IngestionJob(
            image_id=image,
            contributor_id=owner,
            key=f"originals/{owner}/{image}.jpg",
            version_id="v1",
            run=columns.get("run", 1),
            trace_header=columns.get("trace_header"),
        )

    def image(self, image_id: UUID) -> dict[str, Any]:
        return image_with_upload(self.database, image_id)

    def age(self, minutes: float = 11) -> None:
        """Lets time pass for every record."""
        with self.database.transaction() as connection:
            for table, columns in {
                "images": ("updated_at",),
                "processing_steps": ("started_at", "finished_at", "lease_until"),
            }.items():
                changes = ", ".join(f"{column} = {column} - make_interval(mins => %(m)s)" for column in columns)
                connection.execute(f"UPDATE {table} SET {changes}", {"m": minutes})  # pyright: ignore[reportArgumentType]


@pytest.fixture
def room(database: Database) -> Room:
    return Room(database)


def test_an_execution_that_was_never_started_is(room: Room) -> None:
    job = room.overdue(trace_header=TRACE)
    (stuck,) = room.sweeper.stuck()
    assert (stuck.job, stuck.execution, stuck.action) == (job, None, "resume")
    assert room.sweeper.run() == {**NOTHING, "resumed": 1}
    assert room.states.trace_headers == {job.execution_name: TRACE}
    assert room.sweeper.run() == NOTHING, "it is given its time"


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_an_execution_that_carries_its_image_on_no_more_is_replayed_and_at_last_failed(room: Room, status: str) -> None:
    job = room.overdue()
    for run in range(1, MAX_REPLAYS + 2):
        room.executions.start(job.model_copy(update={"run": run}))
        room.states.executions[job.model_copy(update={"run": run}).execution_name] = status
        expected = {**NOTHING, "replayed": 1} if run <= MAX_REPLAYS else {**NOTHING, "failed": 1}
        assert room.sweeper.run() == expected
        room.age()
    image = room.image(job.image_id)
    assert (image["status"], image["rejection"]["cause"]) == ("processing_failed", "Stalled")
    assert image["run"] == MAX_REPLAYS + 1
    assert "RUNNING" not in room.states.executions.values()
    assert room.sweeper.run() == NOTHING


def test_an_execution_that_waits_for_its_turn_is_left_alone(room: Room) -> None:
    """In a crowd a step may be turned away for longer than a dead execution is silent."""
    job = room.overdue()
    room.executions.start(job)
    room.states.last_events[job.execution_name] = datetime.now(UTC) - timedelta(seconds=20)
    assert room.sweeper.run() == NOTHING
    room.states.last_events[job.execution_name] = datetime.now(UTC) - timedelta(minutes=11)
    assert room.sweeper.run() == {**NOTHING, "replayed": 1}


def test_what_was_heard_of_is_left_alone(room: Room) -> None:
    young = room.overdue(minutes=1)
    running = room.overdue(minutes=9)
    room.executions.start(running)
    working = room.overdue()
    StepRuns(room.database).run_once(working, Step.INSPECT, dict)
    leased = room.overdue()
    StepRuns(room.database)._claim(leased, Step.EMBED_AND_TAG)
    with room.database.transaction() as connection:
        connection.execute(
            "UPDATE processing_steps SET started_at = now() - interval '1 hour' WHERE image_id = %s",
            (leased.image_id,),
        )
    ended = room.overdue(status="approved")
    unsent = room.overdue(object_version=None)
    assert room.sweeper.stuck() == []
    assert room.sweeper.run() == NOTHING
    kept = [room.image(job.image_id)["run"] for job in (young, running, working, leased, ended, unsent)]
    assert kept == [1] * 6


def test_a_compensation_that_was_broken_off_is_finished(room: Room) -> None:
    job = room.overdue(minutes=60)
    key = f"thumbnails/{job.image_id}/150-a.webp"
    room.renditions.put(key, b"", content_type="image/webp")
    StepRuns(room.database)._claim(job, COMPENSATE)
    room.compensation._end(job, FailedStep(Error="DependencyUnavailable"))
    assert room.sweeper.run() == NOTHING, "it may be at work"
    room.age()
    assert room.sweeper.run() == {**NOTHING, "cleaned": 1}
    assert key not in room.renditions.versions
    assert room.sweeper.run() == NOTHING


def test_what_a_killed_step_left_behind_an_ended_image_is_removed(room: Room) -> None:
    job = room.overdue()
    StepRuns(room.database)._claim(job, Step.MAKE_THUMBNAILS)
    room.compensation.run(job, FailedStep(Error="UnreadableImage"))
    key = f"thumbnails/{job.image_id}/150-a.webp"
    room.renditions.put(key, b"", content_type="image/webp")
    assert room.sweeper.run() == NOTHING
    room.age()
    assert room.sweeper.run() == {**NOTHING, "cleaned": 1}
    assert key not in room.renditions.versions
    assert room.image(job.image_id)["status"] == "rejected"


def test_one_image_that_cannot_be_settled_does_not_keep_the_others(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = room.overdue(minutes=30), room.overdue()
    start = room.executions.start

    def refuse_the_first(job: IngestionJob) -> None:
        if job.image_id == first.image_id:
            raise DependencyUnavailable("Step Functions is not answering; try again.")
        start(job)

    monkeypatch.setattr(room.executions, "start", refuse_the_first)
    assert room.sweeper.run() == {**NOTHING, "resumed": 1, "failed_to": 1}
    assert list(room.states.executions) == [second.execution_name]
