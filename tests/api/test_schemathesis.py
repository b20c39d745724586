"""The whole API in process against its own OpenAPI document, by every check that Schemathesis has.

Each call goes as the gateway's event through the function's own handler, with the real authorizer before the routes
that ask for a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS as REGISTRY
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from local import openapi
from tests.gateway import Gateway
from tests.market import Market

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

DOCUMENT = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
EXAMPLES = 20
"""Of each operation, and walks from one to the next."""
PATIENCE_S = 120
"""With an answer, on a machine that has other things to do."""


def refuses_what_is_not_allowed(context: Any, response: Any, case: Any) -> Any:
    """Schemathesis's own check, but for blank parameters: a form sends the fields that nobody filled in, and they
    count as absent."""
    blank = any(
        all(item == "" for item in value) if isinstance(value, list) else value == ""
        for value in (case.query or {}).values()
    )
    return None if blank else negative_data_rejection(context, response, case)


BEYOND_THE_SCHEMA = {
    *("password", "new_password", "current_password", "token", "categories"),
    *("email", "url", "challenge", "title", "description", "tags", "filename", "content_type", "display_name", "etag"),
    *(
        "size_bytes",
        "number",
        "q",
        "cursor",
        "page",
        "date_to",
        "max_aspect_ratio",
        "sort",
        "seed",
        "min_score",
        "body",
    ),
}
"""What a schema cannot say: what an address, a URL or visible text is, which parameters go together, which passwords
are easy to guess, and what the categories are."""


def _is_whole_with_a_fraction(error: dict[str, Any]) -> bool:
    """Whether a number was refused that is an integer for JSON Schema and not here: 7.0."""
    return re.fullmatch(r"-?\d+\.0+", str(error.get("value"))) is not None and "whole number" in error["detail"]


def takes_what_is_allowed(context: Any, response: Any, case: Any) -> Any:
    """Schemathesis's own check; but what follows the schema may break a rule beyond it, which the refusal names."""
    try:
        return positive_data_acceptance(context, response, case)
    except Failure:
        if response.status_code == 422:
            problem = response.json()
            errors = problem.get("errors", [])
            named = {name for error in errors for name in re.findall(r"\w+", error["field"])}
            # What is no picture has a problem of its own, without fields.
            if (
                problem["type"] != "/v1/problems/invalid-request"
                or named & BEYOND_THE_SCHEMA
                or any(map(_is_whole_with_a_fraction, errors))
            ):
                return None
        raise


load_all_checks()
_OWN: dict[Any, Any] = {
    negative_data_rejection: refuses_what_is_not_allowed,
    positive_data_acceptance: takes_what_is_allowed,
}
CHECKS: list[Any] = [_OWN.get(check, check) for check in REGISTRY.get_all()]


@pytest.fixture(autouse=True)
def _market(whole_market: Market) -> Iterator[None]:
    TOKENS.update({role: whole_market.token(role) for role in whole_market.accounts})
    yield
    TOKENS.clear()


TOKENS: dict[Any, str] = {}


def _credentials(case: Any) -> dict[str, str]:
    """The token of a role that the operation takes."""
    roles = case.operation.definition.raw.get("x-roles")
    if not roles:
        return {}
    return {"Authorization": f"Bearer {TOKENS['contributor' if 'contributor' in roles else 'admin']}"}


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


GATEWAY = Gateway(address="127.0.0.1")
SCHEMA = _schema()
_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture]


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=_QUIET,
)
def test_every_operation_does_what_the_document_says(case: Any) -> None:
    case.call_and_validate(headers=_credentials(case), checks=CHECKS, timeout=PATIENCE_S)


def test_so_do_operations_one_after_another() -> None:
    """What one answers is sent to the next: ids, uploads, cursors."""

    class Walk(SCHEMA.as_state_machine()):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": _credentials(case), "timeout": PATIENCE_S}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Walk.run(
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=6,
            deadline=None,
            derandomize=True,
            suppress_health_check=_QUIET,
        )
    )


def test_every_check_is_among_them() -> None:
    names = {check.__name__ for check in CHECKS}
    assert {"not_a_server_error", "ignored_auth", "unsupported_method", "takes_what_is_allowed"} <= names
    assert len(names) == len(REGISTRY.get_all())
