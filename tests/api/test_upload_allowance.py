"""What one account may announce, on a real PostgreSQL: exact also where many requests come at once."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from functions.upload_api.handler import handler
from imagemarket.ingestion.allowances import GIB, UploadAllowance
from imagemarket.ingestion.errors import TooManyOpenUploads, UploadAllowanceUsed
from imagemarket.ingestion.models import MAX_UPLOAD_BYTES, RetryRequest, UploadRequest, UploadTicket
from imagemarket.ingestion.retries import Retries
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import MarketError
from imagemarket.platform.http import Caller
from imagemarket.platform.idempotency import IdempotencyKeys
from tests.api.events import http_event
from tests.fakes import MemoryObjectStore
from tests.integration.rows import a_contributor, an_image
from tests.provided import provide
from tests.unit.ingestion.test_upload_request import announcement

pytestmark = pytest.mark.engines
LARGE = announcement(size_bytes=MAX_UPLOAD_BYTES, filename="a.tif", content_type="image/tiff")


def uploads(database: Database, open_uploads: int = 1000, gib_a_day: int = 200) -> Uploads:
    return Uploads(
        database=database,
        originals=MemoryObjectStore("originals"),
        idempotency=IdempotencyKeys(database, SystemClock()),
        public_base_url="http://api.test",
        allowance=UploadAllowance(open_uploads, gib_a_day),
    )


def announce(service: Uploads, contributor: UUID, key: str | None = None, **changes: object) -> UploadTicket:
    return service.announce(contributor, UploadRequest.model_validate(announcement(**changes)), idempotency_key=key)


def announced_today(database: Database, contributor: UUID) -> int:
    row = database.fetch_one("SELECT announced_bytes FROM upload_allowances WHERE account_id = %s", (contributor,))
    return 0 if row is None else row["announced_bytes"]


def test_what_is_open_is_limited_until_it_arrives_or_is_given_up(database: Database) -> None:
    service, contributor = uploads(database, open_uploads=2), a_contributor(database)
    first, second = announce(service, contributor, "first"), announce(service, contributor)
    with pytest.raises(TooManyOpenUploads, match="may have 2 uploads open"):
        announce(service, contributor)
    assert announce(service, contributor, "first") == first, "asked again, it is the one that was announced"
    announce(service, a_contributor(database))
    service.abort(contributor, second.image_id)
    announce(service, contributor)
    with pytest.raises(TooManyOpenUploads):
        announce(service, contributor)
    with database.transaction() as connection:
        connection.execute("UPDATE images SET object_version = 'v1' WHERE id = %s", (first.image_id,))
    announce(service, contributor)


def test_the_bytes_of_a_day_are_limited_whatever_becomes_of_them(database: Database) -> None:
    service, contributor = uploads(database, gib_a_day=1), a_contributor(database)
    for _ in range(5):  # 1,000 MiB of 1,024
        service.abort(contributor, announce(service, contributor, **LARGE).image_id)
    with pytest.raises(UploadAllowanceUsed, match="1 GiB a day") as refused:
        announce(service, contributor, **LARGE)
    assert f"{24 * 1024 * 1024:,} bytes of that are left" in refused.value.detail
    midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = (midnight - datetime.now(UTC)).total_seconds()
    assert int(refused.value.headers["Retry-After"]) == pytest.approx(left, abs=5)
    announce(service, contributor, size_bytes=24 * 1024 * 1024)
    assert announced_today(database, contributor) == GIB, "what was refused does not count"
    with pytest.raises(UploadAllowanceUsed):
        announce(service, contributor, size_bytes=1)
    with database.transaction() as connection:
        connection.execute("UPDATE upload_allowances SET day = day - 1")
    announce(service, contributor, size_bytes=1)
    assert announced_today(database, contributor) == 1


@pytest.mark.parametrize(
    ("service", "size"), [({"open_uploads": 5}, 1000), ({"gib_a_day": 1}, MAX_UPLOAD_BYTES)], ids=["open", "bytes"]
)
def test_of_many_at_once_exactly_as_many_as_may_are_let_through(
    database: Database, service: dict[str, int], size: int
) -> None:
    limited, contributor = uploads(database, **service), a_contributor(database)

    def one(number: int) -> str:
        try:
            announce(limited, contributor, f"key-{number}", **LARGE | {"size_bytes": size})
        except MarketError as refused:
            return type(refused).__name__
        return "announced"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(one, range(24)))
    assert outcomes["announced"] == 5
    assert set(outcomes) - {"announced"} == {"TooManyOpenUploads" if size == 1000 else "UploadAllowanceUsed"}
    (row,) = database.fetch_all("SELECT count(*) AS images, sum(announced_bytes) AS bytes FROM uploads")
    assert (row["images"], row["bytes"]) == (5, announced_today(database, contributor))


def test_a_next_try_with_other_bytes_counts_as_an_announcement(database: Database) -> None:
    service, contributor = uploads(database, open_uploads=1), a_contributor(database)
    retries = Retries(
        uploads=service,
        originals=MemoryObjectStore("originals"),
        executions=cast("Any", None),  # nothing is started
        idempotency=IdempotencyKeys(database, SystemClock()),
    )
    refused = [
        an_image(
            database,
            contributor,
            status="rejected",
            object_version="v1",
            rejection=Jsonb({"code": "unreadable-image", "detail": "It is cut off."}),
        )
        for _ in range(2)
    ]
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO processing_steps (image_id, step, input_version, status, started_at)"
            " SELECT id, 'compensate', 'v1', 'succeeded', now() FROM images"
        )
    request = RetryRequest(size_bytes=2000)
    retries.retry(contributor, refused[0], request, idempotency_key=None)
    assert announced_today(database, contributor) == 2000
    with pytest.raises(TooManyOpenUploads):
        retries.retry(contributor, refused[1], request, idempotency_key=None)


def test_a_client_is_told_which_limit_and_when(database: Database) -> None:
    contributor = Caller(a_contributor(database), "contributor")
    answers = []
    for limits in ({"open_uploads": 0}, {"gib_a_day": 0}):
        service = uploads(database, **limits)
        provide("ingestion.uploads", service)
        answers.append(handler(http_event("POST", "/v1/images/upload", announcement(), caller=contributor), None))
    problems = [json.loads(answer["body"]) for answer in answers]
    assert [(problem["status"], problem["type"]) for problem in problems] == [
        (409, "/v1/problems/too-many-open-uploads"),
        (429, "/v1/problems/upload-allowance-used"),
    ]
    assert "0 uploads open" in problems[0]["detail"]
    assert 0 < int(answers[1]["headers"]["retry-after"]) <= 86400
