"""API Gateway as far as the API can tell: routes by the document, the real authorizer, events in and answers out.

What API Gateway answers by itself is answered in its own short form: `{"message": "…"}`. A preflight is nothing of
that: like any other method it goes to the route that takes it, which is `$default`, and the gateway adds its headers.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from imagemarket.platform import cors
from local import openapi
from local.durable_emulator import is_utf8
from tests.api.events import LambdaContext

Json = dict[str, Any]
_TEXT = re.compile(r"(text/|application/(json|xml|javascript|x-www-form-urlencoded|.*\+json))")


@dataclass(frozen=True)
class _Route:
    method: str
    path: str
    function: str
    secured: bool

    def matches(self, method: str, path: str) -> bool:
        taken = ("GET", "HEAD") if self.method == "GET" else (self.method,)
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path))
        return method in taken and re.fullmatch(pattern, path) is not None


class Gateway:
    """An ASGI app that stands where API Gateway stands; `address` is whom requests come from."""

    def __init__(self, *, address: str = "203.0.113.9", prefix: str = "") -> None:
        self._address = address
        self._prefix = prefix
        self._routes = sorted(_routes(), key=lambda route: route.path.count("{"))
        """What is named whole comes before what has a parameter in its place."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = _for_other_origins(scope, await asyncio.to_thread(self._with_a_loop, scope, body))
        content = answer.get("body") or ""
        data = base64.b64decode(content) if answer.get("isBase64Encoded") else content.encode()
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer["headers"].items()]
        if not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", str(len(data)).encode()))
        await send({"type": "http.response.start", "status": answer["statusCode"], "headers": headers})
        await send({"type": "http.response.body", "body": data})

    def _with_a_loop(self, scope: Any, body: bytes) -> Json:
        """A function runs in its process's main thread, where Mangum finds an event loop."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return self._answer(scope, body)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _answer(self, scope: Any, body: bytes) -> Json:
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("ascii").partition("?")[0]
        path = unquote(raw.removeprefix(self._prefix))
        route = next((each for each in self._routes if each.matches(scope["method"], path)), None)
        event = self._event(scope, path, body, route)
        if route is not None and route.secured:
            if not event["headers"].get("authorization"):
                return _message(401, "Unauthorized")
            from functions.authorizer.handler import handler as authorize

            verdict = authorize({**event, "type": "REQUEST"}, LambdaContext())
            if not verdict["isAuthorized"]:
                return _message(403, "Forbidden")
            event["requestContext"]["authorizer"] = {"lambda": verdict["context"]}
        function = route.function if route is not None else "docs_api"
        return importlib.import_module(f"functions.{function}.handler").handler(event, LambdaContext())

    def _event(self, scope: Any, path: str, body: bytes, route: _Route | None) -> Json:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            headers[key] = (f"{headers[key]}," if key in headers else "") + value.decode("latin-1")
        key = "$default" if route is None else f"{scope['method']} {route.path}"
        event: Json = {
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": scope["query_string"].decode("ascii"),
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "api.test",
                "http": {
                    "method": scope["method"],
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self._address,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": f"test-{uuid4()}",
                "routeKey": key,
                "stage": "$default",
            },
            "isBase64Encoded": False,
        }
        if body and _TEXT.match(headers.get("content-type", "")) and is_utf8(body):
            event["body"] = body.decode()
        elif body:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        return event


def _for_other_origins(scope: Any, answer: Json) -> Json:
    """The answer with the gateway's own headers in the place of those that the function had sent: for a request with
    an `Origin`, and the ones of a preflight for such as asks for a method too."""
    sent = {name.decode("latin-1").lower() for name, _ in scope["headers"]}
    headers = {k: v for k, v in answer["headers"].items() if not k.lower().startswith("access-control-")}
    if "origin" in sent:
        headers |= {
            "access-control-allow-origin": ", ".join(cors.EVERY_ORIGIN),
            "access-control-expose-headers": ", ".join(cors.EXPOSED_HEADERS),
        }
        if scope["method"] == "OPTIONS" and "access-control-request-method" in sent:
            headers |= {
                "access-control-allow-methods": ", ".join(cors.ALLOWED_METHODS),
                "access-control-allow-headers": ", ".join(cors.ALLOWED_HEADERS),
                "access-control-max-age": str(cors.PREFLIGHT_SECONDS),
            }
    return {**answer, "headers": headers}


def _message(status: int, message: str) -> Json:
    headers: Mapping[str, str] = {"content-type": "application/json"}
    return {"statusCode": status, "headers": headers, "body": json.dumps({"message": message})}


def _routes() -> list[_Route]:
    return [
        _Route(line["method"], line["path"], line["function"], secured=bool(line["roles"]))
        for line in json.loads(openapi.ROUTES.read_text(encoding="utf-8"))
    ]
