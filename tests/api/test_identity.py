"""The routes of identity, from the gateway's event to its answer."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.auth_api.handler import handler
from functions.authorizer.handler import handler as authorize
from imagemarket.identity.attempts import PER_ACCOUNT_AND_ADDRESS, REGISTRATIONS_PER_ADDRESS, STRANGERS_PER_ACCOUNT
from imagemarket.identity.service import REFRESH_GRACE
from imagemarket.platform.cache import Cache
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.ratelimits import RateLimiter
from imagemarket.platform.telemetry import logger
from tests.api.events import LambdaContext, caller, http_event, json_of
from tests.provided import provide
from tests.unit.identity.kit import ADDRESS, EMAIL, PASSWORD, Kit

REGISTRATION = {"email": EMAIL, "password": PASSWORD, "role": "contributor", "display_name": "Ann Adams"}
SIGN_IN = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def kit() -> Kit:
    kit = Kit()
    provide("identity.service", kit.identity)
    # Only the attempts at signing in are looked at here.
    provide("resources.rate_limiter", RateLimiter(lambda: Cache("redis://127.0.0.1:1")))
    provide("identity.public_keys", kit.public_keys)
    provide("identity.token_verifier", kit.verifier)
    return kit


def send(method: str, path: str, body: Any = None, **event: Any) -> tuple[int, Any, dict[str, str]]:
    answer = handler(http_event(method, path, body, **event), LambdaContext())
    document = json_of(answer) if answer.get("body") else None
    return answer["statusCode"], document, {k.lower(): v for k, v in answer["headers"].items()}


def authorized(access_token: str) -> dict[str, str]:
    """The context that the authorizer makes of a token."""
    answer = authorize(http_event("GET", "/", headers={"authorization": f"Bearer {access_token}"}), None)
    assert answer["isAuthorized"]
    return answer["context"]


def test_from_an_account_to_a_session_and_out_again(kit: Kit) -> None:
    status, account, headers = send("POST", "/v1/auth/register", REGISTRATION)
    assert status == 201
    assert headers["location"] == "/v1/auth/me"
    assert set(account) == {"id", "email", "email_confirmed", "role", "display_name", "created_at"}

    status, tokens, headers = send("POST", "/v1/auth/login", SIGN_IN)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
    assert tokens["account"] == account

    status, me, headers = send("GET", "/v1/auth/me", caller=authorized(tokens["access_token"]))
    assert (status, me) == (200, account)
    assert headers["cache-control"] == "no-store"

    body = {"refresh_token": tokens["refresh_token"]}
    status, renewed, headers = send("POST", "/v1/auth/refresh", body)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert renewed["refresh_token"] != tokens["refresh_token"]
    assert authorized(renewed["access_token"])["account_id"] == account["id"]

    body = {"refresh_token": renewed["refresh_token"]}
    assert send("POST", "/v1/auth/logout", body)[:2] == (204, None)
    assert send("POST", "/v1/auth/logout", body)[:2] == (204, None)
    status, problem, headers = send("POST", "/v1/auth/refresh", body)
    assert (status, problem["type"]) == (401, "/v1/problems/invalid-refresh-token")
    assert headers["content-type"] == "application/problem+json"


def test_an_expired_access_token_is_told_to_refresh(kit: Kit) -> None:
    kit.registered()
    token = kit.login().access_token
    kit.clock.advance(timedelta(hours=1))
    status, problem, headers = send("GET", "/v1/auth/me", caller=authorized(token))
    assert (status, problem["type"]) == (401, "/v1/problems/token-expired")
    assert "POST /v1/auth/refresh" in problem["detail"]
    assert 'error="invalid_token"' in headers["www-authenticate"]


def test_me_is_nobody_without_an_authorizer_and_when_the_account_is_gone(kit: Kit) -> None:
    for who in (None, caller("buyer")):
        status, problem, _ = send("GET", "/v1/auth/me", caller=who)
        assert (status, problem["type"]) == (401, "/v1/problems/unauthenticated")


def test_a_header_does_not_say_who_calls(kit: Kit) -> None:
    kit.registered()
    token = kit.login().access_token
    status, _, _ = send("GET", "/v1/auth/me", headers={"authorization": f"Bearer {token}"})
    assert status == 401


def test_unknown_and_wrong_are_one_answer_to_the_byte(kit: Kit) -> None:
    kit.registered()
    answers = []
    for body in (
        {**SIGN_IN, "password": "not the password"},
        {**SIGN_IN, "email": "nobody@example.com"},
        {**SIGN_IN, "email": "nobody"},
    ):
        status, problem, headers = send("POST", "/v1/auth/login", body)
        problem.pop("instance")
        headers.pop("x-request-id")
        answers.append((status, problem, headers))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][:2] == (
        401,
        {
            "type": "/v1/problems/invalid-credentials",
            "title": "E-mail or password is wrong",
            "status": 401,
            "detail": "E-mail or password is wrong.",
        },
    )


def test_an_address_that_tries_too_often_is_told_when_to_come_back(kit: Kit) -> None:
    kit.registered()
    wrong = {**SIGN_IN, "password": "not the password"}
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts):
        assert send("POST", "/v1/auth/login", wrong, address=ADDRESS)[0] == 401
    kit.clock.advance(timedelta(seconds=100))
    status, problem, headers = send("POST", "/v1/auth/login", SIGN_IN, address=ADDRESS)
    assert (status, problem["type"]) == (429, "/v1/problems/too-many-requests")
    assert headers["retry-after"] == "800"
    assert (problem["limit"], problem["window_seconds"]) == (10, 900)


def test_strangers_do_not_keep_the_owner_out(kit: Kit) -> None:
    kit.registered()
    wrong = {**SIGN_IN, "password": "not the password"}
    answers = [
        send("POST", "/v1/auth/login", wrong, address=f"198.51.{network}.{host}")[0]
        for network in range(10)
        for host in range(PER_ACCOUNT_AND_ADDRESS.attempts)
    ]
    assert answers.count(401) == STRANGERS_PER_ACCOUNT.attempts, "they together"
    for address in (ADDRESS, "203.0.113.99"):
        at_home = send("POST", "/v1/auth/login", SIGN_IN, address=address)[0]
        assert at_home == 200, "and the owner is at home, where the account was opened"


def test_an_address_is_confirmed_and_a_password_set_anew_by_mail(kit: Kit) -> None:
    send("POST", "/v1/auth/register", REGISTRATION)
    tokens = send("POST", "/v1/auth/login", SIGN_IN)[1]
    me = authorized(tokens["access_token"])
    assert tokens["account"]["email_confirmed"] is False
    assert send("POST", "/v1/auth/confirm/send", caller=me)[:2] == (202, None)
    assert kit.mails.requested == [("confirm_email", EMAIL)] * 2

    body = {"token": kit.mails.token("confirm_email", EMAIL)}
    assert send("POST", "/v1/auth/confirm", body)[:2] == (204, None)
    status, problem, _ = send("POST", "/v1/auth/confirm", body)
    assert (status, problem["type"]) == (422, "/v1/problems/invalid-mail-token")
    assert body["token"] not in json.dumps(problem)
    assert send("GET", "/v1/auth/me", caller=me)[1]["email_confirmed"] is True

    reset = {"token": kit.mails.token("reset_password", EMAIL), "password": "password123"}
    status, problem, _ = send("POST", "/v1/auth/password/reset", reset)
    assert (status, problem["errors"][0]["field"]) == (422, "password")
    new = "eleven purple bicycles at dawn"
    assert send("POST", "/v1/auth/password/reset", reset | {"password": new})[:2] == (204, None)
    assert send("POST", "/v1/auth/login", SIGN_IN)[0] == 401
    assert send("POST", "/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})[0] == 401

    change = {"current_password": new, "new_password": PASSWORD}
    status, changed, headers = send("POST", "/v1/auth/password", change, caller=me)
    assert (status, headers["cache-control"]) == (200, "no-store")
    assert send("POST", "/v1/auth/logout/all", caller=authorized(changed["access_token"]))[:2] == (204, None)
    assert send("POST", "/v1/auth/refresh", {"refresh_token": changed["refresh_token"]})[0] == 401


def test_a_forgotten_password_is_answered_alike_to_the_byte(kit: Kit) -> None:
    kit.registered()
    answers = []
    for email in (EMAIL, "nobody@example.com", "nobody"):
        status, body, headers = send("POST", "/v1/auth/password/forgot", {"email": email})
        headers.pop("x-request-id")
        answers.append((status, body, headers))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 202


@pytest.mark.parametrize("path", ["/v1/auth/confirm/send", "/v1/auth/logout/all", "/v1/auth/password"])
def test_nobody_changes_what_is_somebodys(kit: Kit, path: str) -> None:
    body = {"current_password": PASSWORD, "new_password": "eleven purple bicycles"} if path.endswith("word") else None
    assert send("POST", path, body)[0] == 401
    assert send("POST", path, body, caller=caller("buyer"))[0] in {204, 401}, "an account that is gone"


def test_registrations_are_limited_by_address(kit: Kit) -> None:
    for n in range(REGISTRATIONS_PER_ADDRESS.attempts):
        body = {**REGISTRATION, "email": f"ann-{n}@example.com"}
        assert send("POST", "/v1/auth/register", body, address=ADDRESS)[0] == 201
    status, problem, _ = send("POST", "/v1/auth/register", REGISTRATION, address=ADDRESS)
    assert (status, problem["type"]) == (429, "/v1/problems/too-many-requests")


def test_a_taken_email_is_a_conflict(kit: Kit) -> None:
    kit.registered()
    status, problem, _ = send("POST", "/v1/auth/register", {**REGISTRATION, "email": EMAIL.upper()})
    assert (status, problem["type"]) == (409, "/v1/problems/email-taken")
    assert EMAIL not in json.dumps(problem)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"role": "admin"}, "role"),
        ({"email": "ann at example"}, "email"),
        ({"email": 7}, "email"),
        ({"email": None}, "email"),
        ({"password": "too short"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"password": 1234567890123}, "password"),
        ({"password": "broken \udce4 surrogate"}, "password"),
        ({"display_name": ""}, "display_name"),
        ({"display_name": "x" * 101}, "display_name"),
        ({"display_name": True}, "display_name"),
        ({"is_admin": True}, "is_admin"),
    ],
)
def test_a_bad_registration_names_the_field_and_repeats_nothing(kit: Kit, changed: dict[str, Any], field: str) -> None:
    status, problem, _ = send("POST", "/v1/auth/register", REGISTRATION | changed)
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == [field]
    assert str(changed.get("password", PASSWORD)) not in json.dumps(problem)


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', b"\xff\xfe", "null"])
@pytest.mark.parametrize("path", ["register", "login", "refresh", "logout"])
def test_what_is_no_json_object_is_refused(kit: Kit, path: str, body: str | bytes) -> None:
    status, problem, headers = send("POST", f"/v1/auth/{path}", body)
    assert status in {400, 422}
    assert problem["status"] == status
    assert headers["content-type"] == "application/problem+json"


def test_the_public_keys_may_be_kept_for_a_while(kit: Kit) -> None:
    status, jwks, headers = send("GET", "/.well-known/jwks.json")
    assert status == 200
    assert headers["cache-control"] == "public, max-age=300"
    assert jwks == kit.public_keys.document()
    assert all(set(jwk) == {"kty", "use", "alg", "kid", "n", "e"} for jwk in jwks["keys"])


def test_a_database_that_is_away_is_said_to_be(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(email: str) -> None:
        raise DependencyUnavailable("The database is not answering; try again.")

    monkeypatch.setattr(kit.store, "credentials", away)
    status, problem, _ = send("POST", "/v1/auth/login", SIGN_IN)
    assert (status, problem["type"]) == (503, "/v1/problems/dependency-unavailable")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that any logger says, at its most talkative, formatted as in production."""
    stream = io.StringIO()
    ours, everyone = logging.StreamHandler(stream), logging.StreamHandler(stream)
    ours.setFormatter(logger.registered_formatter)
    root = logging.getLogger()
    before = (root.level, logger.log_level)
    root.setLevel(logging.DEBUG)
    logger.setLevel(logging.DEBUG)
    root.addHandler(everyone)
    logger.addHandler(ours)
    yield stream
    logger._logger.removeHandler(ours)
    root.removeHandler(everyone)
    root.setLevel(before[0])
    logger.setLevel(before[1])


def test_no_log_line_and_no_metric_carries_a_token_or_a_password(
    kit: Kit, log: io.StringIO, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [PASSWORD, "not the password", "short-pw", "Wr0ng-type"]
    send("POST", "/v1/auth/register", REGISTRATION)
    send("POST", "/v1/auth/register", REGISTRATION)
    send("POST", "/v1/auth/register", REGISTRATION | {"password": "short-pw"})
    send("POST", "/v1/auth/register", REGISTRATION | {"password": ["Wr0ng-type"]})
    _, first, _ = send("POST", "/v1/auth/login", SIGN_IN)
    for _ in range(PER_ACCOUNT_AND_ADDRESS.attempts + 2):
        send("POST", "/v1/auth/login", {**SIGN_IN, "password": "not the password"})
    _, second, _ = send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    authorized(second["access_token"])
    authorize(http_event("GET", "/", headers={"authorization": f"Bearer {second['access_token']}x"}), None)
    authorize(http_event("GET", "/", headers={"authorization": f"Basic {second['access_token']}"}), None)
    send("GET", "/v1/auth/me", caller=authorized(second["access_token"]))
    kit.clock.advance(REFRESH_GRACE + timedelta(seconds=1))
    send("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    send("POST", "/v1/auth/refresh", {"refresh_token": "y" * 201})
    send("POST", "/v1/auth/logout", {"refresh_token": second["refresh_token"]})
    kit.counters.down = True
    send("POST", "/v1/auth/login", SIGN_IN)

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(kit.store, "credentials", broken)
    assert send("POST", "/v1/auth/login", SIGN_IN)[0] == 500
    for tokens in (first, second):
        secrets += [tokens["access_token"], tokens["refresh_token"]]
    secrets += [token.rsplit(".", 1)[1] for token in secrets if token.count(".") == 2]
    secrets.append("y" * 201)

    printed = capfd.readouterr()
    written = log.getvalue() + printed.out + printed.err
    for line in ("signed in", "used again", "token refused", "not being counted", "a bug"):
        assert line in written, "the flow was not logged, so this test would prove nothing"
    for secret in secrets:
        assert secret not in written
