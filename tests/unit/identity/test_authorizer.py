"""The Lambda authorizer: what the gateway is told about a request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.authorizer.handler import handler
from tests.provided import provide
from tests.unit.identity.kit import Kit
from tests.unit.identity.test_tokens import ACCOUNT, FORGERIES, claims, signed


@pytest.fixture
def kit() -> Kit:
    kit = Kit()
    provide("identity.token_verifier", kit.verifier)
    return kit


def ask(authorization: str | None) -> dict[str, Any]:
    """What the gateway sends to an authorizer, payload 2.0."""
    headers = {"host": "api.test", **({} if authorization is None else {"authorization": authorization})}
    event = {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:eu-central-1:123456789012:api/$default/GET/v1/auth/me",
        "identitySource": [] if authorization is None else [authorization],
        "routeKey": "GET /v1/auth/me",
        "rawPath": "/v1/auth/me",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"requestId": "test", "http": {"method": "GET", "path": "/v1/auth/me"}},
    }
    return handler(event, None)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_of_ours_says_who_calls(kit: Kit, scheme: str) -> None:
    answer = ask(f"{scheme} {signed(claims(jti='the-token'))}")
    assert answer == {
        "isAuthorized": True,
        "context": {"account_id": str(ACCOUNT.id), "role": "buyer", "token_id": "the-token"},
    }


def test_one_that_is_over_is_let_through_as_nobody_to_be_told_so(kit: Kit) -> None:
    token = kit.issuer.issue(ACCOUNT)
    kit.clock.advance(timedelta(hours=1))
    assert ask(f"Bearer {token}") == {"isAuthorized": True, "context": {"denied": "expired"}}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_refused_by_the_gateway(kit: Kit, forged: Callable[[], str]) -> None:
    assert ask(f"Bearer {forged()}") == {"isAuthorized": False}


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YW5uOnNlY3JldA==", "Bearer a b c"])
def test_what_is_no_bearer_token_is_refused(kit: Kit, authorization: str | None) -> None:
    assert ask(authorization) == {"isAuthorized": False}


def test_importing_it_loads_nothing_heavy() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, functions.authorizer.handler;"
                "print(*({'fastapi', 'starlette', 'psycopg', 'boto3', 'jwt', 'cryptography', 'bcrypt', 'valkey'}"
                " & set(sys.modules)))"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "shared:."},
    ).stdout
    assert loaded.split() == []
