"""The whole API in process against its own OpenAPI document: no 5xx, nothing that the document does not say.

Every function's app on one ASGI front that stands in for the gateway: it routes as the CDK's table does, answers
405 and 404 itself, and hands on who is calling as the authorizer would.
"""

from __future__ import annotations

import importlib
import json
import re
from typing import Any, cast
from uuid import UUID

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from imagemarket import wiring
from imagemarket.imaging.confinement import Inspector
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.ratelimits import Policy, RateLimiter
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.details import ImageDetails
from imagemarket.search.pages import PageCache
from imagemarket.search.pictures import PictureSearch
from imagemarket.search.postgres import PostgresSearch
from imagemarket.search.service import Search
from imagemarket.search.spelling import Speller
from imagemarket.search.suggestions import Suggestions, SuggestionTable
from imagemarket.search.understanding import QueryReader
from local import openapi
from tests.api.test_search_by_image import Model
from tests.fakes import MemoryObjectStore, MemoryQueue, MemoryStepFunctions
from tests.unit.identity.kit import Kit
from tests.unit.search.kit import random_documents
from tests.unit.search.test_service import Encoder

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

DOCUMENT = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
FUNCTIONS = ("auth_api", "search_api", "picture_api", "upload_api", "delivery_api", "notifications_api", "docs_api")


def refuses_what_is_not_allowed(context: Any, response: Any, case: Any) -> Any:
    """Schemathesis's own check, but for blank parameters: a form sends the fields that nobody filled in, and they
    count as absent."""
    blank = any(value in ("", [], [""]) for value in (case.query or {}).values())
    return None if blank else negative_data_rejection(context, response, case)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    refuses_what_is_not_allowed,
]
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:test"
_ADMIN = {"account_id": str(UUID(int=7)), "role": "admin", "token_id": "t"}


class Gateway:
    """One front for all functions, as `cdk.constructs.api.ROUTES` divides the paths."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Any]] = []

    def build(self) -> None:
        """The apps anew, with the services that are wired now."""
        self._routes.clear()
        for name in FUNCTIONS:
            module = importlib.import_module(f"functions.{name}.routes")
            api = module.build_api()
            for route in module.router.routes:
                pattern = re.compile(re.sub(r"{\w+}", "[^/]+", route.path) + "$")
                self._routes += [(method, pattern, api) for method in route.methods]
        # What is named whole comes before what has a parameter in its place, as with the gateway's own routing.
        self._routes.sort(key=lambda route: route[1].pattern.count("[^/]+"))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        signed_in = b"authorization" in headers
        for method, pattern, api in self._routes:
            if method == scope["method"] and pattern.match(scope["path"]):
                context = {"authorizer": {"lambda": _ADMIN}} if signed_in else {}
                http = {"sourceIp": "203.0.113.9"}
                scope["aws.event"] = {"requestContext": {"requestId": "fuzz", "http": http, **context}}
                await api(scope, receive, send)
                return
        body = b'{"message":"Not Found"}'
        start = {"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"application/json")]}
        await send(start)
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def _wired(database: Database, valkey_url: str, decoder: Inspector, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagemarket.delivery.service import Delivery
    from imagemarket.ingestion.executions import Executions
    from imagemarket.ingestion.retries import Retries
    from imagemarket.ingestion.uploads import Uploads
    from imagemarket.notifications.delivery import Deliveries
    from imagemarket.notifications.service import Inbox
    from imagemarket.notifications.targets import TargetRules
    from imagemarket.notifications.webhooks import Webhooks
    from imagemarket.platform.idempotency import IdempotencyKeys

    engine, table, cache = PostgresSearch(database), SuggestionTable(database), Cache(valkey_url)
    made = random_documents(40)
    engine.write(made, [])
    table.write(made, [])
    media, public = "https://cdn.test/media", "https://api.test"
    search = Search(
        keyword=engine,
        vector=engine,
        reader=engine,
        encoder=Encoder,
        cursors=CursorSigner(lambda: "a secret", SystemClock()),
        pages=PageCache(cache, SystemClock()),
        queries=QueryReader(lambda: Speller(table.words(100))),
        media_base_url=media,
        public_base_url=public,
    )
    originals = MemoryObjectStore("originals")
    idempotency = IdempotencyKeys(database, SystemClock())
    uploads = Uploads(database=database, originals=originals, idempotency=idempotency, public_base_url=public)
    machine = Executions(cast("Any", MemoryStepFunctions(MACHINE)), MACHINE)
    with database.transaction() as connection:  # whoever calls, webhooks are of an account that there is
        connection.execute(
            "INSERT INTO users (id, email, password_hash, role, display_name)"
            " VALUES (%s, 'ada@example.com', '!', 'admin', 'Ada')",
            (_ADMIN["account_id"],),
        )
    accounts = Kit()
    services: dict[str, Any] = {
        "identity": accounts.identity,
        "public_keys": accounts.public_keys,
        "token_verifier": accounts.verifier,
        "search": search,
        "suggestions": Suggestions(table, lambda: None),
        "picture_search": PictureSearch(search=search, work=MemoryObjectStore("work"), decoder=decoder, model=Model()),
        "image_details": ImageDetails(database=database, media_base_url=media, public_base_url=public),
        "uploads": uploads,
        "retries": Retries(uploads=uploads, originals=originals, executions=machine, idempotency=idempotency),
        "inbox": Inbox(database),
        "webhooks": Webhooks(
            database=database,
            rules=TargetRules(loopback=False, resolve=lambda *_: ["203.0.113.1"]),
            deliveries=Deliveries(database=database, queue=cast("Any", MemoryQueue()), clock=SystemClock()),
            idempotency=idempotency,
            clock=SystemClock(),
        ),
        "delivery": Delivery(database=database, originals=originals, media_base_url=media),
        "rate_limiter": RateLimiter(lambda: cache, address=Policy("address", 10**6, 60)),
        "public_base_url": public,
    }
    for name, value in services.items():
        monkeypatch.setattr(wiring, name, lambda value=value: value)
    GATEWAY.build()


def _schema() -> Any:
    loaded = schemathesis.openapi.from_asgi("/openapi.json", _Served(DOCUMENT))
    loaded.app = GATEWAY
    return loaded


class _Served:
    """Serves the document itself."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._body = json.dumps(document).encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


@schemathesis.serializer("image/jpeg", "image/png", "image/tiff")
def as_it_is(_context: Any, value: Any) -> bytes:
    """A picture's bytes; whatever else is generated, as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


GATEWAY = Gateway()
SCHEMA = _schema()


@pytest.mark.usefixtures("_wired")
@SCHEMA.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
def test_every_operation_does_what_the_document_says(case: Any) -> None:
    headers = {"Authorization": "Bearer x"} if case.operation.definition.raw.get("security") else {}
    case.call_and_validate(headers=headers, checks=CHECKS)


@pytest.mark.usefixtures("_wired")
def test_so_do_operations_one_after_another() -> None:
    """What one answers is sent to the next: ids, uploads, cursors."""

    class Walk(SCHEMA.as_state_machine()):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": {"Authorization": "Bearer x"}}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Walk.run(
        settings=settings(
            max_examples=12,
            stateful_step_count=5,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
    )
