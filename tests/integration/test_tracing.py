"""What X-Ray is told of an invocation, as its daemon hears it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from imagemarket.platform.database import Database
from tests.integration.rows import a_contributor

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
ANNOUNCED = "1-5759e987-bd862e3fe1be46a994272794"

_STEP = """
from imagemarket.platform.handlers import saga_step

@saga_step
def handler(event, context):
    return {"secret": "answer"}

handler({"image_id": "0190c0de", "execution": "run-1"}, None)
"""

_ANNOUNCEMENT = """
import os, uuid
from functions.upload_api.handler import handler
from imagemarket.app import App, app, use
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.resources import Resources
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
use(App(Resources(counters=Cache("redis://127.0.0.1:1"))))
app().ingestion.uploads = service
app().identity.directory = type("Everyone", (), {"exists": lambda self, account, **_: True})()
caller = Caller(uuid.UUID(os.environ["CONTRIBUTOR"]), "contributor")
event = http_event("POST", "/v1/images/upload", announcement(), caller=caller)
event["requestContext"]["requestId"] = "request-1"
answer = handler(event, None)
assert answer["statusCode"] == 201, answer
"""

_START = """
import os, uuid
from imagemarket.app import app
from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.telemetry import traced

job = IngestionJob(
    image_id=uuid.uuid4(),
    contributor_id=uuid.uuid4(),
    key="k",
    version_id="v1",
    trace_header=os.environ.get("OF_IMAGE"),
)

@traced
def handler(event, context):
    app().ingestion.executions.start(job)
    return {}

handler({}, None)
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
kept[0].run(telemetry.add_log_context, image_id="0190c0de")
"""

_MESSAGES = """
from imagemarket.platform.handlers import batch_handler, bulk_handler

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
    (image,) = database.fetch_all("SELECT image_id AS id, trace_header FROM uploads")
    assert segment["name"] == "## handler"
    assert segment["trace_id"] == ROOT
    assert segment["annotations"]["image_id"] == str(image["id"])
    assert segment["annotations"]["request_id"] == "request-1"
    assert image["trace_header"] == f"Root={ROOT};Parent={segment['id']};Sampled=1"


@pytest.mark.parametrize("of_image", [f"Root={ANNOUNCED};Parent=53995c3f42cd8ad9;Sampled=1", None])
def test_an_execution_goes_on_with_the_trace_of_its_image(of_image: str | None) -> None:
    """As Step Functions hears of it: of two, it takes the header of the request."""
    heard: list[tuple[str, Any]] = []

    class StepFunctions(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.headers["X-Amzn-Trace-Id"], body))
            answer = b'{"executionArn": "arn", "startDate": 0}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), StepFunctions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _run(
            _START,
            AWS_LAMBDA_FUNCTION_NAME="start_ingestion",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="eu-central-1",
            MARKET_STATE_MACHINE_ARN="arn:aws:states:eu-central-1:123456789012:stateMachine:m",
            **({"OF_IMAGE": of_image} if of_image else {}),
        )
        server.shutdown()
    ((header, body),) = heard
    assert body.get("traceHeader") == of_image
    assert "trace_header" not in body["input"]
    if of_image:
        assert header == of_image
    else:
        assert header.startswith(f"Root={ROOT};"), "the starter's own trace"


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
