"""Uploads announced a day ago: removed where nothing came, started where the event was lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.ingestion.sweeper import UploadSweeper
from imagemarket.platform.database import Database
from imagemarket.platform.roles import DatabaseRole
from imagemarket.platform.telemetry import logger
from tests.fakes import MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.roles import InRole

pytestmark = pytest.mark.engines
LONG_AGO = datetime.now(UTC) - timedelta(hours=25)


class RecordingStepFunctions:
    def __init__(self) -> None:
        self.started: list[str] = []

    def start_execution(self, *, name: str, **_: Any) -> None:
        self.started.append(name)


@pytest.fixture
def originals() -> MemoryObjectStore:
    return MemoryObjectStore("originals")


@pytest.fixture
def step_functions() -> RecordingStepFunctions:
    return RecordingStepFunctions()


@pytest.fixture
def sweeper(database: Database, originals: MemoryObjectStore, step_functions: Any) -> UploadSweeper:
    database = InRole(database, DatabaseRole.INGESTION)
    starter = IngestionStarter(
        database=database, originals=originals, executions=Executions(step_functions, "arn:aws:states:test")
    )
    return UploadSweeper(database=database, originals=originals, starter=starter)


def _is_there(database: Database, image: UUID) -> bool:
    return database.fetch_one("SELECT 1 AS one FROM images WHERE id = %s", (image,)) is not None


def test_row_and_parts_of_an_upload_that_never_came_are_removed(
    sweeper: UploadSweeper, database: Database, originals: MemoryObjectStore
) -> None:
    owner = a_contributor(database)
    parts = originals.start_multipart("originals/big.tif", content_type="image/tiff")
    originals.upload_part(parts, 1, b"the first of three")
    in_parts = an_image(database, owner, updated_at=LONG_AGO, multipart_id=parts, s3_original_key="originals/big.tif")
    in_one = an_image(database, owner, updated_at=LONG_AGO)
    fresh = an_image(database, owner)
    ended = an_image(database, owner, updated_at=LONG_AGO, object_version="v1", status="approved")
    assert sweeper.run() == {"removed": 2, "started": 0}
    assert "image_id" not in logger.get_current_keys(), "what is logged next is about no image"
    assert [_is_there(database, image) for image in (in_parts, in_one, fresh, ended)] == [False, False, True, True]
    assert not originals.uploads
    assert sweeper.run() == {"removed": 0, "started": 0}


def test_an_object_whose_event_was_lost_is_processed(
    sweeper: UploadSweeper,
    database: Database,
    originals: MemoryObjectStore,
    step_functions: RecordingStepFunctions,
) -> None:
    owner = a_contributor(database)
    image = an_image(database, owner, updated_at=datetime.now(UTC) - timedelta(minutes=3))
    originals.put(f"originals/{owner}/{image}.jpg", b"a picture", content_type="image/jpeg")
    assert sweeper.run() == {"removed": 0, "started": 1}
    assert [name[:36] for name in step_functions.started] == [str(image)]
    assert _is_there(database, image)
    assert sweeper.run() == {"removed": 0, "started": 0}


def test_what_was_announced_a_moment_ago_is_left_to_its_event(
    sweeper: UploadSweeper, database: Database, originals: MemoryObjectStore
) -> None:
    owner = a_contributor(database)
    image = an_image(database, owner, updated_at=datetime.now(UTC) - timedelta(minutes=1))
    originals.put(f"originals/{owner}/{image}.jpg", b"a picture", content_type="image/jpeg")
    unsent = an_image(database, owner, updated_at=datetime.now(UTC) - timedelta(hours=23))
    assert sweeper.run() == {"removed": 0, "started": 0}
    assert _is_there(database, unsent)


def test_other_bytes_that_never_came_leave_the_refusal_as_it_was(
    sweeper: UploadSweeper, database: Database, originals: MemoryObjectStore
) -> None:
    owner = a_contributor(database)
    key = f"originals/{owner}/refused.jpg"
    originals.put(key, b"the bytes that were refused", content_type="image/jpeg")
    refused = an_image(database, owner, updated_at=LONG_AGO, s3_original_key=key, refused_version="v1")
    gone = an_image(database, owner, updated_at=LONG_AGO, refused_version="v0")
    assert sweeper.run() == {"removed": 0, "started": 0}
    rows = database.fetch_all("SELECT id, status, object_version FROM images ORDER BY id")
    assert [(row["id"], row["status"], row["object_version"]) for row in rows] == [
        (refused, "rejected", "v1"),
        (gone, "rejected", "v0"),
    ]
