"""One request's id, from the API's log through the image, the outbox and the queue to whoever passes the news on."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from functions.call_webhooks.handler import handler as call_handler
from functions.index_images.handler import handler as index_handler
from functions.start_ingestion.handler import handler as start_handler
from functions.upload_api.handler import handler as upload_handler
from imagemarket.catalog.events import ImageListingChanged, ImageStatusChanged
from imagemarket.catalog.images import PUBLISH, change_status, publish_listing
from imagemarket.catalog.models import ImageStatus
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.events import publish
from imagemarket.platform.handlers import batch_handler
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.ids import new_id
from imagemarket.platform.outbox import OutboxRelay
from imagemarket.platform.telemetry import logger
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from tests.api.events import http_event, json_of
from tests.fakes import MemoryBus, MemoryObjectStore, MemoryStepFunctions
from tests.integration.receiver import receiving
from tests.integration.rows import a_contributor, an_image
from tests.integration.test_notifications import Room, hooked
from tests.provided import provide
from tests.unit.ingestion.test_upload_request import announcement
from tests.unit.search.kit import MemorySearch

pytestmark = pytest.mark.engines
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:m"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield stream
    logger._logger.removeHandler(handler)


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_request_is_found_at_every_hop(database: Database, log: io.StringIO) -> None:
    service = Uploads(
        database=database,
        originals=MemoryObjectStore("originals"),
        idempotency=IdempotencyKeys(database, SystemClock()),
        public_base_url="http://api.test",
    )
    provide("ingestion.uploads", service)
    event = http_event(
        "POST", "/v1/images/upload", announcement(), caller=Caller(a_contributor(database), "contributor")
    )
    image = json_of(upload_handler(event, None))["image_id"]
    request = event["requestContext"]["requestId"]
    (line,) = [line for line in _lines(log) if line["message"] == "request"]
    assert (line["request_id"], line["image_id"]) == (request, image)

    with database.transaction() as connection:
        change_status(connection, UUID(image), PUBLISH, ImageStatus.APPROVED, actor="ingestion", reason="It passed.")
    bus = MemoryBus()
    assert OutboxRelay(database, bus).drain() == 2
    messages = bus.take(ImageStatusChanged, ImageListingChanged)
    assert [message["detail"]["request_id"] for message in messages] == [request, request]

    def work(_: Any) -> None:
        logger.info("at work")

    def no_journal() -> Any:
        raise AssertionError

    records = [{"messageId": "m", "body": json.dumps(message), "attributes": {}} for message in messages]
    assert batch_handler(work, no_journal)({"Records": records}, None) == {"batchItemFailures": []}
    found = [line for line in _lines(log) if line["message"] == "at work"]
    assert [(line["request_id"], line["image_id"]) for line in found] == [(request, image)] * 2


def _handled(handler: Any, bodies: Sequence[dict[str, Any]]) -> None:
    records = [
        {"messageId": f"m-{number}", "body": json.dumps(body), "attributes": {}} for number, body in enumerate(bodies)
    ]
    assert handler({"Records": records}, None) == {"batchItemFailures": []}


def test_the_start_of_a_saga_is_found_by_its_image_and_by_its_request(database: Database, log: io.StringIO) -> None:
    """S3's event names no request: the image's row does. An event that comes again starts nothing."""
    owner = a_contributor(database)
    image = an_image(database, owner, request_id="request-1")
    originals, states = MemoryObjectStore("originals"), MemoryStepFunctions(MACHINE)
    starter = IngestionStarter(
        database=database, originals=originals, executions=Executions(cast("Any", states), MACHINE)
    )
    provide("ingestion.starter", starter)
    key = f"originals/{owner}/{image}.jpg"
    originals.put(key, b"a picture", content_type="image/jpeg")
    _handled(start_handler, [{"detail": {"object": {"key": key}}}] * 2)
    (execution,) = states.executions
    first, second = _lines(log)
    assert (first["message"], first["execution"], first["message_id"]) == ("the saga was started", execution, "m-0")
    assert (second["message"], second["message_id"]) == ("the saga of this run runs or has run", "m-1")
    assert {(line["image_id"], line["request_id"]) for line in (first, second)} == {(str(image), "request-1")}
    gone = new_id()
    originals.put(f"originals/{owner}/{gone}.jpg", b"a picture", content_type="image/jpeg")
    assert starter.begin(gone, f"originals/{owner}/{gone}.jpg") == "discarded"
    last = _lines(log)[-1]
    assert (last["image_id"], "request_id" in last) == (str(gone), False), "and not the request of the image before"


def test_every_image_and_request_of_a_batch_is_found_where_it_is_indexed(database: Database, log: io.StringIO) -> None:
    indexer = Indexer(DocumentBuilder(database), [MemorySearch()])
    provide("search.indexer", indexer)
    changed = [ImageListingChanged(image_id=new_id(), version=2) for _ in range(100)]
    with database.transaction() as connection:
        for number, event in enumerate(changed):
            # the first was announced before requests were kept
            publish(connection, event, request_id=f"request-{number}" if number else None)
    bus = MemoryBus()
    OutboxRelay(database, bus).drain()
    _handled(index_handler, bus.take(ImageListingChanged))
    (line,) = _lines(log)
    assert line["message"] == "indexed"
    assert line["image_ids"] == [str(event.image_id) for event in changed]
    assert line["request_ids"] == [f"request-{number}" for number in range(1, 100)]
    assert line["message_ids"] == [f"m-{number}" for number in range(100)]


def test_a_call_of_a_webhook_is_found_by_its_image_and_by_its_request(
    database: Database, log: io.StringIO, tmp_path: Path
) -> None:
    """Also the line of a message that finds nothing to do, and of a call that is another's turn."""
    room, owner = Room(database, tmp_path), a_contributor(database)
    provide("notifications.webhook_worker", room.worker)
    images = [an_image(database, owner, request_id=f"request-{number}") for number in (1, 2)]
    with receiving() as receiver:
        hooked(room, owner, receiver)
        messages: list[dict[str, Any]] = []
        for image in images:
            room.change(image, "approved")
            room.tell()
            messages += room.wakes.take()
        assert len(messages) == 2
        with (
            database.transaction() as connection
        ):  # its deliveries take their turn: the oldest is called, whoever wakes
            connection.execute(
                "INSERT INTO webhook_slow_accounts (account_id, slow_until, called_at) VALUES (%s, %s, %s)",
                (owner, room.clock.now() + timedelta(hours=1), room.clock.now()),
            )
        log.truncate(0)
        log.seek(0)
        for message in (messages[1], messages[1], messages[1]):
            _handled(call_handler, [message])
            room.wakes.take()
    found = [(line["message"], line["image_id"], line["request_id"]) for line in _lines(log)]
    first, second = [(str(image), f"request-{number}") for number, image in enumerate(images, 1)]
    assert found == [("webhook called", *first), ("webhook called", *second), ("nothing to deliver", *second)]


def test_the_trace_goes_on_in_the_saga_and_in_the_messages(database: Database) -> None:
    owner = a_contributor(database)
    traced, untraced = an_image(database, owner, trace_header=TRACE), an_image(database, owner)
    originals, states = MemoryObjectStore("originals"), MemoryStepFunctions(MACHINE)
    starter = IngestionStarter(
        database=database, originals=originals, executions=Executions(cast("Any", states), MACHINE)
    )
    for image in (traced, untraced):
        key = f"originals/{owner}/{image}.jpg"
        originals.put(key, b"a picture", content_type="image/jpeg")
        assert starter.begin(image, key) == "started"
        with database.transaction() as connection:
            publish_listing(connection, image, 1)
    assert list(states.trace_headers.values()) == [TRACE, None]

    bus = MemoryBus()
    assert OutboxRelay(database, bus).drain() == 2
    told = {json.loads(each["Detail"])["subject"]: each.get("TraceHeader") for each in bus.client.entries}
    assert told == {str(traced): TRACE, str(untraced): None}


def test_an_image_from_before_has_no_request(database: Database) -> None:
    image = an_image(database, a_contributor(database))
    with database.transaction() as connection:
        publish_listing(connection, image, 1)
    bus = MemoryBus()
    OutboxRelay(database, bus).drain()
    assert [message["detail"]["request_id"] for message in bus.take(ImageListingChanged)] == [None]
