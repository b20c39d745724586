"""A form that is posted twice: which version an image is made of, and what becomes of the other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.start_ingestion.handler import handler as start_ingestion
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import ENDED_TAG
from imagemarket.ingestion.saga import CompensateImage
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.ingestion.sweeper import ExecutionSweeper
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import Conflict
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.messages import FailureLog
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.roles import DatabaseRole
from tests.api.events import LambdaContext
from tests.fakes import MemoryBus, MemoryObjectStore, MemoryStepFunctions
from tests.golden import golden
from tests.integration.rows import a_contributor, an_image, image_with_upload
from tests.provided import provide
from tests.roles import InRole

pytestmark = pytest.mark.engines
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:m"
FIRST, SECOND = b"the picture", b"the picture, sent again"


class Harness:
    """An image whose form may be posted, and the function that hears of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.states: Any = MemoryStepFunctions(MACHINE)
        self.originals = MemoryObjectStore("originals")
        self.executions = Executions(self.states, MACHINE)
        self.starter = IngestionStarter(
            database=InRole(database, DatabaseRole.INGESTION), originals=self.originals, executions=self.executions
        )
        uploader = InRole(database, DatabaseRole.UPLOADER)
        self.uploads = Uploads(
            database=uploader,
            originals=self.originals,
            idempotency=IdempotencyKeys(uploader, SystemClock()),
            public_base_url="http://api.test",
        )
        provide("ingestion.starter", self.starter)
        provide("resources.failure_log", FailureLog(InRole(database, DatabaseRole.INGESTION)))
        self.owner = a_contributor(database)
        self.image = an_image(database, self.owner)
        self.key = f"originals/{self.owner}/{self.image}.jpg"

    def post(self, data: bytes) -> str:
        """What a client does with the form; the version that it makes."""
        self.originals.put(self.key, data, content_type="image/jpeg")
        version = self.originals.head(self.key).version_id
        assert version
        return version

    def told(self, *versions: str | None) -> dict[str, Any]:
        """The function's answer to one batch of S3's events; one of None names no version, as some emulators' do."""
        record = golden("sqs/uploads.json")["Records"][0]
        records = []
        for number, version in enumerate(versions):
            event = golden("eventbridge/object_created.json")
            event["detail"]["object"] |= {"key": self.key, "version-id": version}
            if version is None:
                del event["detail"]["object"]["version-id"]
            records.append(record | {"messageId": f"message-{number}", "body": json.dumps(event)})
        return start_ingestion({"Records": records}, LambdaContext())

    def row(self, image: UUID | None = None) -> dict[str, Any]:
        return image_with_upload(self.database, image or self.image)

    def set(self, assignments: str, *values: Any) -> None:
        self._set("images", "id", assignments, *values)

    def set_upload(self, assignments: str, *values: Any) -> None:
        self._set("uploads", "image_id", assignments, *values)

    def _set(self, table: str, key: str, assignments: str, *values: Any) -> None:
        with self.database.transaction() as connection:
            connection.execute(f"UPDATE {table} SET {assignments} WHERE {key} = %s", (*values, self.image))  # pyright: ignore[reportArgumentType]

    def versions(self) -> list[str]:
        """The newest first."""
        return [version.version_id for version in self.originals.list_versions(self.key)]


@pytest.fixture
def harness(database: Database) -> Harness:
    return Harness(database)


ORDERS: dict[str, list[list[int]]] = {
    "in turn": [[0], [1]],
    "the later one first": [[1], [0]],
    "each twice, mixed": [[1, 0, 0, 1]],
    "in one batch": [[0, 1]],
    "the older one's comes again in the end": [[0, 1], [0]],
}
"""Batches of events, of the first version and of the second."""


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("heard_between", [True, False])
def test_a_form_posted_twice_leaves_one_version_and_one_run(harness: Harness, order: str, heard_between: bool) -> None:
    first = harness.post(FIRST)
    if heard_between:
        harness.told(first)
    second = harness.post(SECOND)
    for batch in ORDERS[order]:
        assert harness.told(*((first, second)[each] for each in batch)) == {"batchItemFailures": []}
    pinned = harness.row()["object_version"]
    assert pinned == (first if heard_between else second)
    assert harness.versions() == [pinned], "the pinned version is current, and no other is left"
    assert harness.originals.get(harness.key) == (FIRST if heard_between else SECOND)
    assert [json.loads(each)["version_id"] for each in harness.states.inputs.values()] == [pinned]


@pytest.mark.parametrize("status", ["approved", "pending_review", "taken_down", "deleted", "rejected"])
def test_what_is_posted_after_an_image_has_ended_is_deleted(harness: Harness, status: str) -> None:
    first = harness.post(FIRST)
    harness.told(first)
    harness.set("status = %s", status)
    second = harness.post(SECOND)
    assert harness.told(second) == {"batchItemFailures": []}
    assert harness.versions() == [first]
    assert len(harness.states.executions) == 1


def test_an_event_that_names_no_version_is_of_the_current_one(harness: Harness) -> None:
    first = harness.post(FIRST)
    harness.told(None)
    harness.post(SECOND)
    harness.told(None)
    harness.told(None)
    assert harness.versions() == [first]


def test_the_bytes_that_were_refused_stay_while_others_are_waited_for(harness: Harness) -> None:
    refused = harness.post(FIRST)
    harness.set_upload("refused_version = %s", refused)
    harness.told(refused, refused)
    assert harness.versions() == [refused]
    assert harness.row()["object_version"] is None
    other = harness.post(SECOND)
    harness.told(other)
    assert harness.row()["object_version"] == other
    assert harness.versions()[0] == other


def test_bytes_that_arrive_for_an_aborted_upload_are_deleted(harness: Harness) -> None:
    harness.uploads.abort(harness.owner, harness.image)
    late = harness.post(FIRST)
    again = harness.post(SECOND)
    assert harness.told(late) == {"batchItemFailures": []}
    assert harness.versions() == [again], "an event is about its own version"
    harness.told(again, again)
    assert harness.versions() == []
    assert not harness.states.executions


def test_an_abort_that_comes_too_late_says_so(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness.told(harness.post(FIRST))
    before = {**harness.row(), "object_version": None}
    monkeypatch.setattr(harness.uploads, "own", lambda *_: before)
    monkeypatch.setattr(harness.uploads, "_exists", lambda *_, **__: False)
    with pytest.raises(Conflict):
        harness.uploads.abort(harness.owner, harness.image)
    assert harness.row()["object_version"]
    with pytest.raises(ImageNotFound):
        Uploads.abort(
            Uploads(
                database=harness.database,
                originals=harness.originals,
                idempotency=IdempotencyKeys(harness.database, SystemClock()),
                public_base_url="http://api.test",
            ),
            a_contributor(harness.database),
            harness.image,
        )


def test_the_mark_of_the_dead_is_taken_off_whoever_starts_the_next_run(harness: Harness) -> None:
    """Else a lifecycle rule would delete the original of an image that came through in the end."""
    version = harness.post(FIRST)
    harness.originals.tag(harness.key, ENDED_TAG, version_id=version)
    harness.set_upload("run = 2")
    harness.set("object_version = %s, updated_at = %s", version, datetime.now(UTC) - timedelta(minutes=3))
    sweeper = ExecutionSweeper(
        database=harness.database,
        originals=harness.originals,
        executions=harness.executions,
        compensation=CompensateImage(
            database=harness.database,
            originals=harness.originals,
            work=MemoryObjectStore("work"),
            renditions=MemoryObjectStore("renditions"),
            relay=OutboxRelay(harness.database, MemoryBus()),
        ),
        stalled_after_seconds=600,
    )
    assert sweeper.run()["resumed"] == 1
    assert harness.originals.tags(harness.key, version_id=version) == {}
