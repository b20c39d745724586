"""The API as a client sees it: patience, signing in again, and whatever goes wrong in a sentence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from imagemarket.cli.client import ATTEMPTS, ApiProblem, CliError, MarketClient, Patience, Stopped, retry_after

URL = "http://api.test"
ACCOUNT = {"id": "1", "email": "ada@example.com", "role": "contributor"}
Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, slept: list[float] | None = None) -> MarketClient:
    waits = [] if slept is None else slept
    return MarketClient(URL, transport=httpx.MockTransport(answer), sleep=waits.append)


def problem(status: int, **fields: Any) -> httpx.Response:
    return httpx.Response(status, json={"type": "/v1/problems/some-thing", "detail": "It is so.", **fields})


@pytest.mark.parametrize("value", ["", "soon", "-1", "²"])
def test_a_wait_that_is_none_is_not_honoured(value: str) -> None:
    assert retry_after(httpx.Response(429, headers={b"Retry-After": value.encode("latin-1")})) is None


def test_a_wait_is_a_number_of_seconds_or_a_date() -> None:
    assert retry_after(httpx.Response(429, headers={"Retry-After": "7"})) == 7
    in_a_while = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after(httpx.Response(429, headers={"Retry-After": in_a_while})) == pytest.approx(30, abs=2)
    assert retry_after(httpx.Response(429, headers={"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"})) == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_and_longer_each_time(status: int) -> None:
    slept: list[float] = []
    answers = iter([httpx.Response(status)] * (ATTEMPTS - 1) + [httpx.Response(200)])
    assert Patience(slept.append).send(lambda: next(answers)).status_code == 200
    assert len(slept) == ATTEMPTS - 1
    assert all(0.5 * 2**n * 0.75 <= wait <= 0.5 * 2**n * 1.25 for n, wait in enumerate(slept))


def test_what_does_not_pass_is_the_last_answer() -> None:
    sent: list[int] = []

    def send() -> httpx.Response:
        sent.append(1)
        return httpx.Response(503)

    assert Patience(lambda _: None).send(send).status_code == 503
    assert len(sent) == ATTEMPTS


def test_a_server_is_waited_for_as_long_as_it_asks_and_no_longer_than_a_minute() -> None:
    slept: list[float] = []
    answers = iter([httpx.Response(429, headers={"Retry-After": "9"}), httpx.Response(200)])
    assert Patience(slept.append).send(lambda: next(answers)).status_code == 200
    assert slept == [9]
    assert Patience(slept.append).send(lambda: httpx.Response(429, headers={"Retry-After": "61"})).status_code == 429
    assert slept == [9]


def test_who_waits_when_told_to_end_wakes_and_sends_nothing_more() -> None:
    patience = Patience()
    sent: list[int] = []

    def busy() -> httpx.Response:
        sent.append(1)
        threading.Timer(0.05, patience.end).start()
        return httpx.Response(503, headers={"Retry-After": "60"})

    began = time.monotonic()
    with pytest.raises(Stopped):
        patience.send(busy)
    assert time.monotonic() - began < 30
    with pytest.raises(Stopped):
        patience.send(busy)
    assert len(sent) == 1


def test_an_answer_that_comes_after_all_is_one_though_nothing_more_is_sent() -> None:
    patience = Patience()

    def answered() -> httpx.Response:
        patience.end()
        return httpx.Response(200)

    assert patience.send(answered).status_code == 200


def test_a_refusal_is_not_tried_again() -> None:
    with client(lambda _: problem(422)) as market, pytest.raises(ApiProblem) as refused:
        market.get("/v1/x")
    assert str(refused.value) == "It is so. (422 some-thing)"


def test_a_refusal_of_several_fields_names_each() -> None:
    fields = [{"field": "title", "detail": "too long"}, {"field": "tags", "detail": "too many"}]
    with (
        client(lambda _: problem(422, errors=fields)) as market,
        pytest.raises(ApiProblem, match="title: too long; tags"),
    ):
        market.get("/v1/x")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(403, json={"message": "Forbidden"}), "Forbidden"),
        (httpx.Response(404, text="<html>"), "Not Found"),
        (httpx.Response(404, json=[1]), "Not Found"),
        (httpx.Response(200, text="<html>"), "did not answer JSON"),
        (httpx.Response(302, headers={"location": "/"}), "is this the API's address"),
    ],
)
def test_an_answer_of_something_else_is_a_sentence(answer: httpx.Response, words: str) -> None:
    with client(lambda _: answer) as market, pytest.raises(CliError, match=words):
        market.get("/v1/x")


def test_an_empty_answer_is_none() -> None:
    with client(lambda _: httpx.Response(204)) as market:
        assert market.request("DELETE", "/v1/x") is None


def test_silence_is_a_sentence() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with client(silent) as market:
        for ask in (market.get, market.picture):
            with pytest.raises(CliError, match=r"nothing answers at http://api\.test"):
                ask("/v1/x")


@pytest.mark.parametrize("url", ["api.test", "ftp://api.test", "http://", "http://[::1", "http://a:port", "http://:80"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CliError, match="give the API's address"):
        MarketClient(url)


def test_a_token_that_is_over_is_renewed_once_and_signed_out_at_the_end() -> None:
    asked: list[str] = []
    good = "new"

    def answer(request: httpx.Request) -> httpx.Response:
        path, token = request.url.path, request.headers.get("authorization")
        asked.append(f"{path} {token}")
        if path == "/v1/auth/login":
            return tokens("old")
        if path == "/v1/auth/refresh":
            return tokens("new")
        if path == "/v1/auth/logout":
            return httpx.Response(204)
        return httpx.Response(200, json={"seen": True}) if token == f"Bearer {good}" else problem(401)

    def tokens(access: str) -> httpx.Response:
        return httpx.Response(
            200, json={"access_token": access, "refresh_token": "r", "expires_in": 900, "account": ACCOUNT}
        )

    with client(answer) as market:
        assert market.sign_in("ada@example.com", "x") == ACCOUNT
        assert market.get("/v1/x") == {"seen": True}
    assert asked == [
        "/v1/auth/login None",
        "/v1/x Bearer old",
        "/v1/auth/refresh None",
        "/v1/x Bearer new",
        "/v1/auth/logout None",
    ]


def test_a_picture_is_fetched_where_the_api_says_and_without_the_token() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "cdn.test":
            assert "authorization" not in request.headers
            return httpx.Response(200, content=b"bytes") if request.url.path == "/p.jpg" else httpx.Response(403)
        target = {"/v1/a": "http://cdn.test/p.jpg", "/v1/b": "http://cdn.test/q.jpg"}[request.url.path]
        return httpx.Response(302, headers={"location": target})

    with client(answer) as market:
        assert market.picture("/v1/a") == b"bytes"
        with pytest.raises(CliError, match="leads to no picture"):
            market.picture("/v1/b")
