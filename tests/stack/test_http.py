"""What HTTP clients expect, through all of the stack: the front door, the emulator's gateway, and the functions."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from local.api_client import ApiClient, eventually
from local.pictures import paint_landscape
from tests.stack.conftest import run_market

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

PAGE = {"Origin": "http://localhost:5173"}


def test_head_is_get_without_a_body(market: ApiClient) -> None:
    eventually(lambda: market.http.get("/v1/search?q=hills").status_code == 200)  # begun, and kept
    for path in ("/v1/health", "/v1/search?q=hills", "/v1/openapi.json"):
        got, head = market.http.get(path), market.http.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"") == (200, b""), path
        assert head.headers["content-type"] == got.headers["content-type"], path
    for path in ("/v1/openapi.json", "/terms"):
        got, head = market.http.get(path), market.http.head(path)
        assert head.headers.get("content-length") in {None, got.headers["content-length"]}, path
        assert len(got.headers.get_list("date")) == len(head.headers.get_list("date")) == 1, path


def test_pages_of_other_origins_may_call(market: ApiClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
    for path in ("/v1/auth/login", "/v1/images/upload", "/v1/search/by-image"):
        answer = market.http.options(path, headers=PAGE | asked)
        assert answer.status_code in {200, 204}, answer.text
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()


def test_a_page_may_send_the_bytes_to_where_a_ticket_says(market: ApiClient, tmp_path: Path) -> None:
    announced = market.announce(paint_landscape(tmp_path / "page.jpg", seed=408))
    asked = {"Access-Control-Request-Method": "POST"}
    answer = httpx.options(announced["upload"]["url"], headers=PAGE | asked, timeout=60, trust_env=False)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_a_page_may_read_refusals_which_are_problems_but_for_the_gateways_own(market: ApiClient) -> None:
    buyer = market.headers("buyer")
    refusals = {
        "no token, by the gateway": (401, market.http.get("/v1/auth/me", headers=PAGE)),
        "a forged token, by the authorizer": (403, _with_token(market, "a.b.c")),
        "a role too little": (403, market.http.post("/v1/images/upload", json={}, headers=PAGE | buyer)),
        "a field too much": (422, market.http.get("/v1/search?limit=0", headers=PAGE)),
        "no such route": (404, market.http.get("/v1/nowhere", headers=PAGE)),
        "no such method": (405, market.http.delete("/v1/search", headers=PAGE)),
        "no such method of a page": (405, market.http.delete("/terms", headers=PAGE)),
        "no such parameter": (422, market.http.get("/v1/categories?limit=3", headers=PAGE)),
        "a path of the gateway's own": (404, market.http.get("/nowhere", headers=PAGE)),
    }
    for said, (status, answer) in refusals.items():
        assert answer.status_code == status, (said, answer.text)
        assert answer.headers.get_list("access-control-allow-origin") == ["*"], said
        if "by the" in said:
            assert set(answer.json()) == {"message"}, said
            continue
        assert answer.headers["content-type"] == "application/problem+json", said
        assert answer.json()["status"] == status, said
    assert refusals["no such method"][1].headers["allow"] == "GET, HEAD"


def _with_token(market: ApiClient, token: str) -> httpx.Response:
    return market.http.get("/v1/auth/me", headers=PAGE | {"Authorization": f"Bearer {token}"})


def test_a_slash_at_the_end_leads_to_the_route(market: ApiClient) -> None:
    answer = market.http.get("/v1/search/?q=hills", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/v1/search?q=hills")
    answer = market.http.get("/terms/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/terms")
    assert "documentation" in market.http.get("/v1").json()


def test_odd_requests_are_answered(market: ApiClient) -> None:
    long_tags = ", ".join(f'"{"a" * 40}"' for _ in range(30))
    assert market.http.get("/v1/search?q=hills", headers={"If-None-Match": long_tags}).status_code == 200
    agent = {b"User-Agent": "Mein Programm für Bilder".encode("latin-1")}
    assert market.http.get("/v1/health", headers=agent).status_code == 200
    for body in ({"email": "a\0@b.co", "password": "x" * 12}, {"email": "a@b.co", "password": "x\0" * 12}):
        assert market.http.post("/v1/auth/login", json=body).status_code in {401, 422}
    assert market.http.get("/v1/search", params={"q": "a\0b"}).status_code in {200, 422}
    told = market.http.post("/v1/auth/login", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (told.status_code, "Content-Type" in told.json()["detail"]) == (422, True)
    packed = market.http.get("/v1/search?limit=100", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json()["results"]


@pytest.mark.parametrize("dots", ["..", "%2e%2e", ".%2E", "%252e%252e"])
def test_dot_segments_do_not_reach_the_emulator(market: ApiClient, dots: str) -> None:
    """As bytes on the wire: a client of ours would resolve them itself."""
    layout = market.cloud.layout
    bucket = layout.outputs()["OriginalsBucket"]
    for path in (f"/media/{dots}/{bucket}/", f"/v1/{dots}/{dots}/{dots}/{bucket}/", f"/media/a/{dots}/{dots}/"):
        with socket.create_connection(("127.0.0.1", layout.port), 10) as wire:
            wire.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            told = b""
            while block := wire.recv(65536):
                told += block
        assert told.split(b" ", 2)[1] in {b"400", b"404"}, told[:300]
        assert b"ListBucketResult" not in told
        assert b"originals/" not in told


def test_a_request_is_found_in_the_logs(market: ApiClient, stack_environment: dict[str, str]) -> None:
    request = market.http.get("/v1/search?q=found+in+the+logs").headers["x-request-id"]

    def told() -> str:
        return run_market(stack_environment, "logs", "--request", request).stdout

    assert "search_api" in eventually(lambda: "search_api" in (lines := told()) and lines)
    assert '"route":"/v1/search"' in told()
    tail = run_market(stack_environment, "logs", "search_api", "--lines", "50")
    assert (tail.returncode, request in tail.stdout) == (0, True)
