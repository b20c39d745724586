"""Where a picture was taken stands in no line that the saga's functions log, however they end."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from functions.inspect_image.handler import handler as inspect_handler
from functions.make_thumbnails.handler import handler as thumbnails_handler
from functions.make_watermark.handler import handler as watermark_handler
from imagemarket.imaging.errors import ImageRejected
from imagemarket.imaging.inspection import inspect
from imagemarket.imaging.sandbox import Inspector
from imagemarket.ingestion.executions import Executions
from imagemarket.ingestion.models import IngestionJob
from imagemarket.ingestion.starter import IngestionStarter
from imagemarket.platform.database import Database
from imagemarket.platform.messages import FailureLog
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from local.layout import REPOSITORY
from tests.fakes import MemoryStepFunctions
from tests.golden import golden
from tests.integration.sagas import Saga
from tests.provided import provide

pytestmark = pytest.mark.engines

FUNCTIONS = REPOSITORY / "functions"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:m"
SECRETS = ("47.5712", "47.571", "8.1234567", "81234567", "7654321", "Hidden Valley", "hidden valley", "SN-4711-X")


def _located(**changes: Any) -> bytes:
    """A photo with its place in EXIF, as numbers and in degrees, and in XMP by name."""
    exif = Image.Exif()
    exif[0x010F], exif[0x010E] = "ACME", "At Hidden Valley 47.5712, 8.1234567"
    exif.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0xA431: "SN-4711-X"})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 34.0, 16.7654321), 3: "E", 4: (8.0, 7.0, 24.44), 29: "2024:05:06"})
    xmp = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        ' xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="47.5712" exif:GPSLongitude="8.1234567"'
        ' xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" Iptc4xmpCore:Location="Hidden Valley"/>'
        "</rdf:RDF>"
    )
    out = io.BytesIO()
    Image.new("RGB", (320, 240), "teal").save(out, "JPEG", exif=exif, xmp=xmp.encode(), **changes)
    return out.getvalue()


class _InThisProcess:
    """The decoder's work where its log lines are seen."""

    def inspect(self, path: Path) -> Any:
        return inspect(path)


class _Failing:
    """A decoder that fails with what stood in the file."""

    def inspect(self, path: Path) -> Any:
        raise ValueError(f"could not read {path.read_bytes()!r}")


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that was written since, by our logger, by libraries' and by print."""
    caplog.set_level("INFO")

    def read() -> str:
        out, err = capsys.readouterr()
        return "\n".join([out, err, *(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)])

    return read


def _run(job: IngestionJob, *handlers: Callable[[dict[str, Any], Any], dict[str, Any]]) -> None:
    event = json.loads(job.model_dump_json())
    for handler in handlers:
        handler(event, None)


@pytest.mark.parametrize("confined", [True, False])
def test_a_photo_that_passes(database: Database, lines: Callable[[], str], confined: bool) -> None:
    saga = Saga(database)
    job = saga.a_job(_located())
    with Inspector() as decoder:
        provide("ingestion.inspect_image", saga.inspect(decoder if confined else _InThisProcess()))
        provide("ingestion.make_thumbnails", saga.thumbnails())
        provide("ingestion.make_watermark", saga.watermark())
        _run(job, inspect_handler, thumbnails_handler, watermark_handler)
    said = lines()
    assert "step ended" in said  # the log was read
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_photo_on_its_whole_road(database: Database, lines: Callable[[], str]) -> None:
    saga, states = Saga(database), MemoryStepFunctions(MACHINE)
    job = saga.a_job(_located())
    executions = Executions(cast("Any", states), MACHINE)
    starter = IngestionStarter(database=database, originals=saga.originals, executions=executions)
    decoder: Any = _InThisProcess()
    for service, use in {
        "ingestion.starter": starter,
        "ingestion.inspect_image": saga.inspect(decoder),
        "ingestion.detect_duplicate": saga.detect_duplicate(),
        "ingestion.make_thumbnails": saga.thumbnails(),
        "ingestion.make_watermark": saga.watermark(),
        "ingestion.embed_and_tag": saga.embed(),
        "ingestion.publish_image": saga.publish(),
        "ingestion.compensate_image": saga.compensation(),
        "search.indexer": Indexer(DocumentBuilder(database), [PostgresSearch(database)]),
        "resources.failure_log": FailureLog(database),
    }.items():
        provide(service, use)
    event = golden("eventbridge/object_created.json")
    event["detail"]["object"] |= {"key": job.key, "version-id": "v1"}
    assert _called("start_ingestion", _message(event)) == {"batchItemFailures": []}
    assert list(states.inputs) == [job.execution_name]

    steps = ("inspect_image", "detect_duplicate", "make_thumbnails", "make_watermark", "embed_and_tag", "publish_image")
    passed = json.loads(job.model_dump_json())
    for step in steps:
        _called(step, passed)
    told = {"image_id": str(job.image_id), "version": 2}
    assert _called("index_images", _message(told)) == {"batchItemFailures": []}
    assert database.fetch_one("SELECT 1 FROM search_documents WHERE listed AND image_id = %s", (job.image_id,))

    broken = saga.a_job(_located())
    cause = json.dumps({"errorType": "ValueError", "errorMessage": f"could not read {_located()!r}", "trace": SECRETS})
    failed = {"Error": "ValueError", "Cause": cause}
    _called("compensate_image", json.loads(broken.model_dump_json()) | {"error": failed})

    said = lines()
    assert said.count("step ended") >= len(steps) + 1
    assert [secret for secret in SECRETS if secret in said] == []
    of_the_saga = {
        path.parent.name for path in FUNCTIONS.glob("*/handler.py") if "saga_step" in path.read_text("utf-8")
    }
    assert of_the_saga == {*steps, "compensate_image"}, "every function of the saga was called here"


def _called(function: str, event: dict[str, Any]) -> Any:
    return importlib.import_module(f"functions.{function}.handler").handler(event, None)


def _message(body: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [{"messageId": "m", "body": json.dumps(body), "attributes": {}}]}


def test_a_photo_that_is_refused(database: Database, lines: Callable[[], str]) -> None:
    saga = Saga(database)
    job = saga.a_job(_located()[:-400])
    provide("ingestion.inspect_image", saga.inspect(_InThisProcess()))
    with pytest.raises(ImageRejected):
        _run(job, inspect_handler)
    said = lines()
    assert "step refused" in said
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_library_that_says_what_it_failed_on(database: Database, lines: Callable[[], str]) -> None:
    saga = Saga(database)
    job = saga.a_job(_located())
    provide("ingestion.inspect_image", saga.inspect(_Failing()))
    with pytest.raises(ImageRejected):
        _run(job, inspect_handler)
    said = lines()
    assert "a library failed on the picture" in said
    assert [secret for secret in SECRETS if secret in said] == []
