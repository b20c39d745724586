"""Every route of every API function: it is logged, and no line carries what the caller keeps secret.

What identity does with real tokens and passwords is watched in `test_identity.py`; here each route is
called with secrets in every place while every engine is broken, at the loggers' most talkative.
"""

from __future__ import annotations

import importlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagemarket import wiring
from imagemarket.platform.telemetry import logger
from local import openapi
from local.layout import REPOSITORY
from tests.api.events import LambdaContext, caller, http_event

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ0b2tlbi1pbi1oZWFkZXIifQ.c2VjcmV0LXNpZ25hdHVyZQ"
SECRETS = {
    "password": "correct-horse-battery-staple",
    "refresh_token": "refresh-token-of-this-session",
}
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def _operations() -> Iterator[Any]:
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    described = {operation["operationId"]: operation for _, _, operation in openapi.operations(document)}
    for source in sorted((REPOSITORY / "functions").glob("*_api/routes.py")):
        function = source.parent.name
        for route in importlib.import_module(f"functions.{function}.routes").router.routes:
            operation = described[route.operation_id]
            (method,) = route.methods
            yield pytest.param(function, method, route.path, operation, id=f"{function}-{route.operation_id}")


def _event(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    body = None
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["example"]
        body = body | {name: secret for name, secret in SECRETS.items() if name in body}
    roles = operation.get("x-roles")
    return http_event(
        method,
        path,
        body,
        headers={"authorization": f"Bearer {TOKEN}", "cookie": f"session={TOKEN}"},
        caller=caller(roles[0]) if roles else None,
        query=f"access_token={TOKEN}",
    )


def _break(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("an engine broke")

    for name, value in list(vars(wiring).items()):
        if callable(value) and getattr(value, "__module__", "") == wiring.__name__:
            monkeypatch.setattr(wiring, name, broken)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that any logger says at DEBUG, ours as in production."""
    # What Powertools takes as an order to log whole events; no function may obey it.
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    stream = io.StringIO()
    ours, everyone = logging.StreamHandler(stream), logging.StreamHandler(stream)
    ours.setFormatter(logger.registered_formatter)
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.DEBUG)
    monkeypatch.setattr(logger._logger, "level", logging.DEBUG)
    root.addHandler(everyone)
    logger.addHandler(ours)
    yield stream
    logger._logger.removeHandler(ours)
    root.removeHandler(everyone)
    root.setLevel(level)


@pytest.mark.parametrize(("function", "method", "path", "operation"), list(_operations()))
def test_a_request_is_logged_without_its_secrets(
    function: str,
    method: str,
    path: str,
    operation: dict[str, Any],
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler: Handler = importlib.import_module(f"functions.{function}.handler").handler
    _break(monkeypatch)
    event = _event(method, path, operation)
    answer = handler(event, LambdaContext())
    written = log.getvalue()
    printed = capfd.readouterr()
    written += printed.out + printed.err
    lines = [json.loads(line) for line in log.getvalue().splitlines() if line.startswith('{"level"')]
    (request,) = [line for line in lines if line["message"] == "request"]
    assert request["route"] == path, "logged by its template, so that ids and queries stay out"
    assert request["status"] == answer["statusCode"]
    assert request["request_id"] == event["requestContext"]["requestId"]
    assert TOKEN not in written
    assert TOKEN.rsplit(".", 1)[1] not in written
    for secret in SECRETS.values():
        assert secret not in written
        assert secret not in answer.get("body", "")
