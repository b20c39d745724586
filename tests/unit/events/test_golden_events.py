"""Each golden event through the handler that AWS would send it to; those that need a database are
in `tests/integration/test_golden_events.py`."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from functions.auth_api.handler import handler as auth
from functions.authorizer.handler import handler as authorize
from functions.call_webhooks.handler import handler as call_webhooks
from functions.delivery_api.handler import handler as delivery
from functions.docs_api.handler import handler as docs
from functions.inspect_image.handler import handler as inspect_image
from functions.migrate_database.handler import handler as migrate_database
from functions.relay_outbox.handler import handler as relay_outbox
from functions.remediate_dead_letters.handler import handler as remediate_dead_letters
from functions.status_api.handler import handler as status
from functions.tell_contributors.handler import handler as tell_contributors
from functions.upload_api.handler import handler as upload
from imagemarket.catalog.events import ImageStatusChanged
from imagemarket.catalog.models import ImageStatus
from imagemarket.ingestion.models import IngestionJob, UploadRequest
from imagemarket.notifications.events import NotificationAdded
from imagemarket.platform import custom_resource
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ratelimits import RateLimiter
from tests.api.events import LambdaContext, json_of
from tests.golden import EVENTS, golden
from tests.provided import provide
from tests.unit.identity.kit import EMAIL, PASSWORD, Kit

CONTEXT = LambdaContext()
IMAGE = UUID("019af9c5-1d44-7a6b-8c21-5b7f0e9a4d10")
CONTRIBUTOR = UUID("019af9c2-7a31-7c0e-9d0a-3d2f6f1b8e55")


@pytest.fixture(autouse=True)
def _no_cache() -> None:
    """The events come from a stranger's address, and there is no cache to count it in: requests go through."""

    def away() -> Any:
        raise DependencyUnavailable("away")

    provide("resources.rate_limiter", RateLimiter(away))


@pytest.fixture
def kit() -> Kit:
    kit = Kit()
    provide("identity.service", kit.identity)
    provide("identity.token_verifier", kit.verifier)
    return kit


@pytest.mark.parametrize("name", ["apigateway/login.json", "apigateway/login_base64.json"])
def test_a_sign_in_as_text_or_as_base64(kit: Kit, name: str) -> None:
    kit.registered()
    answer = auth(golden(name), CONTEXT)
    assert answer["statusCode"] == 200
    assert json_of(answer)["account"]["email"] == EMAIL
    assert PASSWORD not in answer["body"]


def test_the_authorizer_reads_the_token_that_the_gateway_passes(kit: Kit) -> None:
    event = golden("authorizer/request.json")
    assert authorize(event, CONTEXT) == {"isAuthorized": False}
    kit.registered()
    event["headers"]["authorization"] = f"Bearer {kit.login().access_token}"
    assert authorize(event, CONTEXT)["context"]["role"] == "contributor"


def test_an_announcement_is_the_callers_of_the_authorizer() -> None:
    announced: list[tuple[Any, ...]] = []

    class Uploads:
        def announce(self, contributor: UUID, request: UploadRequest, *, idempotency_key: str | None) -> dict[str, Any]:
            announced.append((contributor, request.title, idempotency_key))
            return {"image_id": IMAGE, "upload": {"method": "POST", "url": "https://s3.test/", "fields": {}}}

    provide("ingestion.uploads", Uploads())
    answer = upload(golden("apigateway/create_upload.json"), CONTEXT)
    assert (answer["statusCode"], json_of(answer)["image_id"]) == (201, str(IMAGE))
    assert announced == [(CONTRIBUTOR, "Golden sunset over the Pacific", "6f9f2f0a")]


def test_an_expired_token_is_answered_by_the_application() -> None:
    answer = status(golden("apigateway/status_with_an_expired_token.json"), CONTEXT)
    assert (answer["statusCode"], json_of(answer)["type"]) == (401, "/v1/problems/token-expired")
    assert json_of(answer)["instance"] == answer["headers"]["x-request-id"] == "Kb1xqhJ5FiAEPjg="


def test_a_preview_is_asked_for_in_the_browsers_formats() -> None:
    asked: list[tuple[UUID, str]] = []

    class Delivery:
        def preview_url(self, image_id: UUID, accept: str) -> str:
            asked.append((image_id, accept))
            return "https://cdn.test/preview.avif"

    provide("delivery.service", Delivery())
    answer = delivery(golden("apigateway/preview.json"), CONTEXT)
    assert (answer["statusCode"], answer["headers"]["location"]) == (302, "https://cdn.test/preview.avif")
    assert asked == [(IMAGE, "image/avif,image/webp,image/apng,*/*;q=0.8")]


def test_a_browser_that_follows_a_problems_type_gets_a_page() -> None:
    answer = docs(golden("apigateway/problem_page.json"), CONTEXT)
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-encoding"] == "gzip", "as the browser asked"
    assert b"<h1>The picture is in the catalogue already</h1>" in gzip.decompress(base64.b64decode(answer["body"]))


def test_a_step_gets_exactly_the_job() -> None:
    jobs: list[IngestionJob] = []

    class InspectImage:
        def run(self, job: IngestionJob) -> dict[str, Any]:
            jobs.append(job)
            return {"format": "jpeg"}

    provide("ingestion.inspect_image", InspectImage())
    event = golden("step_functions/inspect_image.json")
    assert inspect_image(event, CONTEXT) == {"format": "jpeg"}
    assert jobs == [IngestionJob.model_validate(event)]
    assert set(event) == {name for name, field in IngestionJob.model_fields.items() if not field.exclude}


def test_the_job_is_what_the_state_machine_passes() -> None:
    definition = json.loads((EVENTS.parent / "state_machines" / "ingest_image.asl.json").read_text(encoding="utf-8"))
    passed = definition["States"]["Inspect"]["Parameters"]["Payload"]
    assert {name.removesuffix(".$") for name in passed} == set(golden("step_functions/inspect_image.json"))


def test_the_schedule_relays_the_outbox() -> None:
    class Relay:
        def drain(self) -> int:
            return 3

    class Deliveries:
        def wake(self) -> int:
            return 2

    provide("resources.outbox_relay", Relay())
    for due in ("notifications.deliveries", "identity.mail_requests", "notifications.digests"):
        provide(due, Deliveries())
    answer = relay_outbox(golden("scheduler/every_minute.json"), CONTEXT)
    assert answer == {"sent": 3, "webhooks_due": 2, "mails_due": 4}


def test_the_schedule_remedies_dead_letters() -> None:
    class Remediation:
        def run(self) -> dict[str, int]:
            return {"replayed": 1}

    provide("operations.remediation", Remediation())
    assert remediate_dead_letters(golden("scheduler/every_minute.json"), CONTEXT) == {"replayed": 1}


@pytest.mark.parametrize("name", ["sqs/notifications.json", "sqs/notifications_before_the_bus.json"])
def test_queues_wake_those_who_tell_contributors(name: str) -> None:
    """Also by messages that waited in the queue while the bus was deployed."""
    handled: list[Any] = []

    class Worker:
        def tell(self, event_id: UUID, event: ImageStatusChanged | NotificationAdded) -> None:
            handled.append((event_id, event))

        def send(self, request: UUID) -> None:
            handled.append(request)

        def handle(self, message: dict[str, Any]) -> None:
            handled.append(message)

    for service in ("teller", "account_mails", "webhook_worker"):
        provide(f"notifications.{service}", Worker())
    assert tell_contributors(golden(name), CONTEXT) == {"batchItemFailures": []}
    assert call_webhooks(golden("sqs/webhooks.json"), CONTEXT) == {"batchItemFailures": []}
    (changed_id, changed), (_, added), mail, due = handled
    assert str(changed_id).startswith("019af9c5-2b")
    assert isinstance(changed, ImageStatusChanged)
    assert changed.after is ImageStatus.APPROVED
    assert isinstance(added, NotificationAdded)
    assert added.subject == IMAGE
    assert mail == UUID("019af9c5-4d32-7e33-9f24-8c3b2d5e7f90")
    assert due == {"delivery_id": "7e1f0a9b-8c6d-4e5f-b3a2-90817263544f"}


def test_the_same_queue_brings_digests_that_are_due() -> None:
    due: list[UUID] = []

    class Teller:
        def digest(self, account: UUID) -> None:
            due.append(account)

    provide("notifications.teller", Teller())
    record = golden("sqs/notifications.json")["Records"][0] | {"body": json.dumps({"digest_of": str(IMAGE)})}
    assert tell_contributors({"Records": [record]}, CONTEXT) == {"batchItemFailures": []}
    assert due == [IMAGE]


@pytest.mark.parametrize("fails", [False, True])
def test_a_deployment_is_always_answered(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    answers: list[tuple[str, dict[str, Any]]] = []
    migrated: list[bool] = []

    def migrate() -> None:
        if fails:
            raise RuntimeError("the password is hunter2")
        migrated.append(True)

    class Context(LambdaContext):
        log_stream_name = "2026/01/05/[1]abc"

    provide("operations.schema_upgrade", SimpleNamespace(run=migrate))
    monkeypatch.setattr(custom_resource, "_send", lambda url, answer: answers.append((url, answer)))
    event = golden("cloudformation/create_migration.json")
    migrate_database(event, Context())
    ((url, answer),) = answers
    assert url == event["ResponseURL"]
    assert {key: answer[key] for key in ("StackId", "RequestId", "LogicalResourceId")} == {
        key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")
    }
    assert (answer["Status"], len(migrated)) == (("FAILED", 0) if fails else ("SUCCESS", 1))
    assert "hunter2" not in json.dumps(answer)

    migrate_database({**event, "RequestType": "Delete", "PhysicalResourceId": "Schema"}, Context())
    assert (answers[-1][1]["Status"], len(migrated)) == ("SUCCESS", 0 if fails else 1)


def test_every_golden_event_is_some_tests() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[2].rglob("test_*.py"))
    unused = [
        name for path in EVENTS.rglob("*.json") if f'"{(name := path.relative_to(EVENTS).as_posix())}"' not in sources
    ]
    assert unused == []
