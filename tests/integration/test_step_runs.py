"""A step delivered twice gives its first result; a failed or interrupted one runs again."""

from __future__ import annotations

from typing import Any

import pytest

from imagemarket.imaging.errors import UnreadableImage
from imagemarket.ingestion.errors import JobSuperseded, StepInProgress
from imagemarket.ingestion.models import IngestionJob, Step
from imagemarket.ingestion.repository.uploads import next_run
from imagemarket.ingestion.step_runs import StepRuns
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
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
    step_runs = StepRuns(database)
    calls = []

    def work() -> dict[str, Any]:
        calls.append(1)
        return {"n": len(calls)}

    assert [step_runs.run_once(job, Step.INSPECT, work) for _ in range(5)] == [{"n": 1}] * 5
    assert record(database, job)["attempts"] == 1
    assert step_runs.outputs(job) == {Step.INSPECT: {"n": 1}}


def test_a_refusal_is_recorded_and_the_next_delivery_tries_again(database: Database, job: IngestionJob) -> None:
    step_runs = StepRuns(database)

    def refuse() -> dict[str, Any]:
        raise UnreadableImage("It ends in the middle.")

    with pytest.raises(UnreadableImage):
        step_runs.run_once(job, Step.INSPECT, refuse)
    failed = record(database, job)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "unreadable-image")
    assert step_runs.run_once(job, Step.INSPECT, lambda: {"ok": True}) == {"ok": True}
    assert (record(database, job)["status"], record(database, job)["attempts"]) == ("succeeded", 2)


class Killed(BaseException):
    """What a process that is killed does not live to handle."""


def killed(database: Database, job: IngestionJob, step: Step = Step.INSPECT) -> None:
    """A delivery that claimed its step and was never heard of again."""
    StepRuns(database)._claim(job, step)


def let_the_lease_end(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE processing_steps SET lease_until = now()")


def test_a_delivery_that_ends_with_any_error_gives_its_lease_back(database: Database, job: IngestionJob) -> None:
    step_runs = StepRuns(database)

    def crash() -> dict[str, Any]:
        raise Killed

    with pytest.raises(Killed):
        step_runs.run_once(job, Step.INSPECT, crash)
    failed = record(database, job)
    assert (failed["status"], failed["error"]["error"], failed["lease_until"]) == ("failed", "Killed", None)
    assert step_runs.run_once(job, Step.INSPECT, lambda: {"healed": True}) == {"healed": True}


def test_a_killed_delivery_is_waited_for_and_then_made_up_for(database: Database, job: IngestionJob) -> None:
    step_runs = StepRuns(database)
    killed(database, job)
    with pytest.raises(StepInProgress):
        step_runs.run_once(job, Step.INSPECT, lambda: pytest.fail("two side by side"))
    let_the_lease_end(database)
    assert step_runs.run_once(job, Step.INSPECT, lambda: {"healed": True}) == {"healed": True}
    assert record(database, job)["attempts"] == 2


def test_a_second_delivery_does_not_run_beside_the_first(database: Database, job: IngestionJob) -> None:
    step_runs = StepRuns(database)
    seen: list[str] = []

    def work() -> dict[str, Any]:
        with pytest.raises(StepInProgress):
            step_runs.run_once(job, Step.INSPECT, lambda: pytest.fail("two side by side"))
        seen.append("refused")
        return {"n": 1}

    assert step_runs.run_once(job, Step.INSPECT, work) == {"n": 1}
    assert step_runs.run_once(job, Step.INSPECT, lambda: pytest.fail("done already")) == {"n": 1}
    assert seen == ["refused"]


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_who_outlived_his_lease_changes_nothing_of_what_another_recorded(
    database: Database, job: IngestionJob, ends: str
) -> None:
    step_runs = StepRuns(database)

    def slow() -> dict[str, Any]:
        let_the_lease_end(database)
        assert step_runs.run_once(job, Step.INSPECT, lambda: {"by": "the second"}) == {"by": "the second"}
        if ends == "badly":
            raise UnreadableImage("It ends in the middle.")
        return {"by": "the first"}

    if ends == "badly":
        with pytest.raises(UnreadableImage):
            step_runs.run_once(job, Step.INSPECT, slow)
    else:
        step_runs.run_once(job, Step.INSPECT, slow)
    assert (record(database, job)["status"], record(database, job)["output"]) == ("succeeded", {"by": "the second"})


@pytest.mark.parametrize(
    "changes", [{"version_id": "v2"}, {"run": 2}], ids=["another version of the object", "another run"]
)
def test_a_job_that_the_image_went_on_without_does_nothing(
    database: Database, job: IngestionJob, changes: dict[str, Any]
) -> None:
    """Neither does it overwrite the record of the version that was decided upon."""
    step_runs = StepRuns(database)
    step_runs.run_once(job, Step.INSPECT, lambda: {"version": 1})
    with pytest.raises(JobSuperseded):
        step_runs.run_once(job.model_copy(update=changes), Step.MAKE_THUMBNAILS, lambda: pytest.fail("late"))
    assert step_runs.outputs(job) == {Step.INSPECT: {"version": 1}}


def test_a_new_version_is_other_work(database: Database, job: IngestionJob) -> None:
    step_runs = StepRuns(database)
    step_runs.run_once(job, Step.INSPECT, lambda: {"version": 1})
    with database.transaction() as connection:
        connection.execute("UPDATE images SET object_version = 'v2'")
    later = job.model_copy(update={"version_id": "v2"})
    assert step_runs.run_once(later, Step.INSPECT, lambda: {"version": 2}) == {"version": 2}
    assert step_runs.outputs(job) == {}
    assert step_runs.outputs(later) == {Step.INSPECT: {"version": 2}}


@pytest.mark.parametrize("status", ["approved", "rejected", "processing_failed", "taken_down"])
def test_nothing_is_made_for_an_image_that_has_ended(database: Database, job: IngestionJob, status: str) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE images SET status = %s", (status,))
    with pytest.raises(JobSuperseded):
        StepRuns(database).run_once(job, Step.MAKE_WATERMARK, lambda: pytest.fail("late"))


def test_the_next_run_goes_on_after_what_succeeded(database: Database, job: IngestionJob) -> None:
    step_runs = StepRuns(database)
    step_runs.run_once(job, Step.INSPECT, lambda: {"by": "run 1"})
    assert next_run(database, job)
    assert not next_run(database, job), "two sweepers number one run"
    second = job.model_copy(update={"run": 2})
    assert step_runs.run_once(second, Step.INSPECT, lambda: pytest.fail("done already")) == {"by": "run 1"}


def test_a_step_that_ends_after_the_image_did_undoes_itself(database: Database, job: IngestionJob) -> None:
    undone = []

    def work() -> dict[str, Any]:
        with database.transaction() as connection:
            connection.execute("UPDATE images SET status = 'rejected' WHERE id = %s", (job.image_id,))
        return {}

    StepRuns(database).run_once(job, Step.MAKE_THUMBNAILS, work, undo=lambda: undone.append(1))
    assert undone == [1]
    assert record(database, job)["lease_until"] is None


def test_an_undo_that_fails_leaves_the_lease_for_the_sweeper(database: Database, job: IngestionJob) -> None:
    def work() -> dict[str, Any]:
        with database.transaction() as connection:
            connection.execute("UPDATE images SET status = 'rejected' WHERE id = %s", (job.image_id,))
        return {}

    def undo() -> None:
        raise DependencyUnavailable("The object store is not answering; try again.")

    with pytest.raises(DependencyUnavailable):
        StepRuns(database).run_once(job, Step.MAKE_THUMBNAILS, work, undo=undo)
    assert record(database, job)["lease_until"] is not None
