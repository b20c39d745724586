"""The front door before a server that answers as the emulator does: what passes, what does not."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from local import front_door
from local.front_door import STATUS_IN_FLIGHT, _below, _Refused, leads_elsewhere, make_app, server_of
from local.layout import LOOPBACK, free_port

pytestmark = pytest.mark.engines
_OUTPUTS = json.dumps({"Stack": {"ApiId": "api1", "RenditionsBucket": "pictures"}})


async def _api(request: Request) -> Response:
    seen = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.scope["query_string"].decode(),
        "headers": dict(request.headers),
        "body": (await request.body()).decode(),
    }
    answer = JSONResponse(seen, status_code=201)
    answer.headers.append("set-cookie", "a=1")
    answer.headers.append("set-cookie", "b=2")
    return answer


async def _moved(request: Request) -> Response:
    _ = request
    return Response(status_code=308, headers={"location": "/v1/search"})


async def _object(request: Request) -> Response:
    key = request.path_params["key"]
    if "range" in request.headers:
        return Response("<Error/>", 416, {"content-range": "bytes */6"}, media_type="application/xml")
    if key.endswith("broken.webp"):
        return Response("<Error/>", 500, media_type="application/xml")
    if not key.endswith(".webp"):
        return Response("<Error/>", status_code=404, media_type="application/xml")
    headers = {"cache-control": "immutable", "x-amz-meta-origin": "secret", "x-amz-version-id": "v1"}
    return Response(b"pixels", media_type="image/webp", headers=headers)


async def _anything_else(request: Request) -> Response:
    """What the emulator also serves: every bucket and every service."""
    return Response(f"LEAKED {request.url.path}")


@contextmanager
def serving(app: Any, *, as_door: bool = False) -> Iterator[int]:
    port = free_port()
    plain = uvicorn.Config(app, host=LOOPBACK, port=port, log_level="error")
    server = uvicorn.Server(server_of(app, port) if as_door else plain)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    routes = [
        Route("/_aws/execute-api/api1/$default/v1/moved", _moved, methods=["GET", "HEAD"]),
        Route("/_aws/execute-api/api1/$default/{rest:path}", _api, methods=["GET", "HEAD", "POST", "TRACE", "FOO"]),
        Route("/pictures/{key:path}", _object),
        Route("/{rest:path}", _anything_else, methods=["GET", "POST", "PUT", "DELETE"]),
    ]
    with serving(Starlette(routes=routes)) as port:
        yield f"http://{LOOPBACK}:{port}"


@pytest.fixture(scope="module")
def standing(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a front door that serves."""
    outputs = tmp_path_factory.mktemp("standing") / "outputs.json"
    outputs.write_text(_OUTPUTS)
    with serving(make_app(upstream, outputs), as_door=True) as port:
        yield port


def exchange(port: int, sent: bytes) -> bytes:
    """All that is answered to what is sent byte for byte, up to the end of the connection."""
    with socket.create_connection((LOOPBACK, port), timeout=20) as connection:
        connection.sendall(sent)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # closed with bytes that nobody read
            while received := connection.recv(65536):
                answer += received
    return answer


def raw(port: int, target: bytes, *headers: bytes, method: bytes = b"GET") -> tuple[int, bytes]:
    """Status and body of a request that is sent byte for byte."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: market.test", b"Connection: close", *headers]
    head, _, body = exchange(port, b"\r\n".join(lines) + b"\r\n\r\n").partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def fields(answer: bytes) -> list[tuple[str, str]]:
    """The header fields of an answer, names in small letters."""
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.json"
    path.write_text(_OUTPUTS)
    return path


@pytest.fixture
def door(upstream: str, outputs: Path) -> Iterator[TestClient]:
    with TestClient(make_app(upstream, outputs), follow_redirects=False) as client:
        yield client


def test_a_call_of_the_api_passes_as_it_was_made(door: TestClient) -> None:
    answer = door.post("/v1/a%20b/c?q=red+boat&x=%2F&x=2", json={"a": 1}, headers={"authorization": "Bearer t"})
    assert answer.status_code == 201
    seen = answer.json()
    assert (seen["method"], seen["body"]) == ("POST", '{"a":1}')
    assert seen["path"].endswith("/v1/a%20b/c")
    assert seen["query"] == "q=red+boat&x=%2F&x=2"
    assert seen["headers"]["authorization"] == "Bearer t"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_those_who_wait_for_an_image_take_no_place_of_the_others(outputs: Path) -> None:
    held, end = threading.Semaphore(0), threading.Event()

    async def slow(request: Request) -> Response:
        if "wait" in request.url.query:
            held.release()
            await asyncio.to_thread(end.wait, 30)
        return JSONResponse({})

    with (
        serving(Starlette(routes=[Route("/{rest:path}", slow)])) as behind,
        serving(make_app(f"http://{LOOPBACK}:{behind}", outputs)) as port,
        ThreadPoolExecutor(24) as pool,
    ):
        spellings = [
            b"/v1/images/%d/status?wait=20",
            b"/v1/images/%d/status/?wait=20",
            b"/v1/images/%d/%%73tatus?wait=20",
        ]
        waiting = [pool.submit(raw, port, spellings[number % 3] % number) for number in range(24)]
        try:
            for _ in range(STATUS_IN_FLIGHT):
                assert held.acquire(timeout=10)
            assert raw(port, b"/v1/search?q=boat")[0] == 200, "answered while all of them wait"
            assert not held.acquire(timeout=0.5), "no more are held at once than the function runs for"
        finally:
            end.set()
        assert {each.result()[0] for each in waiting} == {200}


def test_pages_for_people_are_passed_on(door: TestClient) -> None:
    for path in ("/images/0192f0c4-7b1a-7cde-8f01-23456789abcd", "/images/x/", "/terms", "/terms/"):
        answer = door.get(path)
        assert (answer.status_code, answer.json()["path"]) == (201, f"/_aws/execute-api/api1/$default{path}")


def test_a_body_over_the_gateways_limit_is_refused(door: TestClient) -> None:
    answer = door.post("/v1/images/upload", content=b"x" * (6 * 2**20 + 1))
    assert answer.status_code == 413
    assert str(6 * 2**20) in answer.json()["detail"]


def test_public_renditions_are_served_without_the_stores_own_headers(door: TestClient) -> None:
    answer = door.get("/media/thumbnails/i/150-ab.webp")
    assert (answer.status_code, answer.content) == (200, b"pixels")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "immutable"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not [name for name in answer.headers if name.startswith("x-amz")]


DOTS = [
    *(b"..", b".", b"%2e%2e", b".%2E", b"%252e%252e", b"%25252e%2e", b"..;x=1", b"..%00", b"..%20", b"..%09"),
    *(b"..%2f..", b"x%2f..%2fy", b"..\\..", b"..%5c..", b"x%5c..%5cy", b"%255c..%255c"),
]


@pytest.mark.parametrize("dots", DOTS)
@pytest.mark.parametrize("prefix", [b"/v1/", b"/images/", b"/.well-known/", b"/media/", b"/media/thumbnails/"])
@pytest.mark.parametrize("rest", [b"", b"/secrets"])
def test_dot_segments_lead_nowhere(standing: int, prefix: bytes, dots: bytes, rest: bytes) -> None:
    for target in (prefix + dots + rest, prefix + b"x/" + dots + rest, prefix + (dots + b"/") * 6 + b"secrets"):
        status, body = raw(standing, target)
        assert status in {400, 404}, target
        assert b"LEAKED" not in body, target
        assert b'"path"' not in body, f"{target!r} was passed on"


@pytest.mark.parametrize(
    "target",
    [b"/v1/a%0ab", b"/v1/images/a%0Ab", b"/images/a%0ab", b"/nosuch%0a", b"/v1/a%00", b"/v1/a%7f", b"/v1/a%0db"],
)
def test_control_characters_in_a_path_are_refused_for_what_they_are(standing: int, target: bytes) -> None:
    status, body = raw(standing, target)
    assert (status, b"no path of this API has" in body) == (400, True)


@pytest.mark.parametrize(
    "target",
    [
        *(b"/v1/x#/../../secrets", b"/v1/x?a=1#b", b"/v1/%00", b"/v1/a%0d%0aHost:%20x", b"/v1/%0", b"/v1/%"),
        *(
            b"/v1/\xc3\xa4",
            b"/v1/%ff",
            b"/v1/a?q=\x00",
            b"/v1/a?q=\xff",
            b"/v1/a b",
            b"//v1/../secrets",
            b"/../secrets",
        ),
        *(b"http://127.0.0.1:1/secrets", b"*", b"/v1/@127.0.0.1:1/x", b"//127.0.0.1:1/v1/x", b"/v1//127.0.0.1:1/x"),
        *(b"/v1/health?" + b"q=" + b"a" * 9000, b"/v1/" + b"a" * 9000, b"/media/" + b"a" * 9000),
        *(b"/v1/health?" + b"q=" + b"a" * 70_000, b"/v1/a?q=" + b"%61" * 30_000),
    ],
)
def test_odd_targets_are_refused_or_passed_on_below_their_prefix(standing: int, target: bytes) -> None:
    status, body = raw(standing, target)
    assert status in {201, 400, 404, 414, 431}, status
    assert b"LEAKED" not in body
    if status == 201:
        assert json.loads(body)["path"].startswith("/_aws/execute-api/api1/$default/v1/")


def test_limits_are_named(door: TestClient) -> None:
    long = door.get("/v1/search", params={"q": "a" * 9000})
    assert (long.status_code, long.json()["status"]) == (414, 414)
    assert "8192" in long.json()["detail"]
    wide = door.get("/v1/search", headers={"x-wide": "a" * 10_240})
    assert (wide.status_code, wide.json()["title"]) == (431, "Headers too large")


def test_who_goes_away_while_sending_leaves_no_traceback(standing: int, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", standing), 10) as client:
        client.sendall(b"POST /v1/auth/login HTTP/1.1\r\nHost: market.test\r\nContent-Length: 500\r\n\r\n{")
    assert raw(standing, b"/v1/health")[0] == 201
    time.sleep(0.2)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    "sent",
    [b"Content-Length: 500\r\n\r\n{", b"Content-Length: 500\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"],
)
def test_half_a_body_is_not_waited_for(standing: int, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_door, "BODY_SECONDS", 0.2)
    answer = exchange(standing, b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\n" + sent)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert ("connection", "close") in fields(answer)
    assert "0.2 seconds" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


def test_headers_pass_as_bytes(standing: int) -> None:
    status, body = raw(standing, b"/v1/health", "User-Agent: Mein Programm für Bilder".encode("latin-1"))
    assert status == 201
    assert json.loads(body)["headers"]["user-agent"] == "Mein Programm für Bilder"
    assert raw(standing, b"/v1/health", "X-Name: für".encode())[0] == 201
    assert raw(standing, b"/v1/health", b"X-Name: a\x00b")[0] == 400
    assert raw(standing, b"/v1/health", b"X-Name: a\x01b")[0] == 400


def test_nothing_is_asked_for_that_the_client_did_not_ask_for(standing: int) -> None:
    _, body = raw(standing, b"/v1/health")
    assert set(json.loads(body)["headers"]) <= {"host", "content-length", "x-forwarded-for"}


def test_the_address_that_is_called_is_compared_with_its_prefix() -> None:
    """Were a path overlooked, this would still stop it: httpx resolves plain dot segments."""
    with pytest.raises(_Refused):
        _below("http://127.0.0.1:1/_aws/execute-api/a/$default", b"/v1/../../../../secrets")
    with pytest.raises(_Refused):
        _below("http://127.0.0.1:1/bucket/", b"x#y")
    assert str(_below("http://127.0.0.1:1/a", b"/v1/x", b"q=%2e%2e")) == "http://127.0.0.1:1/a/v1/x?q=%2e%2e"


def test_no_path_of_the_api_is_mistaken_for_one_that_leads_elsewhere() -> None:
    for path in (b"/v1/images/01930000-0000-7000-8000-000000000001", b"/v1/openapi.json", b"/v1/a...b", b"/v1/a%2Fb"):
        assert not leads_elsewhere(path)
        assert leads_elsewhere(path + b"/..")


def test_refusals_are_problems(door: TestClient) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("POST", "/", 405),
        ("DELETE", "/media/thumbnails/a.webp", 405),
    ):
        answer = door.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["TRACE", "FOO"])
def test_which_methods_a_path_takes_the_api_says(door: TestClient, method: str) -> None:
    assert door.request(method, "/v1/search").json()["method"] == method
    for path in ("/", "/media/thumbnails/a.webp"):
        answer = door.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (405, 405)
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("thumbnails/a.webp", {"range": "bytes=99-"}, 416), ("thumbnails/broken.webp", {}, 503)],
)
def test_what_the_store_refuses_is_told_in_words_of_this_door(
    door: TestClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = door.get(f"/media/{path}", headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("content-range") == ("bytes */6" if status == 416 else None)


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        *((said, True) for said in ("bytes=0-1", "Bytes=5-", "bytes=-1", "bytes=0-1, 3-")),
        *((said, False) for said in ("x=1", "bytes=abc", "bytes=-", "bytes=", "bytes=1")),
    ],
)
def test_what_is_no_range_of_bytes_counts_as_none(door: TestClient, said: str, passed_on: bool) -> None:
    answer = door.get("/media/thumbnails/a.webp", headers={"range": said})
    assert answer.status_code == (416 if passed_on else 200), "the store here takes no range at all"


def test_who_asks_for_a_websocket_is_answered_as_anybody(standing: int, caplog: pytest.LogCaptureFixture) -> None:
    upgrade = (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    lines = [b"Host: x", b"Connection: Upgrade, close", *upgrade]
    for target, status in ((b"/v1/search", 201), (b"/nowhere", 404)):
        answer = exchange(standing, b"\r\n".join([b"GET " + target + b" HTTP/1.1", *lines]) + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert json.loads(answer.partition(b"\r\n\r\n")[2])
    assert not caplog.records


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_redirect_says_that_it_has_no_body(standing: int, method: bytes) -> None:
    answer = exchange(standing, method + b" /v1/moved HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    told = dict(fields(answer))
    assert (told["location"], told["content-length"]) == ("/v1/search", "0")
    assert "transfer-encoding" not in told


_LOGIN = b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\n"
_SECOND = b"GET /v1/categories HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        _LOGIN + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _SECOND,
        _LOGIN + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + _SECOND,
        _LOGIN.replace(b"/v1/auth/login", b"/nowhere")
        + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_a_request_whose_end_can_be_seen_twice_ends_its_connection(standing: int, sent: bytes) -> None:
    answer = exchange(standing, sent)
    assert answer.count(b"HTTP/1.1 ") == 1, "what came after it is answered by nobody"
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert ("connection", "close") in fields(answer)
    assert "Transfer-Encoding" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /v1/a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1/a\x00b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v1/a HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", 400),
        (b"GET /v1/a HTTP/1.1\r\nHost: x\r\nX-A : a\r\n\r\n", 400),
        (b"GET /v1/a HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (_LOGIN + b"Content-Length: +4\r\n\r\nabcd", 400),
        (_LOGIN + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
        (_LOGIN + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (_LOGIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /v1/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused_as_a_problem_too(standing: int, sent: bytes, status: int) -> None:
    answer = exchange(standing, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert {("content-type", "application/problem+json"), ("connection", "close")} <= set(fields(answer))
    assert Counter(name for name, _ in fields(answer))["date"] == 1
    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (document["type"], document["status"]) == ("about:blank", status)
    assert ("chunked" in document["detail"]) == (status == 501)


@pytest.mark.parametrize(
    ("line", "host", "status"),
    [
        *((method + b" /v1/search HTTP/1.1", b"x", 501) for method in (b"get", b"post", b"Get", b"options", b"foo")),
        *((b"GET " + target + b" HTTP/2.0", b"x", 505) for target in (b"/v1/search", b"/", b"/nowhere")),
        (b"GET /v1/search HTTP/0.9", b"x", 505),
        (b"OPTIONS /v1/search HTTP/3.0", b"x", 505),
        *(
            (b"GET /v1/search HTTP/1.1", host, 400)
            for host in (b"a b", b"", b"\xff\xfe", b"a/b", b"a@b", b"a:b", b"a:", b"a,b", b"[::1", b"x:80:80", b"a%00")
        ),
    ],
)
def test_what_others_read_otherwise_is_refused(standing: int, line: bytes, host: bytes, status: int) -> None:
    answer = exchange(standing, line + b"\r\nHost: " + host + b"\r\n\r\n" + _SECOND)
    assert answer.count(b"HTTP/1.1 ") == 1, "what came after it is answered by nobody"
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    told = fields(answer)
    assert {("content-type", "application/problem+json"), ("connection", "close")} <= set(told)
    assert ("access-control-allow-origin", "*") in told


@pytest.mark.parametrize("host", [b"market.test", b"127.0.0.1:8080", b"[::1]:8080", b"a_b", b"MARKET.test:443", b"x."])
def test_a_host_is_taken_however_it_is_called(standing: int, host: bytes) -> None:
    answer = exchange(standing, b"GET /v1/search HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 201 ")


def test_lines_of_headers_count_with_what_parts_them(standing: int) -> None:
    assert raw(standing, b"/v1/search", *[b"X: y"] * 1500)[0] == 201
    assert raw(standing, b"/v1/search", *[b"X: y"] * 3000)[0] == 431
    assert raw(standing, b"/media/thumbnails/i/1.webp", *[b"X: y"] * 3000)[0] == 431


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE"])
@pytest.mark.parametrize("target", [b"/v1/search", b"/images/x", b"/media/thumbnails/i/1.webp", b"/", b"/nowhere"])
def test_no_header_comes_twice_but_cookies(standing: int, target: bytes, method: bytes) -> None:
    request = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    names = Counter(name for name, _ in fields(exchange(standing, request)))
    assert names["date"] == names["server"] == 1
    assert {name for name, number in names.items() if number > 1} <= {"set-cookie"}


@pytest.mark.parametrize("target", [b"/v1/search", b"/images/x", b"/media/thumbnails/i/1.webp", b"/nowhere", b"/"])
def test_head_has_the_length_of_get_or_none(standing: int, target: bytes) -> None:
    def length(method: bytes) -> str | None:
        request = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = exchange(standing, request)
        if method == b"HEAD":
            assert answer.endswith(b"\r\n\r\n"), "no body"
        return dict(fields(answer)).get("content-length")

    if target in {b"/v1/search", b"/images/x"}:  # what stands behind echoes the method, which has a letter more
        assert length(b"HEAD") == str(int(length(b"GET") or 0) + 1)
    else:
        assert length(b"HEAD") in {length(b"GET"), None}


def test_a_length_that_only_says_that_head_has_no_body_is_left_out(outputs: Path) -> None:
    async def as_gateways_do(request: Request) -> Response:
        return Response(b"" if request.method == "HEAD" else b"page")

    with (
        serving(Starlette(routes=[Route("/{rest:path}", as_gateways_do)])) as port,
        TestClient(make_app(f"http://{LOOPBACK}:{port}", outputs)) as client,
    ):
        assert client.get("/images/x").headers["content-length"] == "4"
        assert "content-length" not in client.head("/images/x").headers


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/terms",
        b"/terms/",
        b"/images",
        b"/images/",
        b"/v1",
        b"/v1/",
        b"/v1/search/",
        b"/media",
        b"/media/",
        b"//x",
    ],
)
def test_the_host_that_a_request_names_leads_nobody_anywhere(standing: int, target: bytes) -> None:
    answer = exchange(standing, b"GET " + target + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert b"evil.example" not in answer.partition(b"\r\n\r\n")[0]


def test_a_compressed_answer_stays_compressed(outputs: Path) -> None:
    async def packed(request: Request) -> Response:
        assert request.headers["accept-encoding"] == "gzip"
        return Response(gzip.compress(b"{}"), headers={"content-encoding": "gzip", "content-type": "application/json"})

    with (
        serving(Starlette(routes=[Route("/{rest:path}", packed)])) as port,
        TestClient(make_app(f"http://{LOOPBACK}:{port}", outputs)) as client,
    ):
        answer = client.get("/v1/search", headers={"accept-encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.json()) == ("gzip", {})


@pytest.mark.parametrize(
    "key",
    ["clean/i/1000.webp", "originals/a.webp", "thumbnails/no.jpg", "thumbnails/a%20b.webp"],
)
def test_nothing_else_of_the_store_is_served(door: TestClient, key: str) -> None:
    answer = door.get(f"/media/{key}")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "*")


def test_the_door_itself_leads_to_the_docs(door: TestClient) -> None:
    assert door.get("/").headers["location"] == "/v1/docs"


def test_before_the_first_deploy_it_says_what_to_do(upstream: str, tmp_path: Path) -> None:
    with TestClient(make_app(upstream, tmp_path / "none.json")) as client:
        answer = client.get("/v1/health")
    assert answer.status_code == 503
    assert "./market up" in answer.json()["detail"]


def test_a_dead_emulator_is_a_503_with_retry_after(outputs: Path) -> None:
    with TestClient(make_app(f"http://{LOOPBACK}:{free_port()}", outputs)) as client:
        for path in ("/v1/health", "/media/thumbnails/a.webp"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (503, "*")
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
