"""Searching by a picture through its Lambda handler: both ways in, and that nothing of it stays."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image

from functions.image_search_api import handler as module
from functions.image_search_api.handler import handler
from imagemarket.imaging.errors import DECODE_REFUSALS
from imagemarket.imaging.sandbox import DecoderError, Inspector
from imagemarket.platform.cache import Cache
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.gateway import MAX_BODY_BYTES
from imagemarket.platform.ratelimits import RateLimiter
from imagemarket.search import by_image as pictures
from imagemarket.search.by_image import MAX_DIRECT_BYTES, MAX_QUERY_IMAGE_BYTES, ImageSearch
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import AnalyseResponse, Analysis
from local import openapi
from local.raw_fixtures import RAW_KINDS, write_raw
from tests.api.events import LambdaContext, http_event, json_of
from tests.fakes import MemoryObjectStore
from tests.provided import provide
from tests.unit.search.kit import MODEL, MemorySearch, document, pointing
from tests.unit.search.test_service import service

PATH = "/v1/search/by-image"


class Model:
    """Sees every picture at ten degrees; `trouble` is raised instead."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.trouble: Exception | None = None

    def analyse(self, jpegs: Sequence[bytes]) -> AnalyseResponse:
        if self.trouble is not None:
            raise self.trouble
        self.seen += jpegs
        analysis = Analysis(
            embedding=list(pointing(10)), tags=[], categories=[], nsfw_score=0, description="A picture.", people=None
        )
        return AnalyseResponse(model_version=MODEL, analyses=[analysis])


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def work() -> MemoryObjectStore:
    return MemoryObjectStore("work")


@pytest.fixture(autouse=True)
def engine(model: Model, work: MemoryObjectStore, decoder: Inspector, monkeypatch: pytest.MonkeyPatch) -> MemorySearch:
    engine = MemorySearch()
    engine.write([document(str(angle), embedding=pointing(angle), colours=("red",)) for angle in (0, 30, 60)], [])
    engine.write([document("blue", embedding=pointing(11), colours=("blue",))], [])
    away = Cache("redis://127.0.0.1:1")  # who comes from loopback is not counted
    search = ImageSearch(
        search=service(engine), work=work, decoder=decoder, model=model, forms=RateLimiter(lambda: away)
    )
    provide("search.by_image", search)
    monkeypatch.setattr(pictures, "_LOOKING_SECONDS", 0.1)
    return engine


def picture(encoder: str = "JPEG", size: tuple[int, int] = (400, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, encoder)
    return out.getvalue()


def send(body: Any, content_type: str = "application/json", path: str = PATH, **query: Any) -> dict[str, Any]:
    headers = {"content-type": content_type}
    return handler(http_event("POST", path, body, headers, query=urlencode(query, doseq=True)), LambdaContext())


def titles(answer: dict[str, Any]) -> list[str]:
    assert answer["statusCode"] == 200, answer["body"]
    return [hit["title"] for hit in json_of(answer)["results"]]


@pytest.mark.parametrize(("encoder", "kind"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("TIFF", "image/tiff")])
def test_a_small_picture_is_the_body(encoder: str, kind: str, model: Model, work: MemoryObjectStore) -> None:
    answer = send(picture(encoder), kind)
    assert titles(answer) == ["blue", "0", "30", "60"]
    page = json_of(answer)
    assert (page["mode"], page["next_cursor"]) == ("similar", None)
    assert answer["headers"]["cache-control"] == "no-store"
    with Image.open(io.BytesIO(model.seen[0])) as looked:
        assert (looked.format, looked.size) == ("JPEG", (400, 300))
    assert work.versions == {}


def test_with_all_the_filters_and_fields() -> None:
    assert titles(send(picture(), "image/jpeg", color="red", limit=2, fields=["title"])) == ["0", "30"]
    answer = send(picture(), "image/jpeg", colour="red")
    assert json_of(answer)["errors"][0]["field"] == "colour"
    assert json_of(send(picture(), "image/jpeg", cursor="x"))["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("spelt", [["title,width"], ["title", "width"], ["title, width", "title"]])
def test_fields_are_named_with_commas_or_again(spelt: list[str]) -> None:
    (hit,) = json_of(send(picture(), "image/jpeg", limit=1, fields=spelt))["results"]
    assert set(hit) == {"id", "title", "width"}


def test_a_field_that_no_result_has_is_refused() -> None:
    told = json_of(send(picture(), "image/jpeg", fields=["title,password"]))
    assert (told["status"], told["errors"][0]["field"]) == (422, "fields")


def test_the_least_cosine_is_a_parameter() -> None:
    """The model sees ten degrees: cosines of 1.0, 0.98, 0.94 and 0.64."""
    for least, found in ((0.99, ["blue"]), (0.9, ["blue", "0", "30"]), (0, ["blue", "0", "30", "60"])):
        page = send(picture(), "image/jpeg", min_score=least)
        assert titles(page) == found
        assert all(hit["score"] >= least for hit in json_of(page)["results"])
    for wrong in (1.1, -0.1, "many"):
        refused = send(picture(), "image/jpeg", min_score=wrong)
        assert (refused["statusCode"], json_of(refused)["errors"][0]["field"]) == (422, "min_score")


def test_a_large_picture_comes_by_a_form_and_is_deleted(work: MemoryObjectStore) -> None:
    data = picture("PNG", (1500, 1500))
    answer = send({"content_type": "image/png", "size_bytes": len(data)}, path=f"{PATH}/upload")
    assert answer["statusCode"] == 201
    form = json_of(answer)
    assert form["fields"]["key"] == f"queries/{form['upload']}"
    assert form["fields"]["Content-Type"] == "image/png"
    work.put(form["fields"]["key"], data, content_type="image/png")
    assert titles(send({"upload": form["upload"]}, color="red")) == ["0", "30", "60"]
    assert work.versions == {}
    again = json_of(send({"upload": form["upload"]}))
    assert (again["status"], again["type"]) == (404, "/v1/problems/query-image-not-found")


def test_a_picture_is_deleted_also_when_nothing_comes_of_it(work: MemoryObjectStore, model: Model) -> None:
    for data, trouble, status in ((b"no picture", None, 422), (picture(), ModelNotReady("loading"), 503)):
        upload = uuid4()
        work.put(f"queries/{upload}", data, content_type="image/jpeg")
        model.trouble = trouble
        assert send({"upload": str(upload)})["statusCode"] == status
        assert work.versions == {}


_LARGE = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 70_000, 700, 8, 2, 0, 0, 0, 0)
"""As much of a picture as is looked at before anything is decoded."""


@pytest.mark.parametrize(
    ("body", "kind", "slug"),
    [
        (b"GIF89a no picture", "image/jpeg", "unsupported-format"),
        (picture()[:200], "image/jpeg", "unreadable-image"),
        (picture(size=(20, 20)), "image/jpeg", "image-too-small"),
        (picture(size=(1, 3000)), "image/jpeg", "image-too-narrow"),
        (_LARGE, "image/png", "image-too-large"),
        (b"", "image/png", "invalid-request"),
        (picture(), "image/gif", "invalid-request"),
        ({"upload": "no id"}, "application/json", "invalid-request"),
        ({"upload": str(UUID(int=4)), "more": 1}, "application/json", "invalid-request"),
        (b"{", "application/json", "invalid-request"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(body: Any, kind: str, slug: str) -> None:
    told = json_of(send(body, kind))
    assert (told["status"], told["type"]) == (422, f"/v1/problems/{slug}")
    assert slug in documented(422)


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        (b'{"upload": "\\ud800"}', "upload", "holds half of a surrogate pair, which is no character"),
        (b'{"upload": "x\\ude00x"}', "upload", "holds half of a surrogate pair, which is no character"),
        (b'{"\\ud800": 1}', "body", "holds half of a surrogate pair, which is no character"),
        (b"", "body", "is missing: send a JSON object"),
        (b"[]", "body", "must be a JSON object"),
        (b"\xff", "body", "must be JSON in UTF-8"),
        (b"[" * 100_000, "body", "is nested too deeply"),
        (b'{"upload": ' + b"9" * 5000 + b"}", "body", "holds a number of too many digits"),
        (b"{", "body", "is not valid JSON (expecting property name enclosed in double quotes)"),
    ],
)
def test_json_is_refused_in_the_words_of_every_route(body: bytes, field: str, detail: str) -> None:
    errors = json_of(send(body))["errors"]
    assert {"in": "body", "field": field, "detail": detail} in [
        {name: error[name] for name in ("in", "field", "detail")} for error in errors
    ]
    if field == "body":  # as FastAPI reads it for every other route
        (told,) = json_of(send(body, path=f"{PATH}/upload"))["errors"][:1]
        assert (told["field"], told["detail"]) == (field, detail)


@pytest.mark.parametrize("by_form", [False, True])
@pytest.mark.parametrize("kind", RAW_KINDS)
def test_camera_raw_is_refused_by_name_before_a_decoder_sees_it(
    kind: str, by_form: bool, tmp_path: Path, work: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(Inspector, "inspect", lambda _, path: looked.append(path))
    raw = write_raw(tmp_path / f"a.{kind}", kind, np.full((120, 168, 3), 0.3)).read_bytes()
    upload = uuid4()
    if by_form:
        work.put(f"queries/{upload}", raw, content_type="image/tiff")
    told = json_of(send({"upload": str(upload)}) if by_form else send(raw, "image/tiff"))
    assert (told["status"], told["type"]) == (422, "/v1/problems/unsupported-format")
    assert told["detail"] == (
        f"The file's content is camera RAW ({kind.upper()}), not JPEG, PNG or TIFF: send a JPEG made from it."
    )
    assert looked == []
    assert work.versions == {}


@pytest.mark.parametrize("data", [b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic" + bytes(12), b"no picture"])
def test_what_is_no_picture_is_told_of_the_kinds_that_are_searched_by(data: bytes) -> None:
    told = json_of(send(data, "image/jpeg"))
    assert told["type"] == "/v1/problems/unsupported-format"
    assert "RAW" not in told["detail"]
    assert "JPEG" in told["detail"]


def documented(status: int) -> set[str]:
    """The slugs of the problems that the operation is said to answer with."""
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    content = document["paths"][PATH]["post"]["responses"][str(status)]["content"]
    return set(content["application/problem+json"]["examples"])


def test_all_that_a_decode_refuses_is_documented() -> None:
    assert {error.slug for error in DECODE_REFUSALS} <= documented(422)


@pytest.mark.parametrize("trouble", [DecoderError("status 1"), ValueError("a library"), MemoryError()])
def test_a_library_that_fails_on_the_picture_refuses_it(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(Inspector, "inspect", fail)
    told = json_of(send(picture(), "image/jpeg"))
    assert (told["status"], told["type"]) == (422, "/v1/problems/image-not-processable")
    assert "Saved anew" in told["detail"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (None, "is missing"),
        ("image/gif", "is image/gif"),
        ("application/x-www-form-urlencoded", "is application/x-www-form-urlencoded"),  # curl's own
    ],
)
def test_a_body_of_another_kind_is_refused_as_on_every_route(kind: str | None, said: str) -> None:
    event = http_event("POST", PATH, picture(), {"content-type": kind} if kind else {})
    if kind is None:
        del event["headers"]["content-type"]
    told = json_of(handler(event, LambdaContext()))
    detail = f"{said}; send application/json, image/jpeg, image/png or image/tiff"
    assert (told["status"], told["detail"]) == (422, f"Content-Type: {detail}.")
    taken = ["application/json", "image/jpeg", "image/png", "image/tiff"]
    assert told["errors"] == [
        {"in": "header", "field": "Content-Type", "detail": detail, "limit": {"allowed": taken}},
    ]


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({"uplod": str(UUID(int=4))}, "uplod", "is no field of this request; did you mean upload?"),
        ({"upload": "no id"}, "upload", "must be an id such as 01930000-0000-7000-8000-000000000001"),
        (b"[]", "body", "must be a JSON object"),
        (b"{", "body", "is not valid JSON"),
    ],
)
def test_a_body_of_json_is_refused_as_on_every_route(body: Any, field: str, detail: str) -> None:
    told = json_of(send(body))
    errors = {error["field"]: error for error in told["errors"]}
    assert (told["status"], errors[field]["in"]) == (422, "body")
    assert errors[field]["detail"].startswith(detail)


@pytest.mark.parametrize("size", [0, MAX_QUERY_IMAGE_BYTES + 1, "many"])
def test_a_form_names_its_limit(size: Any) -> None:
    told = json_of(send({"content_type": "image/jpeg", "size_bytes": size}, path=f"{PATH}/upload"))
    assert told["errors"][0]["field"] == "size_bytes"


@pytest.mark.parametrize("trouble", [ModelNotReady("loading"), DependencyUnavailable("broke"), RuntimeError("a bug")])
def test_when_nobody_can_look_the_client_is_told_when_to_return(model: Model, trouble: Exception) -> None:
    model.trouble = trouble
    answer = send(picture(), "image/jpeg")
    assert (answer["statusCode"], json_of(answer)["type"]) == (503, "/v1/problems/model-not-ready")
    assert int(answer["headers"]["retry-after"]) > 0


def test_the_largest_picture_is_the_same_wherever_it_is_said_or_held() -> None:
    """4 MiB for real, whatever they take as base64."""
    assert module.MAX_BODY_BYTES == MAX_DIRECT_BYTES == 4_194_304
    told = json_of(send(b"x" * MAX_DIRECT_BYTES, "image/jpeg"))
    assert told["type"] == "/v1/problems/unsupported-format", "it was looked at"
    for more in (1, 2, 3):
        told = json_of(send(b"x" * (MAX_DIRECT_BYTES + more), "image/jpeg"))
        assert (told["status"], told["title"]) == (413, "Content Too Large")
        assert "at most 4194304 bytes" in told["detail"]
        assert f"up to {MAX_QUERY_IMAGE_BYTES} bytes" in told["detail"]
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    operation = document["paths"][PATH]["post"]
    kinds = operation["requestBody"]["content"]
    assert {kind["schema"].get("maxLength") for name, kind in kinds.items() if name.startswith("image/")} == {4194304}
    assert "up to 4194304 bytes" in operation["description"]
    of_json = json_of(send(b"{" + b" " * MAX_BODY_BYTES, "application/vnd.api+json"))
    assert (of_json["status"], of_json["title"]) == (413, "Content Too Large")
    named = operation["responses"]["413"]["content"]["application/problem+json"]["examples"]
    details = {document["components"]["examples"][name]["value"]["detail"] for name in named}
    assert details == {told["detail"], of_json["detail"]}
    of_form = document["paths"][f"{PATH}/upload"]["post"]["responses"]["413"]["content"]["application/problem+json"]
    assert list(of_form["examples"]) == [f"content-over-{MAX_BODY_BYTES}-bytes"]
    in_base64 = (MAX_DIRECT_BYTES + 2) // 3 * 4
    assert in_base64 < 6 * 1024 * 1024 - 64 * 1024, "Lambda's own limit, less the rest of the event"
