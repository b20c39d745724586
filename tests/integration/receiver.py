"""A webhook's receiver: a real HTTP server on this machine that verifies with the reference library."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


class Receiver:
    """Answers with `status` and remembers what it was sent; every delivery must verify with `secret`, when set."""

    def __init__(self) -> None:
        self.status = 204
        self.headers: dict[str, str] = {}
        self.announced = b""
        """What comes before the answer."""
        self.secret: str | None = None
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.calls = 0
        """Without challenges."""
        self.challenges: list[str] = []
        self.tells_challenges = True
        self.drips: bytes | None = None
        """What comes again and again, every twentieth of a second, after what was answered before."""
        self.before_drips = b"HTTP/1.1 200 OK\r\n"
        self.drip_seconds = 10.0
        self.at_once = 0
        self.most_at_once = 0
        self.hosts: list[str] = []
        self.url = ""

    def types(self) -> list[str]:
        return [document["type"] for _, document in self.heard]


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()
    counting = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.hosts.append(self.headers["host"])
            if receiver.drips is not None:
                with counting:
                    receiver.calls += 1
                    receiver.at_once += 1
                    receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
                try:
                    self._drip(receiver.drips)
                finally:
                    with counting:
                        receiver.at_once -= 1
                return
            if receiver.secret is not None:
                Webhook(receiver.secret).verify(body, dict(self.headers))
            if "webhook-id" in self.headers:
                document = json.loads(body)
                if document["type"] == "webhook.verification":
                    self._tell(document["data"]["challenge"])
                    return
                receiver.heard.append((self.headers["webhook-id"], document))
            receiver.calls += 1
            self.wfile.write(receiver.announced)
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if receiver.status != 204:
                self.wfile.write(b"as you say" * 1000)

        def _tell(self, challenge: str) -> None:
            receiver.challenges.append(challenge)
            self.send_response(200)
            self.end_headers()
            if receiver.tells_challenges:
                self.wfile.write(json.dumps({"challenge": challenge}).encode())

        def _drip(self, drop: bytes) -> None:
            ends = time.monotonic() + receiver.drip_seconds
            try:
                self.wfile.write(receiver.before_drips)
                while time.monotonic() < ends:
                    self.wfile.write(drop)
                    time.sleep(0.05)
            except OSError:
                return

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    scheme = "http" if context is None else "https"
    receiver.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/hook?from=market"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
