"""Objects as a store sends them over HTTP: whole, by one request, and never fewer bytes than were told of."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from imagemarket.platform.errors import DependencyUnavailable, NotFound
from imagemarket.platform.objects import ObjectStore

CONTENT = bytes(range(256)) * (20 * 4096)  # 20 MiB: more than twice what boto3 fetches in one piece


class Store:
    """An S3 of one object. As some stores do, it answers a `Range` with the whole where a version is named."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.told_bytes = len(CONTENT)
        self.checksum = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()


@pytest.fixture
def store() -> Iterator[tuple[Store, ObjectStore]]:
    kept = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kept.requests.append(f"{self.command} {self.path}")
            self.close_connection = True
            if "/there" not in self.path:
                self.send_response(404)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("content-length", str(kept.told_bytes))
            self.send_header("x-amz-checksum-sha256", kept.checksum)
            self.send_header("etag", '"e"')
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(CONTENT)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    yield kept, ObjectStore(client, "bucket")
    client.close()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize("version", [None, "v1"])
def test_a_large_object_comes_whole_by_one_request(
    store: tuple[Store, ObjectStore], tmp_path: Path, version: str | None
) -> None:
    kept, objects = store
    objects.download("there", tmp_path / "there", version_id=version)
    assert (tmp_path / "there").read_bytes() == CONTENT
    assert [request.split("?")[0] for request in kept.requests] == ["GET /bucket/there"]


def test_an_object_cut_short_is_an_outage_and_no_object(store: tuple[Store, ObjectStore], tmp_path: Path) -> None:
    kept, objects = store
    kept.told_bytes += 1
    with pytest.raises(DependencyUnavailable):
        objects.download("there", tmp_path / "there")


def test_other_bytes_than_the_kept_checksum_are_an_outage(store: tuple[Store, ObjectStore], tmp_path: Path) -> None:
    kept, objects = store
    kept.checksum = base64.b64encode(hashlib.sha256(b"others").digest()).decode()
    with pytest.raises(DependencyUnavailable):
        objects.download("there", tmp_path / "there", version_id="v1")


def test_an_object_that_is_not_there_is_not_found(store: tuple[Store, ObjectStore], tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        store[1].download("elsewhere", tmp_path / "elsewhere")
