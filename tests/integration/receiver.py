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
        self.secret: str | None = None
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.calls = 0
        self.drip_seconds = 0.0
        self.hosts: list[str] = []
        self.url = ""

    def types(self) -> list[str]:
        return [document["type"] for _, document in self.heard]


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.calls += 1
            receiver.hosts.append(self.headers["host"])
            if receiver.drip_seconds:
                ends = time.monotonic() + receiver.drip_seconds
                try:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    while time.monotonic() < ends:
                        self.wfile.write(b"x: y\r\n")
                        time.sleep(0.05)
                except OSError:
                    return
                return
            if receiver.secret is not None:
                Webhook(receiver.secret).verify(body, dict(self.headers))
            if "webhook-id" in self.headers:
                receiver.heard.append((self.headers["webhook-id"], json.loads(body)))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if receiver.status != 204:
                self.wfile.write(b"as you say" * 1000)

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
