"""Every route of every API function: it is logged, and no line carries what the caller keeps secret.

What identity does with real tokens and passwords is watched in `test_identity.py`; here each route is
called with secrets in every place while every engine is broken, at the loggers' most talkative.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from imagemarket.platform.telemetry import logger
from tests.api.events import caller
from tests.api.routes import Route, break_every_engine, every_route

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ0b2tlbi1pbi1oZWFkZXIifQ.c2VjcmV0LXNpZ25hdHVyZQ"
SECRETS = {
    "password": "correct-horse-battery-staple",
    "refresh_token": "refresh-token-of-this-session",
}


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


@pytest.mark.parametrize("route", every_route())
def test_a_request_is_logged_without_its_secrets(
    route: Route, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    break_every_engine()
    body = route.body()
    if body is not None:
        body |= {name: secret for name, secret in SECRETS.items() if name in body}
    roles = route.operation.get("x-roles")
    event = route.event(
        body,
        headers={"authorization": f"Bearer {TOKEN}", "cookie": f"session={TOKEN}"},
        caller=caller(roles[0]) if roles else None,
        query=f"access_token={TOKEN}",
    )
    answer = route.handle(event)
    written = log.getvalue()
    printed = capfd.readouterr()
    written += printed.out + printed.err
    lines = [json.loads(line) for line in log.getvalue().splitlines() if line.startswith('{"level"')]
    (request,) = [line for line in lines if line["message"] == "request"]
    assert request["route"] == route.path, "logged by its template, so that ids and queries stay out"
    assert request["status"] == answer["statusCode"]
    assert request["request_id"] == event["requestContext"]["requestId"]
    for secret in (TOKEN, TOKEN.rsplit(".", 1)[1], *SECRETS.values()):
        assert secret not in written
        assert secret not in answer.get("body", "")
