"""The frame around every HTTP function."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from imagemarket.catalog.errors import ImageNotFound
from imagemarket.platform.errors import TooManyRequests, error_classes
from imagemarket.platform.gateway import MAX_BODY_BYTES, lambda_handler
from imagemarket.platform.http import Caller, create_api, current_caller, require_role
from imagemarket.platform.telemetry import logger
from tests.api.events import http_event

ACCOUNT = UUID("01930000-0000-7000-8000-000000000001")


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: Annotated[str, Field(min_length=10)]


def handler() -> Any:
    router = APIRouter()

    @router.post("/echo")
    def echo(body: Body) -> dict[str, int]:
        return {"length": len(body.password)}

    @router.get("/me")
    def me(caller: Annotated[Caller, Depends(current_caller)]) -> dict[str, str]:
        return {"id": str(caller.account_id)}

    @router.get("/admin")
    def admin(caller: Annotated[Caller, Depends(require_role("admin"))]) -> dict[str, str]:
        return {"role": caller.role}

    @router.get("/missing")
    def missing() -> None:
        raise ImageNotFound("There is no such image.")

    @router.get("/limited")
    def limited() -> None:
        raise TooManyRequests("At most 5 a minute.", retry_after=7)

    @router.get("/two")
    @router.post("/two")
    def two() -> None:
        pass

    @router.get("/bug")
    def bug() -> None:
        raise RuntimeError("secret-in-a-traceback")

    return lambda_handler(lambda: create_api("test", router))


@contextmanager
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The lines of our log that are written meanwhile."""
    stream = io.StringIO()
    listening = logging.StreamHandler(stream)
    listening.setFormatter(logger.registered_formatter)
    logger.addHandler(listening)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger._logger.removeHandler(listening)


def call(event: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    answer = handler()(event, None)
    assert answer["isBase64Encoded"] is False
    return answer["statusCode"], {k.lower(): v for k, v in answer["headers"].items()}, json.loads(answer["body"])


def test_an_error_of_the_tree_becomes_a_problem() -> None:
    status, headers, problem = call(http_event("GET", "/missing"))
    assert status == problem["status"] == 404
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"] == "/v1/problems/image-not-found"
    assert problem["instance"] == headers["x-request-id"]


def test_headers_of_an_error_are_sent() -> None:
    status, headers, _ = call(http_event("GET", "/limited"))
    assert (status, headers["retry-after"]) == (429, "7")


def test_an_invalid_field_is_named_with_its_limit_and_not_repeated() -> None:
    status, _, problem = call(http_event("POST", "/echo", {"password": "hunter2", "role": "admin"}))
    assert status == 422
    named = {error["field"]: error for error in problem["errors"]}
    assert named["password"]["limit"] == {"min_characters": 10}
    assert "role" in named
    assert "hunter2" not in json.dumps(problem)


@pytest.mark.parametrize("body", ["{", "", "[]", "null", "\x00"])
def test_a_body_that_is_no_json_object_is_refused(body: str) -> None:
    status, _, problem = call(http_event("POST", "/echo", body))
    assert status == 422
    assert problem["errors"]


def test_a_body_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with logged() as lines:
        status, _, problem = call(http_event("POST", "/echo", "x" * (MAX_BODY_BYTES + 1)))
    assert status == 413
    (line,) = [line for line in lines() if line["message"] == "request"]
    assert (line["request_id"], line["method"], line["status"]) == (problem["instance"], "POST", 413)
    assert str(MAX_BODY_BYTES) in problem["detail"]


def test_an_unknown_route_and_a_wrong_method_are_problems() -> None:
    assert call(http_event("GET", "/nowhere"))[0] == 404
    for method, path, taken in (
        ("DELETE", "/echo", "POST"),
        ("PUT", "/me", "GET, HEAD"),
        ("PUT", "/two", "GET, HEAD, POST"),
    ):
        status, headers, problem = call(http_event(method, path))
        assert (status, problem["status"], headers["allow"]) == (405, 405, taken)
        assert headers["content-type"] == "application/problem+json"
        are = "is" if taken == "POST" else "are"
        assert problem["detail"] == f"{method} is not taken here; {taken.replace(', ', ' and ')} {are}."


def test_a_bug_tells_only_the_request_id() -> None:
    status, headers, problem = call(http_event("GET", "/bug"))
    assert status == 500
    assert headers["x-request-id"] in problem["detail"]
    assert "secret-in-a-traceback" not in json.dumps(problem)


def test_the_caller_comes_from_the_authorizer_alone() -> None:
    assert call(http_event("GET", "/me", headers={"Authorization": "Bearer x", "account_id": str(ACCOUNT)}))[0] == 401
    status, headers, problem = call(http_event("GET", "/me", caller={"denied": "expired"}))
    assert (status, problem["type"]) == (401, "/v1/problems/token-expired")
    assert "invalid_token" in headers["www-authenticate"]
    status, _, body = call(http_event("GET", "/me", caller=Caller(ACCOUNT, "buyer")))
    assert (status, body["id"]) == (200, str(ACCOUNT))


def test_a_role_is_checked_inside_as_well() -> None:
    assert call(http_event("GET", "/admin", caller=Caller(ACCOUNT, "buyer")))[0] == 403
    assert call(http_event("GET", "/admin", caller=Caller(ACCOUNT, "admin")))[0] == 200


def test_slugs_are_unique_and_every_error_says_what_it_means() -> None:
    errors = error_classes()
    assert len({error.slug for error in errors}) == len(errors)
    assert all(error.__doc__ and 400 <= error.status < 600 for error in errors)
