"""What a file says of itself goes from its bytes through the saga to its contributor, as suggestions."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from PIL import Image

from functions.status_api.handler import handler as status_handler
from imagemarket.imaging.sandbox import Inspector
from imagemarket.ingestion.progress import ProgressOfImages
from imagemarket.platform.database import Database
from imagemarket.platform.http import Caller
from tests.api.events import LambdaContext, http_event, json_of
from tests.described import CAPTION, CREDIT, KEYWORD, TITLE, alternatives, keywords, with_iptc, xmp
from tests.integration.sagas import Saga
from tests.provided import provide

pytestmark = pytest.mark.engines


def _jpeg(**options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), "teal").save(out, "JPEG", **options)
    return out.getvalue()


IPTC = with_iptc(
    _jpeg(),
    (TITLE, "Straße in Zürich".encode("latin-1")),
    (CAPTION, b"A street"),
    (KEYWORD, b"street"),
    (KEYWORD, b"town"),
    (CREDIT, b"Ada / House"),
)
XMP = _jpeg(
    xmp=xmp(
        alternatives(de="Ein Baum", x_default="A tree") + keywords("tree", "green"),
        attributes='photoshop:Credit="Ada / House"',
    )
)
NOTHING = {"title": None, "description": None, "keywords": [], "creator": None, "copyright": None, "credit": None}


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (IPTC, {"title": "Straße in Zürich", "description": "A street", "keywords": ["street", "town"]}),
        (XMP, {"title": "A tree", "keywords": ["tree", "green"]}),
    ],
    ids=["iptc", "xmp"],
)
def test_it_is_suggested_to_the_contributor_and_not_published(
    database: Database,
    decoder: Inspector,
    picture: bytes,
    said: dict[str, Any],
) -> None:
    saga = Saga(database)
    job = saga.a_job(picture)
    for step in (saga.inspect(decoder), saga.detect_duplicate(), saga.thumbnails(), saga.watermark(), saga.embed()):
        cast("Any", step).run(job)
    saga.publish().run(job)

    progress = ProgressOfImages(database=database, waits=cast("Any", None), waits_of_all=cast("Any", None))
    provide("ingestion.progress", progress)
    path = f"/v1/images/{job.image_id}/status"
    owner = Caller(job.contributor_id, "contributor")
    told = json_of(status_handler(http_event("GET", path, caller=owner), LambdaContext()))
    assert told["status"] == "approved"
    assert told["suggestions"] == {**NOTHING, **said, "credit": "Ada / House"}
    assert told["title"] == "A picture", "as it was announced"
