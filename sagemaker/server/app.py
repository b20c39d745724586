"""Serves a model bundle as a SageMaker container does, and is the same program on one machine.

    python -m sagemaker.server.app --host 127.0.0.1 --port 8081 --bundle DIR

`GET /ping` answers 200 once the model is loaded and has looked at a picture, and 503 before; it says on which device
the model is and, where that is the CPU in place of a GPU, why (`fell_back`). `POST /invocations`
takes and answers what `imagemarket.vision.models` describes; `POST /endpoints/{name}/invocations` is the same behind
the path of SageMaker's runtime API, so that an AWS client whose endpoint URL points here finds an endpoint.
`GET /metrics` is for Prometheus.

Pictures are decoded side by side and looked at in batches that gather from all requests under way
(`sagemaker.server.batching`): up to 32 on a GPU. On a CPU, where a batch takes as long as its pictures one by one
(65 ms a picture alone, 66 in pairs, 71 in fours), a small one keeps the turns short. What cannot be answered in
time is refused with 429 and `Retry-After`, what comes before the model is ready with 503; an AWS client knows
both as `ModelNotReadyException`, which callers retry. On SIGTERM no more connections are taken and requests
under way are answered to their end.
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
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imagemarket.vision.analyser import Analyser, UnreadableImage, View
from imagemarket.vision.models import (
    JPEGS,
    MAX_BODY_BYTES,
    MAX_IMAGE_BYTES,
    MAX_IMAGES,
    AnalyseRequest,
    AnalyseResponse,
    Analysis,
    Refusal,
    unpack,
)
from imagemarket.vision.runtime import Device
from sagemaker.server.batching import Batcher, QueueFull
from sagemaker.server.metrics import Metrics

_log = logging.getLogger("model-server")

BATCH: dict[Device, int] = {"cpu": 4, "cuda": 32}
"""Pictures looked at together."""

ROOM: dict[Device, int] = {"cpu": 2 * MAX_IMAGES, "cuda": 16 * MAX_IMAGES}
"""Pictures taken in at a time. At a tenth of a second each on a CPU, the last is seen well within the minute that
SageMaker gives a container."""

_WAIT_SECONDS = 0.004
_DECODERS = 2
_GRACE_SECONDS = 30
_KEEP_ALIVE_SECONDS = 75
"""Longer than callers keep a connection unused (httpx 5 s, load balancers 60 s): were it shorter or as long, a request
would now and then go out on a connection that is being closed, and end without an answer."""
_LOADING_RETRY_SECONDS = 5
_TELL_SECONDS = 60
_CLIENT_LEFT = 499
_LOOK_FOR_LEAVERS_SECONDS = 0.25


class Model(Protocol):
    """What the server needs of a model."""

    @property
    def model_version(self) -> str: ...

    @property
    def alike_from(self) -> float | None: ...

    @property
    def device(self) -> Device: ...

    @property
    def fell_back(self) -> str | None: ...

    def prepare(self, jpeg: bytes) -> View: ...

    def look(self, views: Sequence[View]) -> list[Analysis]: ...

    def warm_up(self, batch: int) -> None: ...


class Refused(Exception):
    """An answer other than 200, with the name under which an AWS client raises it."""

    def __init__(
        self, status: int, kind: str, message: str, field: str | None = None, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.refusal = Refusal(type=kind, message=message, field=field)
        self.retry_after = retry_after

    def answer(self) -> Response:
        headers = {"x-amzn-ErrorType": self.refusal.type}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return Response(
            self.refusal.model_dump_json(exclude_none=True),
            status_code=self.status,
            media_type="application/json",
            headers=headers,
        )


def _invalid(message: str, field: str, status: int = 400) -> Refused:
    return Refused(status, "ValidationError", message, field)


class ModelServer:
    """One model and the requests that wait for it. `load` makes the model; it runs once, in a thread of its
    own, from `start` on."""

    def __init__(self, load: Callable[[], Model], *, batch: int | None = None, decoders: int = _DECODERS) -> None:
        self._load = load
        self._chosen_batch = batch
        self._model: Model | None = None
        self._batcher: Batcher | None = None
        self._decoders = ThreadPoolExecutor(decoders, "decode")
        self._metrics = Metrics(lambda: self._batcher.taken if self._batcher else 0)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, failed: Callable[[Exception], None]) -> None:
        """Begins to load. `failed` is called when there can be no model."""
        loop = asyncio.get_running_loop()

        def load() -> None:
            started = time.monotonic()
            try:
                model = self._load()
                batch = self._chosen_batch or BATCH[model.device]
                model.warm_up(batch)
            except Exception as error:  # noqa: BLE001
                failed(error)  # whatever it was, there is no model
                return
            _log.info("%s on %s, loaded in %.1f s", model.model_version, model.device, time.monotonic() - started)
            if model.fell_back:
                _log.warning("fell back to the CPU, which is slower by far: %s", model.fell_back)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._serve, model, batch)

        threading.Thread(target=load, name="load", daemon=True).start()

    def _serve(self, model: Model, batch: int) -> None:
        batcher = Batcher(model.look, batch=batch, wait_seconds=_WAIT_SECONDS, room=ROOM[model.device])
        batcher.on_batch = self._count_batch
        batcher.start()
        self._batcher, self._model = batcher, model
        self._metrics.say_device(model.device, fell_back=model.fell_back is not None)
        self._tasks.append(asyncio.get_running_loop().create_task(self._tell(model.model_version)))

    def _count_batch(self, size: int, seconds: float) -> None:
        self._metrics.batch_size.observe(size)
        self._metrics.batch_seconds.observe(seconds)

    async def _tell(self, model_version: str) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            print(self._metrics.log_line(model_version), flush=True)

    async def close(self) -> None:
        """Lets go of the threads; what is being looked at is looked at to its end."""
        for task in self._tasks:
            task.cancel()
        if self._batcher is not None:
            await self._batcher.close()
        self._decoders.shutdown(cancel_futures=True)

    async def ping(self, _request: Request) -> Response:
        """Whether the model is loaded and warm, which one it is and on what it runs."""
        if self._model is None:
            return Response(status_code=503)
        model = self._model
        return JSONResponse(
            {"model_version": model.model_version, "device": model.device, "fell_back": model.fell_back}
        )

    async def metrics(self, _request: Request) -> Response:
        """The figures, in Prometheus's text format."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def invocations(self, request: Request) -> Response:
        """Answers one request for analyses."""
        began = time.monotonic()
        try:
            response = await self._invoke(request)
        except Refused as refused:
            response = refused.answer()
        except ClientDisconnect:
            response = Response(status_code=_CLIENT_LEFT)
        self._metrics.requests.labels(str(response.status_code)).inc()
        self._metrics.request_seconds.observe(time.monotonic() - began)
        return response

    async def _invoke(self, request: Request) -> Response:
        if self._model is None or self._batcher is None:
            raise Refused(503, "ModelNotReadyException", "The model is loading.", retry_after=_LOADING_RETRY_SECONDS)
        model, batcher = self._model, self._batcher
        jpegs = _decode(await _read(request), _media_type(request))
        try:
            batcher.reserve(len(jpegs))
        except QueueFull as full:
            raise Refused(
                429, "ModelNotReadyException", f"{full}; come again later.", retry_after=full.retry_after
            ) from full
        try:
            analyses = await self._while_connected(request, self._analyse(model, batcher, jpegs))
        finally:
            batcher.release(len(jpegs))
        for analysis in analyses:
            self._metrics.pictures.labels(analysis.type if isinstance(analysis, Refusal) else "seen").inc()
        answer = AnalyseResponse(model_version=model.model_version, analyses=analyses, alike_from=model.alike_from)
        return Response(answer.model_dump_json(), media_type="application/json")

    async def _while_connected(self, request: Request, work: Any) -> list[Analysis | Refusal]:
        """The result of `work`; given up when the client has gone. Raises `ClientDisconnect` then."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=_LOOK_FOR_LEAVERS_SECONDS))[0]:
                if await request.is_disconnected():
                    raise ClientDisconnect
            return task.result()
        finally:
            task.cancel()

    async def _analyse(self, model: Model, batcher: Batcher, jpegs: Sequence[bytes]) -> list[Analysis | Refusal]:
        loop = asyncio.get_running_loop()
        decoding = [loop.run_in_executor(self._decoders, model.prepare, jpeg) for jpeg in jpegs]
        prepared = await asyncio.gather(*decoding, return_exceptions=True)
        views = [each for each in prepared if isinstance(each, View)]
        seen = iter(await batcher.submit(views))
        return [_answer(place, next(seen) if isinstance(each, View) else each) for place, each in enumerate(prepared)]


def _answer(place: int, result: Analysis | BaseException) -> Analysis | Refusal:
    field = f"images[{place}]"
    if isinstance(result, Analysis):
        return result
    if isinstance(result, UnreadableImage):
        return Refusal(type="ValidationError", message=f"{field} cannot be looked at: {result}.", field=field)
    if not isinstance(result, Exception):
        raise result
    _log.error("the model failed on a picture", exc_info=result)
    return Refusal(type="InternalFailure", message=f"The model failed on {field}.", field=field)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: Request) -> bytes:
    if _media_type(request) not in {"application/json", "image/jpeg", JPEGS}:
        raise _invalid(f"The content type must be application/json, image/jpeg or {JPEGS}.", "content-type", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _invalid(f"A request may have {MAX_BODY_BYTES} bytes.", "body", 413)
    return bytes(body)


def _decode(body: bytes, media_type: str) -> list[bytes]:
    if media_type == "image/jpeg":
        jpegs = [body]
    elif media_type == JPEGS:
        try:
            jpegs = unpack(body)
        except ValueError as error:
            raise _invalid(f"The lengths in the body do not add up: {error}.", "body") from None
        if not 1 <= len(jpegs) <= MAX_IMAGES:
            raise _invalid(f"There are {len(jpegs)} pictures; 1 to {MAX_IMAGES} can be sent.", "images")
    else:
        jpegs = _decode_json(body)
    for place, jpeg in enumerate(jpegs):
        if len(jpeg) > MAX_IMAGE_BYTES:
            raise _invalid(f"images[{place}] has more than {MAX_IMAGE_BYTES} bytes.", f"images[{place}]", 413)
    return jpegs


def _decode_json(body: bytes) -> list[bytes]:
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


def create_app(
    load: Callable[[], Model], failed: Callable[[Exception], None], *, batch: int | None = None
) -> Starlette:
    """The server for the model that `load` makes; `batch` pictures go through it together at most."""
    server = ModelServer(load, batch=batch)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await server.start(failed)
        yield
        await server.close()

    return Starlette(
        routes=[
            Route("/ping", server.ping, methods=["GET"]),
            Route("/metrics", server.metrics, methods=["GET"]),
            Route("/invocations", server.invocations, methods=["POST"]),
            Route("/endpoints/{name}/invocations", server.invocations, methods=["POST"]),
        ],
        exception_handlers={Exception: _failed},
        lifespan=lifespan,
    )


def configure(app: Starlette, host: str, port: int) -> uvicorn.Config:
    """How `app` is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; 1 when the model cannot be loaded."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("command", nargs="?", choices=["serve"], help="what SageMaker says to a container")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (%(default)s)")
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the model bundle's folder")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to run (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores that a picture may use on a CPU (%(default)s)")
    parser.add_argument("--batch", type=int, help="pictures looked at together (cpu: 4, cuda: 32)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        _log.error("there is no model to serve: %s", error)
        failures.append(error)
        server.should_exit = True

    def load() -> Analyser:
        return Analyser(options.bundle, device=options.device, threads=options.threads)

    app = create_app(load, failed, batch=options.batch)
    server = uvicorn.Server(configure(app, options.host, options.port))
    server.run()
    return 1 if failures or not server.started else 0


if __name__ == "__main__":
    sys.exit(main())
