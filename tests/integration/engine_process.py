"""Engines that are libraries, each as a process of its own that a test can kill.

    python -m tests.integration.engine_process qdrant PORT FOLDER   # Qdrant's own engine, behind a server's routes
    python -m tests.integration.engine_process encoder PORT FOLDER  # Lambda's `Invoke` of `encode_text`, its handler

Both begin with `documents()`: what a cluster would have kept is written anew.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.document import SearchDocument
from imagemarket.search.engines.ports import SearchIndex
from imagemarket.vision.text import TextEncoder
from local.layout import LOOPBACK
from tests.unit.search.kit import document
from tests.unit.vision.kit import lite_bundle

Answer = Callable[[str, Any], Any]
_WORDS = ("boat", "lake", "tower", "market", "forest", "bicycle")


@cache
def documents() -> list[SearchDocument]:
    """Pictures that say what they show, by words and by meaning; the same in each process."""
    tower = TextEncoder(lite_bundle())
    return [
        document(
            word,
            image_id=UUID(int=100 + place),
            embedding=tuple(tower.encode(word)),
            model_version=tower.model_version,
        )
        for place, word in enumerate(_WORDS)
    ]


def write_patiently(engine: SearchIndex, made: Sequence[SearchDocument]) -> None:
    """On a busy machine a node that has just come up may take longer for its first index than it is waited for."""
    until = time.monotonic() + 90
    while True:
        try:
            engine.write(made, [])
        except DependencyUnavailable:
            if time.monotonic() > until:
                raise
            continue
        return


def qdrant(folder: Path) -> Answer:
    """Answers what `QdrantEngine` asks while it searches, from the server's own engine; the routes are this file's."""
    from qdrant_client import QdrantClient
    from qdrant_client import models as q

    from benchmarks.material.edge import EdgeClient
    from imagemarket.search.engines.qdrant import QdrantEngine

    client = EdgeClient(folder)
    QdrantEngine(cast("QdrantClient", client)).write(documents(), [])

    def answer(path: str, body: Any) -> Any:
        if found := re.fullmatch(r"/collections/([\w-]+)/exists", path):
            result: Any = {"exists": client.collection_exists(found[1])}
        elif found := re.fullmatch(r"/collections/([\w-]+)/points/query", path):
            asked = q.QueryRequest.model_validate(body)
            assert asked.using
            assert asked.filter
            assert asked.params
            assert asked.limit
            points = client.query_points(
                found[1],
                query=body["query"]["nearest"],
                using=asked.using,
                query_filter=asked.filter,
                search_params=asked.params,
                limit=asked.limit,
                with_payload=False,
            ).points
            result = {"points": [{"id": str(each.id), "version": 0, "score": each.score} for each in points]}
        elif found := re.fullmatch(r"/collections/([\w-]+)/points", path):
            records = client.retrieve(
                found[1], body["ids"], with_payload=body["with_payload"], with_vectors=body["with_vector"]
            )
            result = [{"id": str(each.id), "payload": each.payload, "vector": each.vector} for each in records]
        else:
            raise LookupError(path)
        return {"result": result, "status": "ok", "time": 0.0}

    return answer


def encoder() -> Answer:
    """Invokes the function's handler."""
    from functions.encode_text.handler import handler
    from tests.api.events import LambdaContext

    def answer(path: str, body: Any) -> Any:
        if not re.fullmatch(r"/2015-03-31/functions/[\w-]+/invocations", path):
            raise LookupError(path)
        return handler(body, LambdaContext())

    handler({"text": "ready"}, LambdaContext())
    return answer


def server(answer: Answer, port: int) -> ThreadingHTTPServer:
    """Answers each request in a thread of its own, once it is served."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            try:
                told, status = answer(self.path.partition("?")[0], json.loads(sent) if sent else None), 200
            except LookupError:
                told, status = {"status": "no such path"}, 404
            said = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = _respond  # noqa: N815 - the base class's names

    return ThreadingHTTPServer((LOOPBACK, port), Handler)


if __name__ == "__main__":
    os.environ["MARKET_MODEL_BUNDLE"] = str(lite_bundle())
    kind, port, folder = sys.argv[1], int(sys.argv[2]), tempfile.mkdtemp(dir=sys.argv[3])
    server(qdrant(Path(folder)) if kind == "qdrant" else encoder(), port).serve_forever()
