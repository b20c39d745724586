"""What X-Ray is told of an invocation, as its daemon hears it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from imagemarket.platform.database import Database
from tests.integration.rows import a_contributor

ROOT = "1-5759e988-bd862e3fe1be46a994272793"

_STEP = """
from imagemarket.platform.telemetry import saga_step

@saga_step
def handler(event, context):
    return {"secret": "answer"}

handler({"image_id": "0190c0de", "execution": "run-1"}, None)
"""

_ANNOUNCEMENT = """
import os, uuid
from functions.upload_api.handler import handler
from imagemarket import wiring
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from tests.api.events import http_event
from tests.fakes import MemoryObjectStore
from tests.unit.ingestion.test_upload_request import announcement

database = Database(lambda: os.environ["DSN"])
service = Uploads(
    database=database,
    originals=MemoryObjectStore("originals"),
    idempotency=IdempotencyKeys(database, SystemClock()),
    public_base_url="http://api.test",
)
wiring.uploads = lambda: service
wiring.accounts = lambda: type("Everyone", (), {"exists": lambda self, account: True})()
caller = Caller(uuid.UUID(os.environ["CONTRIBUTOR"]), "contributor")
event = http_event("POST", "/v1/images/upload", announcement(), caller=caller)
event["requestContext"]["requestId"] = "request-1"
answer = handler(event, None)
assert answer["statusCode"] == 201, answer
"""

_LATE = """
import contextvars, json
from imagemarket.platform import telemetry
kept = []

@telemetry.traced
def handler(event, context):
    kept.append(contextvars.copy_context())
    return {}

handler({}, None)
kept[0].run(telemetry.annotate, image_id="0190c0de")
"""

_MESSAGES = """
from imagemarket.platform.telemetry import batch_handler, bulk_handler

def work(record):
    if record["messageId"] == "m-2":
        raise ValueError("a secret of the message")

def body(image):
    return '{"image_id": "0190c0de-0000-7000-8000-00000000000%d", "request_id": "request-%d"}' % (image, image)

records = [{"messageId": f"m-{each}", "body": body(each), "attributes": {}} for each in range(1, 4)]
CONSUMER({"Records": records}, None)
"""


def _heard(monitored: socket.socket) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    monitored.settimeout(0.2)
    try:
        while True:
            heard.append(json.loads(monitored.recv(65536).split(b"\n", 1)[1]))
    except TimeoutError:
        return heard


def _run(program: str = _STEP, **environment: str) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            env=os.environ
            | {
                "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
                "LAMBDA_TASK_ROOT": "/var/task",
                "POWERTOOLS_SERVICE_NAME": "make_thumbnails",
                "POWERTOOLS_TRACE_DISABLED": "false",
                "_X_AMZN_TRACE_ID": f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1",
            }
            | environment,
        )
        return _heard(daemon)


def test_a_step_is_found_in_its_trace_by_its_image() -> None:
    (segment,) = _run()
    assert segment["name"] == "## handler"
    assert segment["trace_id"] == ROOT
    assert segment["parent_id"] == "53995c3f42cd8ad8"
    assert segment["annotations"]["image_id"] == "0190c0de"
    assert segment["annotations"]["execution"] == "run-1"
    assert segment["annotations"]["Service"] == "make_thumbnails"
    assert "answer" not in json.dumps(segment)


@pytest.mark.engines
def test_an_announcement_is_found_in_its_trace(database: Database, database_url: str) -> None:
    """Its route runs in a worker thread, where X-Ray's SDK has a segment that nothing may be written to."""
    contributor = a_contributor(database)
    (segment,) = _run(_ANNOUNCEMENT, DSN=database_url, CONTRIBUTOR=str(contributor))
    (image,) = database.fetch_all("SELECT id FROM images")
    assert segment["name"] == "## handler"
    assert segment["trace_id"] == ROOT
    assert segment["annotations"]["image_id"] == str(image["id"])
    assert segment["annotations"]["request_id"] == "request-1"


def test_annotating_what_has_been_sent_breaks_nothing() -> None:
    (segment,) = _run(_LATE)
    assert "image_id" not in segment["annotations"]


_ONE_BY_ONE = "batch_handler(work, lambda: None)"
_AS_ONE = "bulk_handler(lambda records: [], lambda: None)"


@pytest.mark.parametrize("consumer", [_ONE_BY_ONE, _AS_ONE])
def test_each_message_of_a_batch_is_found_by_its_image_and_its_request(consumer: str) -> None:
    heard = _run(_MESSAGES.replace("CONSUMER", consumer))
    segments = [each for segment in heard for each in (segment, *segment.get("subsegments", []))]
    messages = [each["annotations"] for each in segments if each["name"] == "## message"]
    assert [(each["image_id"][-1], each["request_id"]) for each in messages] == [
        ("1", "request-1"),
        ("2", "request-2"),
        ("3", "request-3"),
    ]
    assert "secret" not in json.dumps(heard)


def test_no_trace_is_taken_where_nobody_listens() -> None:
    assert _run(POWERTOOLS_TRACE_DISABLED="true") == []
