"""Serves a model bundle as a SageMaker container does.

    python -m sagemaker.server.app --host 127.0.0.1 --port 8081 --bundle DIR

`GET /ping` answers 200 once the model is loaded and 503 before. `POST /invocations` takes and answers what
`imagemarket.vision.models` describes; `POST /endpoints/{name}/invocations` is the same behind the path of
SageMaker's runtime API, so that an AWS client whose endpoint URL points here finds an endpoint.

One thread looks at pictures, and the networks use all cores for each. Larger batches gain nothing on a CPU
(65 ms a picture one by one, 66 in pairs, 71 in fours), so requests that come together take turns picture by
picture, and a small one does not wait for the end of a large one. What cannot be answered in time is
refused with what an AWS client knows as `ModelNotReadyException`, which callers retry.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from imagemarket.vision.analyser import Analyser, UnreadableImage, View
from imagemarket.vision.models import (
    MAX_BODY_BYTES,
    MAX_IMAGES,
    AnalyseRequest,
    AnalyseResponse,
    Analysis,
    Refusal,
)

_log = logging.getLogger("model-server")

_MAX_WAITING = 2 * MAX_IMAGES
"""Pictures taken in at a time. At about a tenth of a second each, the last is seen well within the minute
that SageMaker gives a container."""

_DECODERS = 2
_GRACE_SECONDS = 10
_CLIENT_LEFT = 499


class Model(Protocol):
    """What the server needs of a model."""

    @property
    def model_version(self) -> str: ...

    def prepare(self, jpeg: bytes) -> View: ...

    def look(self, view: View) -> Analysis: ...


class Refused(Exception):
    """An answer other than 200, with the name under which an AWS client raises it."""

    def __init__(self, status: int, kind: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.refusal = Refusal(type=kind, message=message, field=field)

    def answer(self) -> Response:
        return Response(
            self.refusal.model_dump_json(exclude_none=True),
            status_code=self.status,
            media_type="application/json",
            headers={"x-amzn-ErrorType": self.refusal.type},
        )


def _invalid(message: str, field: str, status: int = 400) -> Refused:
    return Refused(status, "ValidationError", message, field)


def _not_ready(message: str) -> Refused:
    return Refused(429, "ModelNotReadyException", message)


class ModelServer:
    """One model and the requests that wait for it. `load` makes the model; it runs once, in a thread of its
    own, from `start` on."""

    def __init__(self, load: Callable[[], Model]) -> None:
        self._load = load
        self._model: Model | None = None
        self._waiting = 0
        self._decoders = ThreadPoolExecutor(_DECODERS, "decode")
        self._looker = ThreadPoolExecutor(1, "look")

    def start(self, failed: Callable[[Exception], None]) -> None:
        """Begins to load. `failed` is called when there can be no model."""

        def load() -> None:
            started = time.monotonic()
            try:
                self._model = self._load()
            except Exception as error:  # noqa: BLE001
                failed(error)  # whatever it was, there is no model
            else:
                _log.info("serving %s, loaded in %.1f s", self._model.model_version, time.monotonic() - started)

        threading.Thread(target=load, name="load", daemon=True).start()

    def close(self) -> None:
        """Lets go of the threads; what is being looked at is looked at to its end."""
        self._looker.shutdown(cancel_futures=True)
        self._decoders.shutdown(cancel_futures=True)

    async def ping(self, _request: Request) -> Response:
        """Whether the model is loaded."""
        return Response(status_code=503 if self._model is None else 200)

    async def invocations(self, request: Request) -> Response:
        """Answers one `AnalyseRequest`."""
        try:
            return await self._invoke(request)
        except Refused as refused:
            return refused.answer()
        except ClientDisconnect:
            return Response(status_code=_CLIENT_LEFT)

    async def _invoke(self, request: Request) -> Response:
        model = self._model
        if model is None:
            raise _not_ready("The model is loading.")
        jpegs = _decode(await _read(request))
        if self._waiting + len(jpegs) > _MAX_WAITING:
            raise _not_ready(f"{self._waiting} pictures are waiting already.")
        self._waiting += len(jpegs)
        try:
            analyses = await self._analyse(model, jpegs, request)
        finally:
            self._waiting -= len(jpegs)
        answer = AnalyseResponse(model_version=model.model_version, analyses=analyses)
        return Response(answer.model_dump_json(), media_type="application/json")

    async def _analyse(self, model: Model, jpegs: Sequence[bytes], request: Request) -> list[Analysis]:
        loop = asyncio.get_running_loop()
        decoding = [loop.run_in_executor(self._decoders, model.prepare, jpeg) for jpeg in jpegs]
        views: list[View] = []
        for place, result in enumerate(await asyncio.gather(*decoding, return_exceptions=True)):
            if isinstance(result, UnreadableImage):
                raise _invalid(f"images[{place}] cannot be looked at: {result}.", f"images[{place}]")
            if isinstance(result, BaseException):
                raise result
            views.append(result)
        analyses: list[Analysis] = []
        for view in views:
            if await request.is_disconnected():
                raise ClientDisconnect
            analyses.append(await loop.run_in_executor(self._looker, model.look, view))
        return analyses


async def _read(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise _invalid("The content type must be application/json.", "content-type", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _invalid(f"A request may have {MAX_BODY_BYTES} bytes.", "body", 413)
    return bytes(body)


def _decode(body: bytes) -> list[bytes]:
    try:
        asked = AnalyseRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise _invalid(f"{field or 'body'}: {first['msg']}", field or "body") from None
    jpegs: list[bytes] = []
    for place, text in enumerate(asked.images):
        try:
            jpegs.append(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise _invalid(f"images[{place}] is not base64.", f"images[{place}]") from None
    return jpegs


async def _failed(_request: Request, error: Exception) -> Response:
    _log.error("the request failed", exc_info=error)
    return Refused(500, "InternalFailure", "The model failed on this request.").answer()


def create_app(load: Callable[[], Model], failed: Callable[[Exception], None]) -> Starlette:
    """The server for the model that `load` makes."""
    server = ModelServer(load)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        server.start(failed)
        yield
        server.close()

    return Starlette(
        routes=[
            Route("/ping", server.ping, methods=["GET"]),
            Route("/invocations", server.invocations, methods=["POST"]),
            Route("/endpoints/{name}/invocations", server.invocations, methods=["POST"]),
        ],
        exception_handlers={Exception: _failed},
        lifespan=lifespan,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; 1 when the model cannot be loaded."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (%(default)s)")
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the model bundle's folder")
    parser.add_argument("--threads", type=int, default=2, help="cores that a picture may use (%(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        _log.error("there is no model to serve: %s", error)
        failures.append(error)
        server.should_exit = True

    app = create_app(lambda: Analyser(options.bundle, threads=options.threads), failed)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    server.run()
    return 1 if failures or not server.started else 0


if __name__ == "__main__":
    sys.exit(main())
