"""The API's own functions for uploads, on a real PostgreSQL, and a store in memory, as an HTTP client reaches them."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from psycopg.types.json import Jsonb

from functions.status_api.handler import handler as status_handler
from functions.upload_api.handler import handler as upload_handler
from imagemarket.cli import upload as upload_command
from imagemarket.cli.client import MarketClient
from imagemarket.ingestion import uploads as uploads_module
from imagemarket.ingestion.progress import ProgressOfImages
from imagemarket.ingestion.uploads import Uploads
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.errors import NotFound
from imagemarket.platform.http import Caller, Role
from imagemarket.platform.idempotency import IdempotencyKeys
from tests.api.events import http_event
from tests.fakes import MemoryObjectStore
from tests.integration.rows import a_contributor
from tests.provided import provide

EMAIL = "ada@example.com"
URL = "http://api.test"


class Killed(BaseException):
    """The run ended here, as by SIGKILL: nothing after it happened."""


class Market(httpx.BaseTransport):
    """The API and the store as a client reaches them; `cut(number, answered)` kills the run at one request."""

    def __init__(self, database: Database, account: Caller) -> None:
        self.store = MemoryObjectStore("originals")
        self.database = database
        self.account = account
        self.lock = threading.Lock()
        self.requests: list[str] = []
        self.posted: Counter[str] = Counter()
        self.parts: Counter[int] = Counter()
        self.cut: Callable[[int], str | None] = lambda _: None
        self.dead = False
        """Whether the client was killed: no thread of it sends anything more."""
        self.processing = True
        """Whether an object that arrived is looked at, from when its status was asked for."""
        self.noticed_at_once = False
        self.status = "approved"
        self._loop = asyncio.new_event_loop()
        # Lambda calls a function in its main thread, where there is a loop; the uploader's threads have none.
        self._function = ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(self._loop,))

    def end(self) -> None:
        self._function.shutdown()
        self._loop.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        with self.lock:
            if self.dead:
                raise Killed
            self.requests.append(f"{request.method} {request.url.path}")
            fate = self.cut(len(self.requests))
            self.dead = fate in {"lost", "killed"}
            if fate == "lost":
                raise Killed
            if fate == "unsent":
                raise httpx.ConnectError("no network")
            answer = self._answer(request, body)
            if fate == "unanswered":
                raise httpx.ReadError("the connection broke")
            if fate == "killed":
                raise Killed
            return answer

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.path
        if request.url.host == "originals.test":
            return self._stored(request, body)
        if path == "/v1/auth/login":
            account = {"id": str(self.account.account_id), "email": EMAIL, "role": self.account.role}
            return httpx.Response(
                200, json={"access_token": "a", "refresh_token": "r", "expires_in": 900, "account": account}
            )
        if path == "/v1/auth/logout":
            return httpx.Response(204)
        headers = {
            name: value for name, value in request.headers.items() if name in {"content-type", "idempotency-key"}
        }
        event = http_event(request.method, path, body.decode() or None, headers, self.account)
        handler = status_handler if path.endswith("/status") else upload_handler
        answer = self._function.submit(handler, event, None).result()
        if path.endswith("/status") and self.processing:
            self.process()  # after it was told of: the event comes through a moment later
        return httpx.Response(answer["statusCode"], headers=answer["headers"], content=answer.get("body", ""))

    def _stored(self, request: httpx.Request, body: bytes) -> httpx.Response:
        if request.method == "GET":  # as S3 answers whoever asks for a bucket without a name
            return httpx.Response(403, text="<Error><Code>AccessDenied</Code></Error>")
        if request.method == "PUT":
            number = int(request.url.params["partNumber"])
            upload_id = request.url.params["uploadId"]
            if upload_id not in self.store.uploads:
                return httpx.Response(404, text="<Error><Code>NoSuchUpload</Code></Error>")
            self.parts[number] += 1
            return httpx.Response(200, headers={"etag": self.store.upload_part(upload_id, number, body)})
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        fields = dict(
            re.findall(
                rb'name="([^"]+)"[^\r]*\r\n(?:[^\r]+\r\n)*\r\n(.*?)\r\n--' + re.escape(boundary), body, re.DOTALL
            )
        )
        key = fields[b"key"].decode()
        assert len(fields[b"file"]) == int(fields[b"policy"])
        self.posted[key] += 1
        self.store.put(key, fields[b"file"], content_type="image/jpeg")
        if self.noticed_at_once:
            self.process()
        return httpx.Response(204)

    def process(self) -> None:
        """What the saga makes of the objects that nobody has looked at: one of each file is approved."""
        for row in self.database.fetch_all("SELECT id, s3_original_key FROM images WHERE object_version IS NULL"):
            try:
                version, data, _ = self.store._version(row["s3_original_key"])
            except NotFound:
                continue
            sha256 = hashlib.sha256(data).digest()
            earlier = self.database.fetch_one(
                "SELECT id FROM images WHERE sha256 = %s AND status = 'approved' AND id <> %s", (sha256, row["id"])
            )
            rejection = None
            if earlier is not None:
                rejection = {"code": "duplicate-image", "detail": "Again.", "duplicate_of": str(earlier["id"])}
            with self.database.transaction() as connection:
                connection.execute(
                    "UPDATE images SET object_version = %s, sha256 = %s, status = %s, rejection = %s, nsfw_score = %s"
                    " WHERE id = %s",
                    (
                        version,
                        sha256,
                        "rejected" if rejection else self.status,
                        Jsonb(rejection) if rejection else None,
                        0.5 if self.status == "pending_review" else 0.0,
                        row["id"],
                    ),
                )

    def statuses(self) -> Counter[str]:
        return Counter(row["status"] for row in self.database.fetch_all("SELECT status FROM images"))


@contextmanager
def a_market(database: Database, monkeypatch: pytest.MonkeyPatch, role: Role = "contributor") -> Iterator[Market]:
    """Large files go in parts of 1000 bytes from 2001 bytes on; the command line reaches this market and no other."""
    monkeypatch.setattr(uploads_module, "PART_BYTES", 1000)
    monkeypatch.setattr(uploads_module, "MULTIPART_ABOVE_BYTES", 2000)
    found = Market(database, Caller(a_contributor(database, role=role), role))
    service = Uploads(
        database=database,
        originals=found.store,
        idempotency=IdempotencyKeys(database, SystemClock()),
        public_base_url=URL,
    )
    # The uploader asks and never waits, so there is nothing to count.
    progress = ProgressOfImages(database=database, waits=cast("Any", None), waits_of_all=cast("Any", None))
    provide("ingestion.uploads", service)
    provide("ingestion.progress", progress)
    monkeypatch.setattr(
        upload_command, "MarketClient", lambda url: MarketClient(url, transport=found, sleep=lambda _: None)
    )
    monkeypatch.setenv("MARKET_URL", URL)
    monkeypatch.setenv("MARKET_PASSWORD", "password")
    try:
        yield found
    finally:
        found.end()
