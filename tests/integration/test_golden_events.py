"""Golden events whose handlers write to the database, through the real handlers and services."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from functions.compensate_image.handler import handler as compensate_image
from functions.end_executions.handler import handler as end_executions
from functions.start_ingestion.handler import handler as start_ingestion
from imagemarket.app import app
from imagemarket.ingestion.endings import ExecutionEndings
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.outbox import OutboxRelay
from tests.api.events import LambdaContext
from tests.fakes import MemoryBus, MemoryObjectStore, client_error
from tests.golden import golden
from tests.integration.rows import a_contributor, an_image
from tests.provided import provide

pytestmark = pytest.mark.engines
JOB = golden("step_functions/inspect_image.json")
IMAGE = UUID(JOB["image_id"])


class RecordingStepFunctions:
    """Starts each name once, as Step Functions does."""

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.answering = True

    def start_execution(self, *, stateMachineArn: str, name: str, input: str, **_: Any) -> None:  # noqa: A002, N803
        from botocore.exceptions import EndpointConnectionError

        if not self.answering:
            raise EndpointConnectionError(endpoint_url="states")
        if name in self.started:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.started[name] = json.loads(input)


@pytest.fixture
def originals() -> MemoryObjectStore:
    return MemoryObjectStore("originals")


@pytest.fixture
def contributor(database: Database, originals: MemoryObjectStore) -> UUID:
    """The contributor whose picture the events are about; it lies in the store."""
    owner = a_contributor(database)
    an_image(database, owner, id=IMAGE, s3_original_key=JOB["key"])
    originals.put(JOB["key"], b"a picture", content_type="image/jpeg")
    return owner


@pytest.fixture
def step_functions(database: Database, originals: MemoryObjectStore) -> RecordingStepFunctions:
    client: Any = RecordingStepFunctions()
    starter = IngestionStarter(
        database=database, originals=originals, executions=Executions(client, "arn:aws:states:test")
    )
    provide("ingestion.starter", starter)
    return client


def test_a_batch_starts_one_saga_and_deletes_the_bytes_of_a_stranger(
    contributor: UUID,
    step_functions: RecordingStepFunctions,
    originals: MemoryObjectStore,
    database: Database,
) -> None:
    """Three messages: an upload, an object that nobody announced, the first upload's event again; and one that is no
    event."""
    provide("resources.database", database)
    event = golden("sqs/uploads.json")
    strange = json.loads(event["Records"][1]["body"])["detail"]["object"]
    while strange["version-id"] not in [each.version_id for each in originals.list_versions(strange["key"])]:
        originals.put(strange["key"], b"of an upload that was aborted", content_type="image/jpeg")
    before = len(list(originals.list_versions(strange["key"])))
    odd = event["Records"][1] | {"messageId": "of another form", "body": '{"detail": {}}'}
    answer = start_ingestion({"Records": [*event["Records"], odd]}, LambdaContext())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "of another form"}]}
    assert len(list(originals.list_versions(strange["key"]))) == before - 1
    failures = database.fetch_all("SELECT message_id, error FROM message_failures")
    assert failures == [{"message_id": "of another form", "error": "InvalidRequest"}]
    ((name, job),) = step_functions.started.items()
    assert name.startswith(f"{IMAGE}-")
    assert job == {
        "image_id": str(IMAGE),
        "contributor_id": str(contributor),
        "key": JOB["key"],
        "version_id": "v1",
        "run": 1,
        "request_id": None,
    }


def test_a_queue_carries_the_event_as_eventbridge_sends_it(
    contributor: UUID, step_functions: RecordingStepFunctions
) -> None:
    event = golden("eventbridge/object_created.json")
    assert app().ingestion.starter.handle(event) == "started"
    assert json.loads(golden("sqs/uploads.json")["Records"][0]["body"]) == event
    assert len(step_functions.started) == 1


def test_a_start_that_failed_is_made_up_for_with_the_version_decided_upon(
    contributor: UUID, step_functions: RecordingStepFunctions, originals: MemoryObjectStore, database: Database
) -> None:
    event = golden("eventbridge/object_created.json")
    step_functions.answering = False
    with pytest.raises(DependencyUnavailable):
        app().ingestion.starter.handle(event)
    step_functions.answering = True
    originals.put(JOB["key"], b"another picture, sent by the same form", content_type="image/jpeg")
    assert app().ingestion.starter.handle(event) == "started"
    decided = database.fetch_one("SELECT updated_at FROM images WHERE id = %s", (IMAGE,))
    assert app().ingestion.starter.handle(event) == "started"
    assert [job["version_id"] for job in step_functions.started.values()] == ["v1"]
    assert database.fetch_one("SELECT updated_at FROM images WHERE id = %s", (IMAGE,)) == decided


@pytest.fixture
def compensation(database: Database, originals: MemoryObjectStore, contributor: UUID) -> CompensateImage:
    """With the picture in work, and a rendition of it made."""
    renditions = MemoryObjectStore("renditions")
    renditions.put(f"thumbnails/{IMAGE}/150-0.webp", b"", content_type="image/webp")
    with database.transaction() as connection:
        connection.execute("UPDATE images SET object_version = 'v1' WHERE id = %s", (IMAGE,))
    return CompensateImage(
        database=database,
        originals=originals,
        work=MemoryObjectStore("work"),
        renditions=renditions,
        relay=OutboxRelay(database, MemoryBus()),
    )


def _ended(database: Database) -> tuple[str, dict[str, Any]]:
    row = database.fetch_one("SELECT status, rejection FROM images WHERE id = %s", (IMAGE,))
    assert row
    return row["status"], row["rejection"]


def test_what_a_catch_hands_over_ends_the_image(
    compensation: CompensateImage, database: Database, originals: MemoryObjectStore
) -> None:
    provide("ingestion.compensate_image", compensation)
    event = golden("step_functions/compensate_image.json")
    assert [compensate_image(event, LambdaContext()) for _ in range(2)] == [{"status": "rejected"}] * 2
    status, reason = _ended(database)
    assert (status, reason["code"]) == ("rejected", "unreadable-image")
    assert not list(compensation._renditions.list_keys(""))
    assert originals.tags(JOB["key"], version_id="v1") == {"state": "ended"}


def test_an_execution_that_no_catch_saw_ends_in_the_same_place(
    compensation: CompensateImage, database: Database, originals: MemoryObjectStore
) -> None:
    provide("ingestion.endings", ExecutionEndings(compensation))
    event = golden("sqs/endings.json")
    assert json.loads(event["Records"][0]["body"]) == golden("eventbridge/execution_timed_out.json")
    for _ in range(2):
        assert end_executions(event, LambdaContext()) == {"batchItemFailures": []}
    status, reason = _ended(database)
    assert (status, reason["code"], reason["cause"]) == ("processing_failed", "processing-failed", "States.Timeout")
    assert not list(compensation._renditions.list_keys(""))
    assert JOB["key"] in originals.versions


def test_an_ending_of_another_form_comes_back(compensation: CompensateImage) -> None:
    provide("ingestion.endings", ExecutionEndings(compensation))
    event = golden("sqs/endings.json")
    (record,) = event["Records"]
    record["body"] = json.dumps({"detail": {"status": "FAILED", "input": "{}"}})
    assert end_executions(event, LambdaContext())["batchItemFailures"] == [{"itemIdentifier": record["messageId"]}]
