"""Where a picture was taken stands in no line that the saga's functions log, however they end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from functions.inspect_image.handler import handler as inspect_handler
from functions.make_thumbnails.handler import handler as thumbnails_handler
from functions.make_watermark.handler import handler as watermark_handler
from imagemarket import wiring
from imagemarket.imaging.confinement import Inspector
from imagemarket.imaging.inspection import inspect
from imagemarket.ingestion.models import IngestionJob
from imagemarket.platform.database import Database
from imagemarket.platform.errors import ImageRejected
from tests.integration.sagas import Saga

pytestmark = pytest.mark.engines

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
def test_a_photo_that_passes(
    database: Database, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], str], confined: bool
) -> None:
    saga = Saga(database)
    job = saga.a_job(_located())
    with Inspector() as decoder:
        monkeypatch.setattr(wiring, "inspect_image", lambda: saga.inspect(decoder if confined else _InThisProcess()))
        monkeypatch.setattr(wiring, "make_thumbnails", saga.thumbnails)
        monkeypatch.setattr(wiring, "make_watermark", saga.watermark)
        _run(job, inspect_handler, thumbnails_handler, watermark_handler)
    said = lines()
    assert "step ended" in said  # the log was read
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_photo_that_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], str]) -> None:
    saga = Saga(database)
    job = saga.a_job(_located()[:-400])
    monkeypatch.setattr(wiring, "inspect_image", lambda: saga.inspect(_InThisProcess()))
    with pytest.raises(ImageRejected):
        _run(job, inspect_handler)
    said = lines()
    assert "step refused" in said
    assert [secret for secret in SECRETS if secret in said] == []


def test_a_library_that_says_what_it_failed_on(
    database: Database, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], str]
) -> None:
    saga = Saga(database)
    job = saga.a_job(_located())
    monkeypatch.setattr(wiring, "inspect_image", lambda: saga.inspect(_Failing()))
    with pytest.raises(ImageRejected):
        _run(job, inspect_handler)
    said = lines()
    assert "a library failed on the picture" in said
    assert [secret for secret in SECRETS if secret in said] == []
