"""The upload API through its Lambda handler, on a real PostgreSQL."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from functions.delivery_api.handler import handler as delivery_handler
from functions.status_api.handler import handler as status_handler
from functions.upload_api.handler import handler as upload_handler
from imagemarket.app import app
from imagemarket.delivery.service import Delivery
from imagemarket.ingestion import fingerprints
from imagemarket.ingestion import progress as progress_module
from imagemarket.ingestion import uploads as uploads_module
from imagemarket.ingestion.progress import WAITS_OF_AN_ACCOUNT, ProgressOfImages
from imagemarket.ingestion.repository import duplicates
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.leases import Leases
from local.layout import free_port
from local.valkey import url_of
from tests.api.events import http_event
from tests.fakes import MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.provided import provide
from tests.unit.ingestion.test_upload_request import announcement

pytestmark = pytest.mark.engines
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def store() -> MemoryObjectStore:
    return MemoryObjectStore("originals")


@pytest.fixture
def call(database: Database, store: MemoryObjectStore, valkey_url: str) -> Call:
    service = Uploads(
        database=database,
        originals=store,
        idempotency=IdempotencyKeys(database, SystemClock()),
        public_base_url="http://api.test",
    )
    delivery = Delivery(database=database, originals=store, media_base_url="http://cdn.test/media")
    provide("ingestion.uploads", service)
    provide("delivery.service", delivery)
    provide("ingestion.progress", watching(database, valkey_url))

    def send(*request: Any, **more: Any) -> tuple[int, Any]:
        event = http_event(*request, **more)
        path = event["rawPath"]
        handlers = {"preview": delivery_handler, "clean": delivery_handler, "status": status_handler}
        answer = handlers.get(path.rpartition("/")[2], upload_handler)(event, None)
        body = json.loads(answer["body"]) if answer.get("body") else None
        return answer["statusCode"], body if body is not None else answer.get("headers")

    return send


WAITS_OF_ALL = 3


def watching(database: Database, counters_url: str) -> ProgressOfImages:
    cache = Cache(counters_url)
    return ProgressOfImages(
        database=database,
        waits=Leases(lambda: cache, "waits", most=WAITS_OF_AN_ACCOUNT),
        waits_of_all=Leases(lambda: cache, "waits of all", most=WAITS_OF_ALL),
    )


@pytest.fixture
def contributor(database: Database) -> Caller:
    return Caller(a_contributor(database), "contributor")


def test_an_announced_image_waits_for_its_bytes(call: Call, contributor: Caller) -> None:
    body = announcement(tags=["sea"], categories=["nature"], sha256="ab" * 32)
    status, ticket = call("POST", "/v1/images/upload", body, caller=contributor)
    assert status == 201
    assert ticket["expires_in"] == 3600
    fields = ticket["upload"]["fields"]
    assert ticket["upload"]["method"] == "POST"
    assert fields["key"] == f"originals/{contributor.account_id}/{ticket['image_id']}.jpg"
    assert fields["Content-Type"] == "image/jpeg"
    assert fields["x-amz-checksum-sha256"] == "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
    status, progress = call("GET", f"/v1/images/{ticket['image_id']}/status", caller=contributor)
    assert (status, progress["status"]) == (200, "processing")
    assert [step["step"] for step in progress["steps"]][:2] == ["upload", "inspect"]
    assert {step["status"] for step in progress["steps"]} == {"pending"}


@pytest.mark.parametrize("role", ["buyer", "admin"])
def test_only_a_contributor_uploads(call: Call, database: Database, role: Any) -> None:
    status, problem = call("POST", "/v1/images/upload", announcement(), caller=Caller(a_contributor(database), role))
    assert (status, problem["type"]) == (403, "/v1/problems/forbidden")


def test_the_same_idempotency_key_announces_one_image(call: Call, contributor: Caller, database: Database) -> None:
    key = {"Idempotency-Key": "abc"}
    first = call("POST", "/v1/images/upload", announcement(), key, contributor)
    assert call("POST", "/v1/images/upload", announcement(), key, contributor) == first
    status, problem = call("POST", "/v1/images/upload", announcement(title="Other"), key, contributor)
    assert (status, problem["type"]) == (422, "/v1/problems/idempotency-key-reused")
    rows = database.fetch_all("SELECT id FROM images")
    assert [str(row["id"]) for row in rows] == [first[1]["image_id"]]


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("abc, abc", "is given more than once, or holds a comma; takes 1 to"),
        ("abc,abc", "is given more than once, or holds a comma; takes 1 to"),
        (",", "is given more than once, or holds a comma; takes 1 to"),
        ("a b", "takes 1 to"),
        ("ä", "takes 1 to"),
    ],
)
def test_an_idempotency_key_that_came_twice_is_told_so(call: Call, contributor: Caller, key: str, detail: str) -> None:
    status, problem = call("POST", "/v1/images/upload", announcement(), {"Idempotency-Key": key}, contributor)
    (error,) = problem["errors"]
    assert (status, error["in"], error["field"]) == (422, "header", "Idempotency-Key")
    assert error["detail"].startswith(detail)


def test_an_idempotency_key_whose_upload_was_given_up_is_over(call: Call, contributor: Caller) -> None:
    key = {"Idempotency-Key": "abc"}
    _, first = call("POST", "/v1/images/upload", announcement(), key, contributor)
    assert call("DELETE", f"/v1/images/{first['image_id']}/upload", caller=contributor)[0] == 204
    status, problem = call("POST", "/v1/images/upload", announcement(), key, contributor)
    assert (status, problem["type"]) == (409, "/v1/problems/conflict")
    assert "given up" in problem["detail"]


def test_an_idempotency_key_whose_upload_waits_for_other_bytes_says_so(
    call: Call, contributor: Caller, database: Database
) -> None:
    key = {"Idempotency-Key": "abc"}
    _, first = call("POST", "/v1/images/upload", announcement(), key, contributor)
    with database.transaction() as connection:
        connection.execute("UPDATE uploads SET announced_bytes = announced_bytes + 1")
    status, problem = call("POST", "/v1/images/upload", announcement(), key, contributor)
    assert (status, problem["image_id"]) == (409, first["image_id"])
    assert "other bytes" in problem["detail"]


@pytest.mark.parametrize("changes", [{"sha256": "ab" * 32}, {"size_bytes": 25}], ids=["form", "parts"])
@pytest.mark.usefixtures("small_parts")
def test_where_the_bytes_go_is_signed_anew_for_an_idempotency_key(
    call: Call, contributor: Caller, database: Database, changes: dict[str, Any]
) -> None:
    """What was announced an hour ago and not sent can still be sent."""
    key = {"Idempotency-Key": "abc"}
    first = call("POST", "/v1/images/upload", announcement(**changes), key, contributor)
    kept = database.fetch_one("SELECT answer FROM idempotency_keys")
    assert kept == {"answer": {"image_id": first[1]["image_id"]}}, "no signature is kept"
    assert call("POST", "/v1/images/upload", announcement(**changes), key, contributor) == first


@pytest.mark.parametrize("noticed", [False, True], ids=["before its event", "approved"])
@pytest.mark.parametrize("changes", [{"sha256": "ab" * 32}, {"size_bytes": 25}], ids=["form", "parts"])
@pytest.mark.usefixtures("small_parts")
def test_an_idempotency_key_whose_bytes_are_there_gives_nowhere_to_send_them(
    call: Call,
    contributor: Caller,
    database: Database,
    store: MemoryObjectStore,
    changes: dict[str, Any],
    noticed: bool,
) -> None:
    """What is sent to a form again is deleted, and the addresses of parts lead nowhere once they were joined."""
    key = {"Idempotency-Key": "abc"}
    _, first = call("POST", "/v1/images/upload", announcement(**changes), key, contributor)
    store.put(f"originals/{contributor.account_id}/{first['image_id']}.jpg", b"the bytes", content_type="image/jpeg")
    store.uploads.clear()
    if noticed:
        with database.transaction() as connection:
            connection.execute("UPDATE images SET object_version = 'v1', status = 'approved'")
    status, again = call("POST", "/v1/images/upload", announcement(**changes), key, contributor)
    assert status == 201
    assert again == {
        "image_id": first["image_id"],
        "status": "approved" if noticed else "processing",
        "upload": None,
        "expires_in": None,
    }


@pytest.mark.usefixtures("small_parts")
def test_an_idempotency_key_whose_parts_were_thrown_away_says_so(
    call: Call, contributor: Caller, store: MemoryObjectStore
) -> None:
    key = {"Idempotency-Key": "abc"}
    call("POST", "/v1/images/upload", announcement(size_bytes=25), key, contributor)
    store.uploads.clear()
    status, problem = call("POST", "/v1/images/upload", announcement(size_bytes=25), key, contributor)
    assert (status, problem["type"]) == (409, "/v1/problems/conflict")
    assert "new key" in problem["detail"]


def test_a_refusal_names_field_and_limit(call: Call, contributor: Caller) -> None:
    status, problem = call("POST", "/v1/images/upload", announcement(size_bytes=300 * 1024**2), caller=contributor)
    assert status == 422
    assert problem["errors"][0] == {
        "in": "body",
        "field": "size_bytes",
        "detail": "must be at most 209715200",
        "limit": {"maximum": 209715200},
    }


def test_another_contributors_image_is_not_there(call: Call, contributor: Caller, database: Database) -> None:
    theirs = an_image(database, a_contributor(database))
    for method, path, body in [
        ("GET", "status", None),
        ("DELETE", "upload", None),
        ("POST", "upload/complete", {"parts": [{"number": 1, "etag": "x"}]}),
        ("GET", "clean", None),
    ]:
        status, problem = call(method, f"/v1/images/{theirs}/{path}", body, caller=contributor)
        assert (status, problem["type"]) == (404, "/v1/problems/image-not-found"), path


def test_a_contributor_is_told_why_an_image_is_held(call: Call, database: Database, contributor: Caller) -> None:
    image = an_image(database, contributor.account_id, status="pending_review", nsfw_score=0.02)
    other = an_image(database, a_contributor(database))
    found = fingerprints.Evidence(other, fingerprints.FoundBy.EMBEDDING, fingerprints.Verdict.PROBABLE, cosine=0.97)
    with database.transaction() as connection:
        duplicates.keep_evidence(connection, image, [found])
    path = f"/v1/images/{image}/status"
    _, progress = call("GET", path, caller=contributor)
    reason = {"code": "probable-duplicate", "detail": "It may be a copy of an image that is here already."}
    assert progress["review"] == [{**reason, "duplicate_of": None}]
    assert str(other) not in json.dumps(progress)
    with database.transaction() as connection:
        connection.execute("UPDATE images SET status = 'approved' WHERE id = %s", (image,))
    assert call("GET", path, caller=contributor)[1]["review"] == []


def test_an_admin_sees_any_status_and_a_buyer_none(call: Call, database: Database) -> None:
    image = an_image(database, a_contributor(database))
    path = f"/v1/images/{image}/status"
    assert call("GET", path, caller=Caller(a_contributor(database), "admin"))[0] == 200
    assert call("GET", path, caller=Caller(a_contributor(database), "buyer"))[0] == 403
    assert call("GET", path)[0] == 401


def test_the_earlier_image_is_named_only_to_its_own_contributor(
    call: Call, database: Database, contributor: Caller
) -> None:
    from psycopg.types.json import Jsonb

    for owner, told in [(contributor.account_id, True), (a_contributor(database), False)]:
        earlier = an_image(database, owner)
        reason = Jsonb({"code": "duplicate-image", "detail": "d", "duplicate_of": str(earlier), "distance": 0})
        image = an_image(database, contributor.account_id, status="rejected", rejection=reason)
        _, progress = call("GET", f"/v1/images/{image}/status", caller=contributor)
        assert progress["rejection"]["duplicate_of"] == (str(earlier) if told else None)
        assert (str(earlier) in json.dumps(progress)) == told


def test_what_the_file_says_of_itself_is_told_to_its_contributor_alone(
    call: Call, database: Database, contributor: Caller
) -> None:
    from psycopg.types.json import Jsonb

    said = {"title": "Boats", "keywords": ["boat", "red"], "creator": "Ada", "credit": "Ada / House"}
    image = an_image(database, contributor.account_id, status="approved", suggestions=Jsonb(said))
    path = f"/v1/images/{image}/status"
    _, progress = call("GET", path, caller=contributor)
    assert progress["suggestions"] == {"description": None, "copyright": None, **said}
    _, progress = call("GET", path, caller=Caller(a_contributor(database), "admin"))
    assert progress["suggestions"] is None
    assert progress["title"] != "Boats"  # nothing of it is taken over by itself


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 10 bytes from 20 bytes on."""
    monkeypatch.setattr(uploads_module, "PART_BYTES", 10)
    monkeypatch.setattr(uploads_module, "MULTIPART_ABOVE_BYTES", 20)


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_goes_up_in_parts(call: Call, store: MemoryObjectStore, contributor: Caller) -> None:
    _, ticket = call("POST", "/v1/images/upload", announcement(size_bytes=25), caller=contributor)
    image, upload = UUID(ticket["image_id"]), ticket["upload"]
    assert (upload["method"], upload["part_size"]) == ("multipart", 10)
    assert [part["number"] for part in upload["parts"]] == [1, 2, 3]
    assert upload["complete_url"] == f"http://api.test/v1/images/{image}/upload/complete"
    (upload_id,) = store.uploads
    parts = [{"number": 1, "etag": store.upload_part(upload_id, 1, b"a" * 10)}]
    complete = f"/v1/images/{image}/upload/complete"

    status, problem = call("POST", complete, {"parts": parts}, caller=contributor)
    assert (status, problem["parts"]) == (409, [2, 3])

    parts.append({"number": 2, "etag": store.upload_part(upload_id, 2, b"b" * 9)})
    parts.append({"number": 3, "etag": store.upload_part(upload_id, 3, b"c" * 5)})
    status, problem = call("POST", complete, {"parts": parts}, caller=contributor)
    assert (status, problem["parts"]) == (409, [2])

    parts[1]["etag"] = store.upload_part(upload_id, 2, b"b" * 10)
    for _ in range(2):
        assert call("POST", complete, {"parts": parts}, caller=contributor)[0] == 204
    assert store.get(f"originals/{contributor.account_id}/{image}.jpg") == b"a" * 10 + b"b" * 10 + b"c" * 5
    assert call("DELETE", f"/v1/images/{image}/upload", caller=contributor)[0] == 409


@pytest.mark.usefixtures("small_parts")
def test_an_upload_can_be_given_up(call: Call, store: MemoryObjectStore, contributor: Caller) -> None:
    _, ticket = call("POST", "/v1/images/upload", announcement(size_bytes=25), caller=contributor)
    path = f"/v1/images/{ticket['image_id']}/upload"
    assert call("DELETE", path, caller=contributor)[0] == 204
    assert not store.uploads
    assert call("DELETE", path, caller=contributor)[0] == 404


def test_a_single_upload_has_no_parts_to_join(call: Call, contributor: Caller) -> None:
    _, ticket = call("POST", "/v1/images/upload", announcement(), caller=contributor)
    body = {"parts": [{"number": 1, "etag": "x"}]}
    assert call("POST", f"/v1/images/{ticket['image_id']}/upload/complete", body, caller=contributor)[0] == 409


def with_renditions(database: Database, owner: UUID, status: str) -> UUID:
    image = an_image(database, owner, status=status)
    with database.transaction() as connection:
        for kind, folder in (("preview", "watermarked"), ("clean", "clean")):
            for picture_format in ("webp", "avif", "jpeg"):
                connection.execute(
                    "INSERT INTO image_renditions VALUES (%s, %s, 1000, %s, 1000, 667, 1, %s)",
                    (image, kind, picture_format, f"{folder}/{image}/1000-0.{picture_format}"),
                )
    return image


def test_the_preview_redirects_to_the_best_format(call: Call, database: Database) -> None:
    image = with_renditions(database, a_contributor(database), "approved")
    for accept, expected in [("image/avif,image/webp", "avif"), ("image/webp,*/*", "webp"), ("*/*", "jpeg")]:
        status, headers = call("GET", f"/v1/images/{image}/preview", headers={"Accept": accept})
        assert status == 302
        assert headers["location"] == f"http://cdn.test/media/watermarked/{image}/1000-0.{expected}"
        assert "Accept" in headers["vary"]


@pytest.mark.parametrize("status", ["processing", "rejected", "pending_review", "processing_failed"])
def test_only_an_approved_image_has_a_preview(call: Call, database: Database, status: str) -> None:
    image = with_renditions(database, a_contributor(database), status)
    assert call("GET", f"/v1/images/{image}/preview")[0] == 404


def test_the_clean_rendition_is_for_its_contributor_and_admins(
    call: Call, database: Database, contributor: Caller
) -> None:
    image = with_renditions(database, contributor.account_id, "approved")
    path = f"/v1/images/{image}/clean"
    status, headers = call("GET", path, caller=contributor)
    assert status == 302
    assert "X-Amz-Expires=300" in headers["location"]
    assert headers["cache-control"] == "no-store"
    assert call("GET", path, caller=Caller(a_contributor(database), "admin"))[0] == 302
    assert call("GET", path, caller=Caller(a_contributor(database), "contributor"))[0] == 404
    assert call("GET", path, caller=Caller(a_contributor(database), "buyer"))[0] == 403
    assert call("GET", path)[0] == 401


def arrived(database: Database, contributor: Caller) -> UUID:
    """An image whose bytes are there and being processed."""
    image = an_image(database, contributor.account_id)
    with database.transaction() as connection:
        connection.execute("UPDATE images SET object_version = 'v1' WHERE id = %s", (image,))
    return image


def test_a_request_may_wait_for_the_end(call: Call, database: Database, contributor: Caller) -> None:
    image = arrived(database, contributor)
    path = f"/v1/images/{image}/status"
    looked: list[float] = []

    def sleep(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 3:
            with database.transaction() as connection:
                connection.execute("UPDATE images SET status = 'approved' WHERE id = %s", (image,))

    service = app().ingestion.progress
    answer = service.wait(image, contributor_id=None, account_id=contributor.account_id, seconds=30, sleep=sleep)
    assert (answer.progress.status, answer.retry_after, len(looked)) == ("approved", None, 3)
    assert call("GET", path, query="wait=30", caller=contributor)[1]["status"] == "approved", (
        "at once when it has ended"
    )
    assert call("GET", path, query="wait=31", caller=contributor)[0] == 422
    assert call("GET", path, query="wait=30", caller=Caller(a_contributor(database), "contributor"))[0] == 404


def test_a_wait_ends_before_the_gateway_gives_up(
    call: Call, database: Database, contributor: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = arrived(database, contributor)
    monkeypatch.setattr(progress_module, "LONGEST_WAIT_SECONDS", 0.2)
    status, progress = call("GET", f"/v1/images/{image}/status", query="wait=30", caller=contributor)
    assert (status, progress["status"]) == (200, "processing")


@pytest.mark.parametrize(("waited", "held"), [(0, True), (9, True), (19.9, True), (20, False), (33, False)])
def test_a_wait_counts_from_when_the_gateway_took_the_request(
    call: Call, database: Database, contributor: Caller, monkeypatch: pytest.MonkeyPatch, waited: float, held: bool
) -> None:
    """A process that had to start first takes its time of the gateway's 29 seconds, too."""
    image = arrived(database, contributor)
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    service = app().ingestion.progress
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    service.wait(image, contributor_id=None, account_id=contributor.account_id, seconds=30, waited=waited, sleep=sleep)
    assert sum(slept) == pytest.approx(max(0, 20 - waited))
    assert bool(slept) == held


def test_the_gateways_time_is_what_a_wait_counts_from(
    call: Call, database: Database, contributor: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = arrived(database, contributor)
    event = http_event("GET", f"/v1/images/{image}/status", caller=contributor, query="wait=30")
    event["requestContext"]["timeEpoch"] -= 40_000
    waits: list[Any] = []
    service = app().ingestion.progress
    wait = service.wait
    monkeypatch.setattr(service, "wait", lambda *a, **k: waits.append(k) or wait(*a, **k))
    provide("ingestion.progress", service)
    assert status_handler(event, None)["statusCode"] == 200
    assert waits[0]["waited"] >= 40


def test_nobody_waits_for_bytes_that_have_not_come(call: Call, database: Database, contributor: Caller) -> None:
    image = an_image(database, contributor.account_id)
    event = http_event("GET", f"/v1/images/{image}/status", caller=contributor, query="wait=30")
    began = time.monotonic()
    answer = status_handler(event, None)
    assert time.monotonic() - began < 10
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (200, "2")
    assert json.loads(answer["body"])["status"] == "processing"


def test_an_account_waits_twice_at_once_and_is_otherwise_told_at_once(
    call: Call, database: Database, contributor: Caller, valkey_url: str
) -> None:
    image = arrived(database, contributor)
    end = threading.Event()
    holding = threading.Barrier(3)

    def hold() -> int | None:
        looks = iter([True])

        def sleep(_: float) -> None:
            if next(looks, False):
                holding.wait(20)
            end.wait(20)
            with database.transaction() as connection:
                connection.execute("UPDATE images SET status = 'approved' WHERE id = %s", (image,))

        service = watching(database, valkey_url)
        waited = service.wait(image, contributor_id=None, account_id=contributor.account_id, seconds=20, sleep=sleep)
        return waited.retry_after

    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(hold) for _ in range(2)]
        holding.wait(20)
        event = http_event("GET", f"/v1/images/{image}/status", caller=contributor, query="wait=30")
        third = status_handler(event, None)
        other = watching(database, valkey_url)._waits
        with other.taken(str(a_contributor(database)), seconds=30) as may_wait:
            assert may_wait, "another account's waits are its own"
        end.set()
        assert [each.result() for each in held] == [None, None]
    assert (third["statusCode"], third["headers"]["retry-after"]) == (200, "2")
    assert json.loads(third["body"])["status"] == "processing"
    with other.taken(str(contributor.account_id), seconds=30) as may_wait:
        assert may_wait, "what ended was given back"


def test_many_accounts_that_wait_leave_room_for_who_does_not(
    call: Call, database: Database, contributor: Caller, valkey_url: str
) -> None:
    image = arrived(database, contributor)
    others = watching(database, valkey_url)._waits_of_all
    with ExitStack() as held:
        assert all(held.enter_context(others.taken("all", seconds=30)) for _ in range(WAITS_OF_ALL))
        event = http_event("GET", f"/v1/images/{image}/status", caller=contributor, query="wait=30")
        began = time.monotonic()
        answer = status_handler(event, None)
        assert time.monotonic() - began < 10
    assert (answer["statusCode"], answer["headers"]["retry-after"]) == (200, "2")
    with watching(database, valkey_url)._waits.taken(str(contributor.account_id), seconds=30) as may_wait:
        assert may_wait, "and its own place was given back"


def test_a_lease_whose_holder_died_ends_by_itself(valkey_url: str) -> None:
    cache = Cache(valkey_url)
    leases = Leases(lambda: cache, "waits", most=1)
    dead = leases.taken("ada", seconds=0.3)
    assert dead.__enter__()
    with leases.taken("ada", seconds=30) as got:
        assert not got
    time.sleep(0.35)
    with leases.taken("ada", seconds=30) as got:
        assert got


def test_without_counters_nobody_waits(database: Database, contributor: Caller) -> None:
    image = arrived(database, contributor)
    service = watching(database, url_of(free_port()))
    answer = service.wait(image, contributor_id=None, account_id=contributor.account_id, seconds=20)
    assert (answer.progress.status, answer.retry_after) == ("processing", 2)


def test_an_id_of_another_form_is_refused(call: Call, contributor: Caller) -> None:
    status, problem = call("GET", "/v1/images/not-a-uuid/status", caller=contributor)
    assert status == 422
    assert problem["errors"][0]["field"] == "image_id"


def test_categories_are_public(call: Call) -> None:
    status, categories = call("GET", "/v1/categories")
    assert status == 200
    assert {"slug": "nature", "name": "Nature"} in categories["items"]
    assert categories["next_cursor"] is None
