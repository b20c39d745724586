"""API Gateway HTTP API events (payload 2.0) for tests that call a function's handler directly."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from imagemarket.platform.http import Caller, Role

LOOPBACK = "127.0.0.1"


def http_event(
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    caller: Caller | Mapping[str, str] | None = None,
    query: str = "",
    *,
    address: str = LOOPBACK,
) -> dict[str, Any]:
    """The event that the gateway sends for one request.

    `body` is text or bytes as they are, anything else as JSON. `caller` is what the authorizer
    established: a `Caller`, or its raw context such as `{"denied": "expired"}`; None is a public
    request. `query` is the raw query string. `address` is the client's, loopback by default, which
    no limit per address counts.
    """
    sent = {"host": "api.test", **{name.lower(): value for name, value in (headers or {}).items()}}
    encoded: str | None = None
    is_base64 = False
    if isinstance(body, bytes):
        encoded, is_base64 = base64.b64encode(body).decode(), True
    elif isinstance(body, str):
        encoded = body
    elif body is not None:
        encoded = json.dumps(body)
    if encoded is not None:
        sent.setdefault("content-type", "application/json")
    context: dict[str, Any] = {
        "accountId": "123456789012",
        "apiId": "api",
        "domainName": "api.test",
        "domainPrefix": "api",
        "http": {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": address,
            "userAgent": "tests",
        },
        "requestId": f"test-{uuid4()}",
        "routeKey": f"{method} {path}",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
        "timeEpoch": int(time.time() * 1000),
    }
    if isinstance(caller, Caller):
        caller = {"account_id": str(caller.account_id), "role": caller.role, "token_id": "test"}
    if caller is not None:
        context["authorizer"] = {"lambda": dict(caller)}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": sent,
        "requestContext": context,
        "isBase64Encoded": is_base64,
    }
    if encoded is not None:
        event["body"] = encoded
    return event


def caller(role: Role, account_id: UUID | None = None) -> Caller:
    """An authenticated caller of a role, new unless `account_id` is given."""
    return Caller(account_id=account_id or uuid4(), role=role)


@dataclass(frozen=True)
class LambdaContext:
    """As much of Lambda's context object as Powertools and Mangum look at."""

    function_name: str = "test"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def json_of(answer: Mapping[str, Any]) -> Any:
    """The JSON document in a handler's answer; its body is base64 only where it is compressed."""
    packed = answer["headers"].get("content-encoding") == "gzip"
    assert answer["isBase64Encoded"] == packed, "a JSON answer travels as text"
    return json.loads(gzip.decompress(base64.b64decode(answer["body"])) if packed else answer["body"])
