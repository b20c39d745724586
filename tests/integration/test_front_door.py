"""The front door before a server that answers as the emulator does: what passes, what does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from local.front_door import make_app
from local.layout import LOOPBACK, free_port

pytestmark = pytest.mark.engines


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


async def _object(request: Request) -> Response:
    key = request.path_params["key"]
    if not key.endswith(".webp"):
        return Response("<Error/>", status_code=404, media_type="application/xml")
    headers = {"cache-control": "immutable", "x-amz-meta-origin": "secret", "x-amz-version-id": "v1"}
    return Response(b"pixels", media_type="image/webp", headers=headers)


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    port = free_port()
    routes = [
        Route("/_aws/execute-api/api1/$default/{rest:path}", _api, methods=["GET", "POST"]),
        Route("/pictures/{key:path}", _object),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), host=LOOPBACK, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://{LOOPBACK}:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({"Stack": {"ApiId": "api1", "RenditionsBucket": "pictures"}}))
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


def test_a_body_over_the_gateways_limit_is_refused(door: TestClient) -> None:
    answer = door.post("/v1/images/upload", content=b"x" * (6 * 2**20 + 1))
    assert answer.status_code == 413
    assert str(6 * 2**20) in answer.json()["detail"]


def test_public_renditions_are_served_without_the_stores_own_headers(door: TestClient) -> None:
    answer = door.get("/media/thumbnails/i/150-ab.webp")
    assert (answer.status_code, answer.content) == (200, b"pixels")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "immutable"
    assert not [name for name in answer.headers if name.startswith("x-amz")]


@pytest.mark.parametrize(
    "key", ["clean/i/1000.webp", "originals/a.webp", "thumbnails/../clean/a.webp", "thumbnails/no.jpg"]
)
def test_nothing_else_of_the_store_is_served(door: TestClient, key: str) -> None:
    assert door.get(f"/media/{key}").status_code == 404


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
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
