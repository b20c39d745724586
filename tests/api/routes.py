"""Every route of every API function, with a request for it made from the OpenAPI document's examples."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from imagemarket.app import App, app, use
from imagemarket.platform.cache import Cache
from imagemarket.platform.http import Caller
from imagemarket.platform.ratelimits import RateLimiter
from local import openapi
from local.layout import REPOSITORY
from tests.api.events import LambdaContext, http_event
from tests.provided import provide

Json = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One operation: the function that serves it and its part of the document."""

    function: str
    method: str
    path: str
    operation: Json

    @property
    def name(self) -> str:
        return self.operation["operationId"]

    def body(self) -> Json | None:
        """The example of a body; None for a route that takes none."""
        if "requestBody" not in self.operation:
            return None
        return dict(self.operation["requestBody"]["content"]["application/json"]["example"])

    def event(self, body: Json | None = None, **more: Any) -> Json:
        """The gateway's event of a valid request."""
        path = self.path
        for parameter in self.operation.get("parameters", []):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        return http_event(self.method, path, self.body() if body is None else body, **more)

    def call(self, caller: Caller | Mapping[str, str] | None = None) -> Json:
        return self.handle(self.event(caller=caller))

    def handle(self, event: Json) -> Json:
        return importlib.import_module(f"functions.{self.function}.handler").handler(event, LambdaContext())


def every_route() -> list[Any]:
    """Parameters for `pytest.mark.parametrize`, one for each route."""
    return [pytest.param(route, id=f"{route.function}-{route.name}") for route in _routes()]


def _routes() -> Iterator[Route]:
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    described = {operation["operationId"]: operation for _, _, operation in openapi.operations(document)}
    for source in sorted((REPOSITORY / "functions").glob("*_api/routes.py")):
        function = source.parent.name
        for route in importlib.import_module(f"functions.{function}.routes").router.routes:
            (method,) = route.methods
            yield Route(function, method, route.path, described[route.operation_id])


class _Broken:
    """Resources of which none can be had. Requests from loopback are not counted, so the limiter needs none."""

    rate_limiter = RateLimiter(lambda: Cache("redis://127.0.0.1:1"))

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("an engine broke")


def break_every_engine() -> None:
    """From now on the app of this test has nothing to work with, and knows of accounts alone what it was told."""
    directory = app().identity.directory
    use(App(cast("Any", _Broken())))
    provide("identity.directory", directory)
