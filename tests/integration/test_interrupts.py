"""Ctrl-C at the command line's own process, while the API, the store or a picture's server keeps it waiting."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.layout import LOOPBACK, REPOSITORY

IMAGE = "01930000-0000-7000-8000-000000000001"
ACCOUNT = {"id": "01930000-0000-7000-8000-0000000000aa", "role": "contributor", "email": "ada@example.com"}
ENDED_WITHIN_SECONDS = 8.0
"""The two seconds of what is under way, the two of signing out, and what a busy machine adds."""


class Keeping(ThreadingHTTPServer):
    """An API, a store and pictures; who asks for `kept` is kept waiting, by a long `Retry-After` or by silence."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Answers)
        self.url = f"http://{LOOPBACK}:{self.server_port}"
        self.kept = ""
        self.by_words = False
        self.reached = threading.Event()
        self.signed_out = threading.Event()
        self.over = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def keeping(self) -> Keeping:
        assert isinstance(self.server, Keeping)
        return self.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        if path == "/v1/auth/logout":
            self.keeping.signed_out.set()
        if path == self.keeping.kept:
            self.keeping.reached.set()
            if not self.keeping.by_words:
                self.keeping.over.wait(60)
                self.close_connection = True
                return
            self._send(503, {"detail": "Busy."}, ("Retry-After", "30"))
            return
        self._send(200, self._documents().get(path, {}))

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - their names there

    def _documents(self) -> dict[str, Any]:
        url = self.keeping.url
        tokens = {"access_token": "a", "refresh_token": "r", "expires_in": 900, "account": ACCOUNT}
        form = {"method": "form", "url": f"{url}/store", "fields": {}}
        hit = {"id": IMAGE, "title": "Boats", "score": 0.5, "renditions": [
            {"format": "jpeg", "width": 150, "url": f"{url}/picture"}
        ]}  # fmt: skip
        return {
            "/v1/auth/login": tokens,
            "/v1/images/upload": {"image_id": IMAGE, "upload": form},
            f"/v1/images/{IMAGE}/status": {"status": "processing", "steps": []},
            "/v1/search": {"results": [hit] * 40},
        }

    def _send(self, status: int, document: dict[str, Any], *headers: tuple[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def keeping() -> Iterator[Keeping]:
    with Keeping() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("kept", "by_words"),
    [
        *[("/v1/auth/login", by_words) for by_words in (True, False)],
        *[("/v1/images/upload", by_words) for by_words in (True, False)],
        *[("/store", by_words) for by_words in (True, False)],
        *[(f"/v1/images/{IMAGE}/status", by_words) for by_words in (True, False)],
    ],
)
def test_an_upload_ends_within_seconds_wherever_it_waits(
    keeping: Keeping, tmp_path: Path, kept: str, by_words: bool
) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(random.Random(number).randbytes(1000))
    words = ["upload", str(tmp_path), "--as", "ada@example.com", "--journal", str(tmp_path / "j.jsonl")]
    said = _interrupted(keeping, kept, by_words, words)
    if kept != "/v1/auth/login":
        assert "Run it again to go on" in said
        assert keeping.signed_out.is_set(), "its refresh token ends with it"
    assert "failed" not in said, "nothing failed"


@pytest.mark.parametrize(("kept", "by_words"), [("/v1/search", True), ("/v1/search", False), ("/picture", False)])
def test_a_search_ends_within_seconds_wherever_it_waits(
    keeping: Keeping, tmp_path: Path, kept: str, by_words: bool
) -> None:
    _interrupted(keeping, kept, by_words, ["search", "boats", "--sheet", str(tmp_path / "sheet.png")])


def _interrupted(keeping: Keeping, kept: str, by_words: bool, words: list[str]) -> str:
    """What a command says that is interrupted where it waits."""
    keeping.kept, keeping.by_words = kept, by_words
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY / "shared"),
        "MARKET_PASSWORD": "x",
        "MARKET_URL": keeping.url,
    }
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "imagemarket.cli", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, previous)
    with process:
        try:
            assert keeping.reached.wait(60), "it never came there"
            time.sleep(0.3)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)
            took = time.monotonic() - began
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert took < ENDED_WITHIN_SECONDS, f"it ended after {took:.0f} s"
    assert "Traceback" not in said
    return said
