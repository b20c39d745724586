"""What HTTP clients expect: HEAD, pages of other origins, refusals that people can read, odd headers, compression.

Through the front door and a stand-in for API Gateway, with the real authorizer, database and cache.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from imagemarket.identity.directory import AccountDirectory
from imagemarket.identity.models import Account
from local import openapi
from tests.gateway import Gateway
from tests.integration.test_front_door import serving
from tests.market import Market
from tests.provided import provide
from tests.unit.identity.kit import START

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]
ORIGIN = {"Origin": "http://localhost:5173"}
UPLOAD = {
    "title": "t",
    "filename": "a.jpg",
    "content_type": "image/jpeg",
    "size_bytes": 100,
    "image_type": "photo",
    "license_types": ["standard"],
}


@pytest.fixture
def market(whole_market: Market) -> Market:
    return whole_market


@pytest.fixture
def door(market: Market, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the front door; it asks for nothing by itself."""
    from local.front_door import make_app

    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"Stack": {"ApiId": "api1", "RenditionsBucket": "pictures"}}))
    with (
        serving(Gateway(prefix="/_aws/execute-api/api1/$default")) as gateway,
        serving(make_app(f"http://127.0.0.1:{gateway}", outputs)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=90) as client,
    ):
        client.headers.clear()
        yield client


def bearer(market: Market, role: Any = "contributor") -> dict[str, str]:
    return {"Authorization": f"Bearer {market.token(role)}"}


def filled(path: str, operation: dict[str, Any]) -> str:
    """The path with the document's examples in the places of its parameters."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    return path


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    return document


def test_head_is_get_without_a_body(door: httpx.Client, market: Market) -> None:
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    asked = 0
    for template, method, operation in openapi.operations(document):
        if method != "get":
            continue
        path = filled(template, operation)
        headers = bearer(market, "contributor" if "contributor" in operation.get("x-roles", ()) else "admin")
        query = "?q=red" if "/search" in path else ""
        got, head = (door.request(each, path + query, headers=headers) for each in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers.get("content-type") == got.headers.get("content-type"), path
        asked += 1
    assert asked > 15
    assert door.head("/v1/health").status_code == door.head("/v1/search?q=red").status_code == 200
    assert door.head("/v1/auth/me").status_code == 401
    assert door.head("/v1/auth/login").status_code == 405


def test_pages_of_other_origins_may_call(door: httpx.Client, market: Market) -> None:
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,authorization,idempotency-key",
    }
    for path in ("/v1/auth/login", "/v1/images/upload", "/v1/nowhere", "/.well-known/jwks.json"):
        answer = door.options(path, headers=asked)
        assert answer.status_code in {200, 204}
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert {"authorization", "content-type", "idempotency-key"} <= set(allowed.split(", "))

    forged = {"Authorization": "Bearer a.b.c"}
    answers = {
        "served": (200, door.get("/v1/health", headers=ORIGIN)),
        "no token, by the gateway": (401, door.get("/v1/auth/me", headers=ORIGIN)),
        "a forged token, by the gateway": (403, door.get("/v1/auth/me", headers={**ORIGIN, **forged})),
        "not there": (404, door.get("/v1/nowhere", headers=ORIGIN)),
        "not there, by the door": (404, door.get("/nowhere", headers=ORIGIN)),
        "refused": (422, door.get("/v1/search?limit=0", headers=ORIGIN)),
        "refused by the door": (400, door.get("/v1/%00", headers=ORIGIN)),
        "too long for the door": (414, door.get(f"/v1/search?q={'a' * 9000}", headers=ORIGIN)),
        "a role too little": (403, door.get("/v1/search/explain?q=red", headers={**ORIGIN, **bearer(market)})),
    }
    for said, (status, answer) in answers.items():
        assert answer.status_code == status, said
        assert answer.headers.get_list("access-control-allow-origin") == ["*"], said
        assert "x-request-id" in answer.headers["access-control-expose-headers"], said


def test_a_preflight_is_answered_by_a_function_as_behind_api_gateway() -> None:
    """Which hands on what its `$default` route takes; the front door answers by itself."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    with serving(Gateway()) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as gateway:
        for path in ("/v1/auth/login", "/v1/images/upload", "/v1/nowhere", "/terms"):
            answer = gateway.options(path, headers=ORIGIN | asked)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
            assert "POST" in answer.headers["access-control-allow-methods"]
            assert "authorization" in answer.headers["access-control-allow-headers"]
        assert not [name for name in gateway.options("/v1").headers if name.startswith("access-control-")]


def test_what_is_not_there_is_a_problem(door: httpx.Client) -> None:
    assert "/v1 names where to begin" in problem(door.get("/v1/nowhere"), 404)["detail"]
    answer = door.delete("/v1/search")
    assert problem(answer, 405)["type"] == "/v1/problems/method-not-allowed"
    assert answer.headers["allow"] == "GET, HEAD"
    assert door.put("/v1/webhooks", json={}).headers["allow"] == "GET, HEAD, POST"
    assert door.delete("/terms").headers["allow"] == "GET, HEAD"
    assert "documentation" in door.get("/v1").json()
    for path, meant in (
        ("/v1/search/?q=a%26b", "/v1/search?q=a%26b"),
        ("/v1//health", "/v1/health"),
        ("/v1/", "/v1"),
        ("/v1/problems/conflict/", "/v1/problems/conflict"),
        ("/terms/", "/terms"),
    ):
        answer = door.get(path)
        assert (answer.status_code, answer.headers["location"]) == (308, meant)
        assert door.get(meant).status_code == 200
    for path in ("/v1/a%0d%0aSet-Cookie:%20x/", "/v1/problems/%0d%0aSet-Cookie:%20x=1/", "/v1//evil.example/"):
        answer = door.get(path)
        assert answer.status_code in {308, 400, 404}
        assert answer.headers.get("location", "/v1").startswith("/v1")
        assert "set-cookie" not in answer.headers


def test_text_that_the_database_does_not_take_is_refused(door: httpx.Client, market: Market) -> None:
    answer = door.post("/v1/auth/login", json={"email": "a\0@b.co", "password": "xxxxxxxxxxxx"})
    assert problem(answer, 422)["errors"][0]["field"] == "email"
    webhook = {"url": "https://hooks.example.com/x", "description": "a\0b"}
    answer = door.post("/v1/webhooks", json=webhook, headers=bearer(market))
    assert problem(answer, 422)["detail"] == "description: holds a control character (U+0000)."


def test_headers_in_latin_1_pass(door: httpx.Client) -> None:
    assert (
        door.get("/v1/health", headers={b"User-Agent": "Mein Programm für Bilder".encode("latin-1")}).status_code == 200
    )


def test_a_missing_content_type_is_named(door: httpx.Client) -> None:
    body = json.dumps({"email": "a@b.co", "password": "xxxxxxxxxxxx"}).encode()
    for headers, said in (({}, "is missing"), ({"Content-Type": "text/plain"}, "is text/plain")):
        told = problem(door.post("/v1/auth/login", content=body, headers=headers), 422)
        assert told["detail"] == f"Content-Type: {said}; send application/json."
        detail, limit = f"{said}; send application/json", {"allowed": ["application/json"]}
        assert told["errors"] == [{"in": "header", "field": "Content-Type", "detail": detail, "limit": limit}]


@pytest.mark.parametrize(
    ("changed", "field", "detail"),
    [
        ({"content_type": "image/jpg"}, "content_type", "must be image/jpeg, as filename ends in .jpg"),
        ({"filename": "a.gif"}, "filename", "must end in one of .jpg"),
        ({"title": None}, "title", "must be text"),
        ({"title": ""}, "title", "must not be empty"),
        ({"title": "x" * 256}, "title", "takes at most 255 characters"),
        ({"titel": "x"}, "titel", "is no field of this request; did you mean title?"),
        ({"size_bytes": "100"}, "size_bytes", "must be a whole number"),
        ({"size_bytes": 0}, "size_bytes", "must be at least 1"),
        ({"size_bytes": True}, "size_bytes", "must be a whole number"),
        ({"tags": "sea"}, "tags", "must be a list"),
        ({"tags": ["a"] * 51}, "tags", "takes at most 50 of them"),
        ({"tags": ["a", 7]}, "tags[1]", "must be text"),
        ({"categories": ["x"]}, "categories[0]", "not a category"),
        ({"image_type": "video"}, "image_type", "must be one of photo"),
        ({"license_types": []}, "license_types", "must not be empty"),
        ({"sha256": "x"}, "sha256", "must match"),
        ({"x\ud800": 1}, "body", "holds half of a surrogate pair"),
        ({"title": "\ud800"}, "title", "holds half of a surrogate pair"),
    ],
    ids=str,
)
def test_a_refusal_names_the_field_and_the_limit(
    door: httpx.Client, market: Market, changed: dict[str, Any], field: str, detail: str
) -> None:
    body = json.dumps(UPLOAD | changed).encode()
    headers = bearer(market) | {"Content-Type": "application/json"}
    told = problem(door.post("/v1/images/upload", content=body, headers=headers), 422)
    assert [each["field"] for each in told["errors"]] == [field]
    assert detail in told["errors"][0]["detail"]
    assert told["detail"].startswith(f"{field}: ")
    no_idiom(told)


def no_idiom(told: dict[str, Any]) -> None:
    """No word of the library that found it."""
    for words in ("Value error", "Input should", "pydantic", "Extra inputs", "Field required", "valid dictionary"):
        assert words not in json.dumps(told)


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ("colour=red", "colour", "is no parameter of this request; did you mean color?"),
        ("orientaton=square", "orientaton", "did you mean orientation?"),
        ("limit=many", "limit", "must be a whole number in digits"),
        ("limit=1e3", "limit", "must be a whole number in digits"),
        ("limit=1_0", "limit", "must be a whole number in digits"),
        ("limit=%2010", "limit", "must be a whole number in digits"),
        ("min_aspect_ratio=101", "min_aspect_ratio", "must be at most 100"),
        ("limit=1&limit=2", "limit", "is given more than once, and takes one value"),
        ("limit=101", "limit", "must be at most 100"),
        ("color=redd", "color", "must be one of"),
        ("orientation=round", "orientation", "must be one of landscape, portrait or square"),
        ("people=perhaps", "people", "must be true or false"),
        ("contributor=me", "contributor", "must be an id such as"),
        ("date_from=soon", "date_from", "must be a date such as 2026-01-31"),
        ("date_from=2026-02-01&date_to=2026-01-01", "date_to", "must not be before date_from"),
        ("min_score=x&q=a", "min_score", "must be a number"),
        ("min_score=nan&q=a", "min_score", "must be a number"),
        ("color=red&color_tolerance=-inf", "color_tolerance", "must be a number"),
        ("mode=magic", "mode", "must be one of keyword, semantic or hybrid"),
        ("q=" + "a" * 201, "q", "takes at most 200 characters"),
        ("page=60&limit=20", "page", "must be at most 50"),
    ],
)
def test_a_parameter_is_named_and_the_nearest_told(door: httpx.Client, query: str, field: str, detail: str) -> None:
    told = problem(door.get(f"/v1/search?{query}"), 422)
    assert told["errors"][0]["field"] == field
    assert detail in told["errors"][0]["detail"]
    no_idiom(told)


def test_a_password_is_counted_in_characters(door: httpx.Client) -> None:
    told = problem(door.post("/v1/auth/login", json={"email": "a@b.co", "password": "x" * 257}), 422)
    assert told["errors"][0]["detail"] == "takes at most 256 characters"
    no_idiom(told)


def test_a_body_that_is_no_json_says_so(door: httpx.Client) -> None:
    for content in (b"{", b"\xff", b"", b"[]", b"null", b"7", b"[" * 100_000, b'{"email": ' + b"9" * 5000 + b"}"):
        told = problem(door.post("/v1/auth/login", content=content, headers={"Content-Type": "application/json"}), 422)
        assert told["errors"][0]["field"] in {"body", "email"}
        no_idiom(told)


def test_a_long_if_none_match_is_ignored_and_a_right_one_answered(door: httpx.Client) -> None:
    answer = door.get("/v1/search?q=red&limit=1")
    tag = answer.headers["etag"]
    for many in (30, 200):
        tags = ", ".join(f'"{"a" * 40}"' for _ in range(many))
        assert door.get("/v1/search?q=red&limit=1", headers={"If-None-Match": tags}).status_code == 200
    assert door.get("/v1/search?q=red&limit=1", headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    assert door.get("/v1/search?q=red&limit=1", headers={"If-None-Match": tag.removeprefix("W/")}).status_code == 304


def test_json_is_compressed_where_it_is_asked_for(door: httpx.Client) -> None:
    plain = door.get("/v1/search?limit=100")
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in plain.headers["vary"].lower()
    for asked in ("gzip", "br;q=1.0, gzip;q=0.8", "deflate, GZIP"):
        with door.stream("GET", "/v1/search?limit=100", headers={"Accept-Encoding": asked}) as answer:
            packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-type"] == "application/json"
        assert len(packed) < len(plain.content) / 3
        assert json.loads(gzip.decompress(packed))["estimated_total"] == plain.json()["estimated_total"]
    for asked in ("identity", "gzip;q=0", "*;q=0", "br"):
        assert "content-encoding" not in door.get("/v1/search?limit=100", headers={"Accept-Encoding": asked}).headers


def test_a_token_of_an_account_that_is_gone_is_refused_everywhere(door: httpx.Client, market: Market) -> None:
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    directory = market.directory()  # one that has seen nobody yet
    provide("identity.directory", directory)
    gone = Account(id=UUID(int=99), email="gone@x.test", role="contributor", display_name="Gone", created_at=START)
    headers = {
        role: {"Authorization": f"Bearer {market.kit.issuer.issue(replace(gone, role=role))}"}
        for role in market.accounts
    }
    asked = 0
    for template, method, operation in openapi.operations(document):
        if not operation["security"]:
            continue
        path = filled(template, operation)
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        role = "contributor" if "contributor" in operation["x-roles"] else "admin"
        told = problem(door.request(method, path, headers=headers[role], json=body, params={"q": "red"}), 401)
        assert told["type"] == "/v1/problems/unauthenticated", path
        asked += 1
    assert asked > 15


def test_nothing_is_written_for_an_account_that_was_there_a_moment_ago(door: httpx.Client, market: Market) -> None:
    """A process remembers whom it has seen, which will do for what is read alone."""
    held = {UUID(int=98)}
    directory = AccountDirectory(held.__contains__)
    provide("identity.directory", directory)
    account = Account(id=UUID(int=98), email="gone@x.test", role="contributor", display_name="Gone", created_at=START)
    headers = {"Authorization": f"Bearer {market.kit.issuer.issue(account)}"}
    assert door.get("/v1/webhooks", headers=headers).status_code == 200
    held.clear()
    announced = {"filename": "boat.jpg", "content_type": "image/jpeg", "size_bytes": 5000, "sha256": "0" * 64}
    for path, body in (
        ("/v1/images/upload", announced),
        ("/v1/webhooks", {"url": "https://example.org/hook"}),
        ("/v1/auth/logout/all", None),
    ):
        problem(door.post(path, headers=headers, json=body), 401)
    assert door.get("/v1/webhooks", headers=headers).status_code == 401, "and what was refused is not remembered"


def _answers(script: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", str(script)], env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout + done.stderr


def test_the_requests_of_the_folder(door: httpx.Client, market: Market, folder: Path, tmp_path: Path) -> None:
    """Each line of requests.sh, with what it says is wanted."""
    script = folder / "requests.sh"
    environment = {
        "B": str(door.base_url).rstrip("/"),
        "T": market.token(),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TMPDIR": str(tmp_path),
    }
    said = _answers(script, environment)
    for _ in range(2):
        if not re.search(r"^000 ", said, re.MULTILINE):
            break
        said = _answers(script, environment)  # curl gave up after the script's own 20 seconds: the machine is busy
    told = dict(re.findall(r"^--- ([^\n]*)\n(.*?)(?=^--- |\Z)", said, re.MULTILINE | re.DOTALL))
    assert len(told) >= 11, said
    for wanted, answer in told.items():
        statuses = re.findall(r"^(\d{3}) ", answer, re.MULTILINE)
        assert statuses, wanted
        if found := re.search(r"want (\d{3})(?:(?:/| or )(\d{3}))?", wanted):
            assert statuses[-1] in {each for each in found.groups() if each}, (wanted, answer)
        assert not statuses[-1].startswith("5"), (wanted, answer)
        if "Access-Control-Allow-Origin" in wanted and "preflight" not in wanted:
            assert "access-control-allow-origin: *" in answer.lower()
        if "word about Content-Type" in wanted:
            assert "Content-Type" in answer
        if "field content_type" in wanted:
            assert '"content_type' in answer or "content_type:" in answer
        if "Content-Encoding" in wanted:
            assert "content-encoding: gzip" in answer.lower()


def test_half_a_request_does_not_stop_the_door(door: httpx.Client) -> None:
    with socket.create_connection((door.base_url.host, door.base_url.port or 80)) as half:
        half.sendall(b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert door.get("/v1/health").status_code == 200
