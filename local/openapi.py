"""The one OpenAPI 3.1 document of the whole API, made from the apps of its functions.

    PYTHONPATH=shared .market/venv/bin/python -m local.openapi          # writes openapi.json and routes.json
    PYTHONPATH=shared .market/venv/bin/python -m local.openapi --check  # says whether they are up to date

Each app describes its own routes. Added here is what no app knows: who else answers (the gateway, in
its own short form), what every answer carries, and the examples of `local/openapi_examples.json`.
Beside it, in `functions/docs_api/routes.json`, stands which function serves each route and for whom: what the gateway
is made of, pages for people included.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagemarket.platform import gateway
from local.layout import REPOSITORY

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI
    from fastapi.dependencies.models import Dependant

Json = dict[str, Any]

TARGET = REPOSITORY / "functions" / "docs_api" / "openapi.json"
ROUTES = TARGET.with_name("routes.json")
EXAMPLES = Path(__file__).with_name("openapi_examples.json")
COMMAND = "PYTHONPATH=shared .market/venv/bin/python -m local.openapi"

_PROBLEM = "application/problem+json"
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

_TAGS = {
    "Identity": "Accounts and sessions. An access token holds for 15 minutes; a refresh token gets the next one.",
    "Catalogue": "What pictures are filed under.",
    "Upload": "From announcing a picture to seeing it published or refused.",
    "Notifications": "What happened to a contributor's pictures.",
    "Webhooks": "Notifications by signed HTTP calls, as Standard Webhooks 1.0 has them.",
    "Search": "Finding approved pictures, by words, by meaning or by both.",
    "Delivery": "Renditions of a picture.",
    "Documentation": "The API on itself.",
}

_DESCRIPTION = """\
A marketplace of stock images: contributors upload pictures, buyers find them.

**Signing in.** `POST /v1/auth/login` answers with an access token; send it as `Authorization: Bearer …`. When it
has expired, `POST /v1/auth/refresh` gets the next one.

**Problems.** Whatever the application refuses, it refuses as an RFC 9457 `application/problem+json` document whose
`type` is a URL of this API that explains it. What the gateway in front answers by itself has the shorter form
`{"message": "…"}`, which each route lists: 401, 403, 413, 429, 431, 500 and 503.

**Request ids.** Every answer of the application carries `X-Request-Id`; quote it when asking for help.

**Doing it once.** `POST /v1/images/upload` and `POST /v1/webhooks` take an `Idempotency-Key`: the same key and body
get the same answer."""

GATEWAY = {
    401: ("Unauthorized", "no `Authorization` header came along"),
    403: ("Forbidden", "the token is forged or malformed"),
    413: ("Request Entity Too Large", "the body is over 10 MB"),
    429: ("Too Many Requests", "more requests came than the stage lets through"),
    431: ("Request Header Fields Too Large", "request line and headers are over 10,240 bytes together"),
    500: ("Internal Server Error", "the function or the authorizer broke off"),
    503: ("Service Unavailable", "the function did not answer in time, or runs as often as it may already"),
}
"""What the gateway answers by itself: its message, and when. There is no 404: what no route takes has a function."""
_ON_EVERY_ROUTE = {429, 431, 500, 503}

_HEADERS: Json = {
    "RequestId": {"description": "Names this request in the logs.", "schema": {"type": "string"}},
    "Location": {"description": "Where to go.", "schema": {"type": "string", "format": "uri-reference"}},
    "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "Challenge": {"description": "How to authenticate (RFC 6750).", "schema": {"type": "string"}},
    "ETag": {"description": "Names this state of the content.", "schema": {"type": "string"}},
}


def build() -> Json:
    """The document. Raises ValueError when two apps claim one path or describe one name differently."""
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "imagemarket",
            "version": "",
            "description": _DESCRIPTION,
            "contact": {"name": "imagemarket"},
        },
        "servers": [{"url": "/", "description": "Wherever this document came from."}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": {},
        "components": {
            "schemas": {
                "GatewayMessage": {
                    "type": "object",
                    "description": "What the gateway answers by itself, before or instead of the application.",
                    "required": ["message"],
                    "properties": {"message": {"type": "string"}},
                }
            },
            "headers": _HEADERS,
            "examples": {},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An RS256 access token of `POST /v1/auth/login`; its keys are in the JWKS.",
                }
            },
        },
    }
    for function in sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*_api/routes.py")):
        routes = importlib.import_module(f"functions.{function}.routes")
        handler = importlib.import_module(f"functions.{function}.handler")
        larger = {(handler.MAX_BODY_BYTES, handler.BODY_INSTEAD)} if hasattr(handler, "MAX_BODY_BYTES") else set()
        _add(document, routes.build_api(), dict(_roles(routes.router)), larger)
    _finish(document)
    return document


def text(document: Json) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def routes_text() -> str:
    """The table of routes as it is committed: one line each, by function. Whom a route takes are the roles; none are
    everybody."""
    from fastapi.routing import APIRoute

    lines: list[str] = []
    for function in sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/routes.py")):
        router = importlib.import_module(f"functions.{function}.routes").router
        roles = dict(_roles(router))
        lines += [
            json.dumps(
                {
                    "method": method,
                    "path": route.path,
                    "function": function,
                    "roles": roles.get(route.operation_id or "", []),
                }
            )
            for route in router.routes
            if isinstance(route, APIRoute)
            for method in sorted(route.methods or ())
        ]
    return "[\n " + ",\n ".join(lines) + "\n]\n"


def _add(document: Json, api: FastAPI, roles: dict[str, list[str]], larger: set[tuple[int, str]]) -> None:
    """`larger` are the bytes that the function takes of what is no JSON, and where more go."""
    part = api.openapi()
    document["info"]["version"] = part["info"]["version"]
    for path, item in part["paths"].items():
        for method, operation in item.items():
            if method in document["paths"].setdefault(path, {}):
                raise ValueError(f"{api.title}: {method.upper()} {path} is another function's already")
            if operation["operationId"] in roles:
                operation["x-roles"] = roles[operation["operationId"]]
            if "requestBody" in operation:
                kinds = set(operation["requestBody"]["content"])
                json_body = {(gateway.MAX_BODY_BYTES, gateway.BODY_INSTEAD)}
                operation["responses"]["413"] = _too_large(
                    json_body | (larger if kinds > {"application/json"} else set())
                )
            document["paths"][path][method] = operation
    for name, schema in part.get("components", {}).get("schemas", {}).items():
        if document["components"]["schemas"].setdefault(name, schema) != schema:
            raise ValueError(f"{api.title}: another function describes a different {name}")


def _roles(router: APIRouter) -> Iterator[tuple[str, list[str]]]:
    """Each operation that asks who is calling, with the roles it takes."""
    from fastapi.routing import APIRoute

    from imagemarket.platform.http import current_caller

    for route in router.routes:
        if isinstance(route, APIRoute):
            for call in _dependencies(route.dependant):
                if call is current_caller or hasattr(call, "roles"):
                    yield route.operation_id or "", sorted(getattr(call, "roles", ("admin", "buyer", "contributor")))


def _dependencies(dependant: Dependant) -> Iterator[Any]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _dependencies(dependency)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Each operation as (path, method, operation)."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation


def _finish(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form, which no route answers in
        schemas.pop(name, None)
    for schema in schemas.values():
        _tidy(schema)

    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    shared = document["components"]["examples"]
    for _, _, operation in operations(document):
        _finish_operation(operation, shared, examples.get(operation["operationId"], {}))
    order = list(_TAGS)
    ranks = {path: order.index(next(iter(item.values()))["tags"][0]) for path, item in document["paths"].items()}
    document["paths"] = dict(sorted(document["paths"].items(), key=lambda entry: ranks[entry[0]]))
    document["components"]["examples"] = dict(sorted(shared.items()))
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _finish_operation(operation: Json, shared: Json, examples: Json) -> None:
    # OpenAPI ignores a parameter of this name; the responses' media types say the same.
    parameters = [p for p in operation.pop("parameters", []) if p["name"].lower() != "accept"]
    for parameter in parameters:
        _tidy(parameter["schema"])
        if parameter["in"] == "header":
            parameter["name"] = "-".join(word.capitalize() for word in parameter["name"].split("-"))
        if parameter["name"] in examples.get("parameters", {}):
            parameter["example"] = examples["parameters"][parameter["name"]]
    if parameters:
        operation["parameters"] = parameters

    problems = _problems(operation, shared)
    secured = "x-roles" in operation
    operation["security"] = [{"bearer": []}] if secured else []
    if secured:
        problems.setdefault(401, ["unauthenticated"])
        if len(operation["x-roles"]) < 3:
            problems.setdefault(403, ["forbidden"])
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        if "request" in examples:
            content["example"] = examples["request"]
    if "Documentation" not in operation["tags"]:  # whose function counts nobody's requests
        problems[429] = sorted({*problems.get(429, []), "too-many-requests"})
    problems[500] = ["internal-error"]
    _share_standard_problems(shared, {slug for slugs in problems.values() for slug in slugs})

    answers = {s: a for s, a in operation["responses"].items() if int(s) < 400}
    by_gateway = set(_ON_EVERY_ROUTE)
    by_gateway |= ({401, 403} if secured else set()) | ({413} if "requestBody" in operation else set())
    for status, answer in answers.items():
        _finish_answer(int(status), answer, operation, examples)
    for status in sorted(problems.keys() | by_gateway):
        answers[str(status)] = _refusal(status, problems.get(status, []), shared, by_gateway=status in by_gateway)
    operation["responses"] = answers


def _problems(operation: Json, shared: Json) -> dict[int, list[str]]:
    """The slugs of the problems a route declares, by status; their examples join the shared ones."""
    found: dict[int, list[str]] = {}
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            continue
        declared = answer.get("content", {}).get(_PROBLEM, {}).get("examples")
        if declared is None:  # FastAPI's own 422
            found[int(status)] = ["invalid-request"]
            continue
        found[int(status)] = list(declared)
        shared.update(declared)
    return found


def _share_standard_problems(shared: Json, slugs: set[str]) -> None:
    from imagemarket.platform.errors import Forbidden, InvalidRequest, MarketError, TooManyRequests, Unauthenticated
    from imagemarket.platform.http import problem_responses

    for error in (Unauthenticated, Forbidden, InvalidRequest, TooManyRequests, MarketError):
        if error.slug in slugs:
            (response,) = problem_responses(error).values()
            shared.update(response["content"][_PROBLEM]["examples"])


def _too_large(limits: set[tuple[int, str]]) -> Json:
    """What a function answers by itself, before its app is asked: for each number of bytes, where more go."""
    examples = {
        f"content-over-{max_body_bytes}-bytes": {
            "summary": "Content Too Large",
            "value": gateway.too_large(max_body_bytes, instead, instance="Kb1xqhJ5FiAEPjg="),
        }
        for max_body_bytes, instead in sorted(limits)
    }
    return {"content": {_PROBLEM: {"examples": examples}}}


def _refusal(status: int, slugs: list[str], shared: Json, *, by_gateway: bool) -> Json:
    sentences = [
        # `about:blank` is a problem's type where its status says it all, so there is no page to name.
        f"{shared[slug]['summary']}{'' if shared[slug]['value']['type'] == 'about:blank' else f' (`{slug}`)'}."
        for slug in slugs
    ]
    answer: Json = {"description": "", "headers": {}, "content": {}}
    if slugs:
        answer["headers"]["X-Request-Id"] = {"$ref": "#/components/headers/RequestId"}
        if status == 401:
            answer["headers"]["WWW-Authenticate"] = {"$ref": "#/components/headers/Challenge"}
        if status == 429:
            answer["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
        answer["content"][_PROBLEM] = {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": {slug: {"$ref": f"#/components/examples/{slug}"} for slug in slugs},
        }
    if by_gateway:
        sentences.append(f"From the gateway itself: {GATEWAY[status][1]}.")
        answer["content"]["application/json"] = {
            "schema": {"$ref": "#/components/schemas/GatewayMessage"},
            "example": {"message": GATEWAY[status][0]},
        }
    if not answer["headers"]:
        del answer["headers"]
    answer["description"] = " ".join(dict.fromkeys(sentences))
    return answer


def _finish_answer(status: int, answer: Json, operation: Json, examples: Json) -> None:
    headers = answer.setdefault("headers", {})
    headers["X-Request-Id"] = {"$ref": "#/components/headers/RequestId"}
    if status == 302:
        headers["Location"] = {"$ref": "#/components/headers/Location"}
        answer["description"] = "Found: `Location` says where."
        answer.pop("content", None)
    if "304" in operation["responses"]:
        headers["ETag"] = {"$ref": "#/components/headers/ETag"}
    if answer["description"] == "Successful Response":
        answer["description"] = HTTPStatus(status).phrase
    content = answer.get("content", {})
    for media in content.values():
        _tidy(media.get("schema", {}))
    if "response" in examples and "application/json" in content and 200 <= status < 300:
        content["application/json"]["example"] = examples["response"]


_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def _tidy(schema: Any) -> None:
    """Takes away what pydantic's and FastAPI's way of writing a schema adds and nobody meant: a title on
    every field after its own name, and limits of integers as floats."""
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("title"), str):
        del schema["title"]
    for key in _NUMBERS:
        if isinstance(schema.get(key), float) and schema[key].is_integer():
            schema[key] = int(schema[key])
    for field in schema.get("properties", {}).values():
        _tidy(field)
    for key in ("items", "additionalProperties"):
        _tidy(schema.get(key))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for part in schema.get(key, []):
            _tidy(part)


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; the status is 1 when it would change")
    check = parser.parse_args().check
    stale = False
    for target, made in ((TARGET, text(build())), (ROUTES, routes_text())):
        name = target.relative_to(REPOSITORY)
        if target.exists() and target.read_text(encoding="utf-8") == made:
            print(f"{name} is up to date")
        elif check:
            print(f"{name} is out of date; run: {COMMAND}")
            stale = True
        else:
            target.write_text(made, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
