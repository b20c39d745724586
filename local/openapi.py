"""The one OpenAPI 3.1 document of the whole API, of one app that has the routes of all functions.

    PYTHONPATH=shared .market/venv/bin/python -m local.openapi          # writes openapi.json and routes.json
    PYTHONPATH=shared .market/venv/bin/python -m local.openapi --check  # says whether they are up to date

Added here is what no app knows: whom a route takes, who else answers (the gateway, in its own short form), what every
answer carries, and what a function's `openapi_notes.json` says: its tags, and an example
of each answer.
Beside it, in `functions/docs_api/routes.json`, stands which function serves each route and for whom: what the gateway
is made of, pages for people included.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from imagemarket.platform import gateway
from local.layout import REPOSITORY

if TYPE_CHECKING:
    from fastapi import APIRouter
    from fastapi.dependencies.models import Dependant
    from fastapi.routing import APIRoute

Json = dict[str, Any]

TARGET = REPOSITORY / "functions" / "docs_api" / "openapi.json"
ROUTES = TARGET.with_name("routes.json")
NOTES = "openapi_notes.json"
"""Beside the `routes.py` of a function, which tags it brings (name: description) and, by operation, an example of the
request, of the answer and of parameters."""
COMMAND = "PYTHONPATH=shared .market/venv/bin/python -m local.openapi"

_PROBLEM = "application/problem+json"
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

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


def routers() -> dict[str, APIRouter]:
    """The routes of each function that serves HTTP."""
    names = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/routes.py"))
    return {name: importlib.import_module(f"functions.{name}.routes").router for name in names}


def build(routers: Mapping[str, APIRouter]) -> Json:
    """The document. Raises ValueError when two functions claim one path or call two models the same."""
    from imagemarket.platform.http import create_api

    table = {(route["path"], route["method"]): route for route in route_table(routers)}
    api = create_api("imagemarket", *routers.values())
    api.description, api.contact = _DESCRIPTION, {"name": "imagemarket"}
    api.servers = [{"url": "/", "description": "Wherever this document came from."}]
    tags = sorted(tag for each in map(notes, routers) for tag in each.get("tags", {}).items())
    api.openapi_tags = [{"name": name, "description": description} for name, description in tags]
    document = api.openapi()
    schemas = document["components"]["schemas"]
    if alike := [name for name in schemas if "__" in name]:  # FastAPI puts their modules before such names
        raise ValueError(f"models of different functions have the same name: {', '.join(alike)}")
    for path, method, operation in operations(document):
        route = table[path, method.upper()]
        if route["roles"]:
            operation["x-roles"] = route["roles"]
        if "requestBody" in operation:
            operation["responses"]["413"] = _too_large(route["function"], operation["requestBody"]["content"])
    schemas["GatewayMessage"] = {
        "type": "object",
        "description": "What the gateway answers by itself, before or instead of the application.",
        "required": ["message"],
        "properties": {"message": {"type": "string"}},
    }
    document["components"] |= {
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
    }
    _finish(document, {name: example for each in map(notes, routers) for name, example in each["examples"].items()})
    return document


def notes(function: str) -> Json:
    """What stands in the notes of a function that serves HTTP; without examples where it describes nothing."""
    path = REPOSITORY / "functions" / function / NOTES
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"examples": {}}


def text(document: Json) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def route_table(routers: Mapping[str, APIRouter]) -> list[Json]:
    """Each route with the function that serves it and the roles it takes, of which an empty list is everybody; by
    function. Raises ValueError when two claim one."""
    from fastapi.routing import APIRoute

    table: dict[tuple[str, str], Json] = {}
    for function, router in routers.items():
        for route in (each for each in router.routes if isinstance(each, APIRoute)):
            for method in sorted(route.methods or ()):
                line = {"method": method, "path": route.path, "function": function, "roles": _roles(route)}
                if (other := table.setdefault((method, route.path), line)) is not line:
                    raise ValueError(f"{function}: {method} {route.path} is {other['function']}'s already")
    return list(table.values())


def routes_text(routers: Mapping[str, APIRouter]) -> str:
    """The table of routes as it is committed: one line each."""
    return "[\n " + ",\n ".join(map(json.dumps, route_table(routers))) + "\n]\n"


def _roles(route: APIRoute) -> list[str]:
    """Empty where a route does not ask who is calling."""
    from imagemarket.platform.http import current_caller

    for call in _dependencies(route.dependant):
        if call is current_caller or hasattr(call, "roles"):
            return sorted(getattr(call, "roles", ("admin", "buyer", "contributor")))
    return []


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


def _finish(document: Json, examples: Mapping[str, Json]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form, which no route answers in
        schemas.pop(name, None)
    for schema in schemas.values():
        _tidy(schema)

    shared = document["components"]["examples"]
    for _, _, operation in operations(document):
        _finish_operation(operation, shared, examples.get(operation["operationId"], {}))
    tag_of = {path: next(iter(item.values()))["tags"][0] for path, item in document["paths"].items()}
    document["paths"] = dict(sorted(document["paths"].items(), key=lambda entry: tag_of[entry[0]]))
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


def _too_large(function: str, content: Json) -> Json:
    """What a function answers by itself, before its app is asked: for each number of bytes, where more go."""
    limits = {(gateway.MAX_BODY_BYTES, gateway.BODY_INSTEAD)}
    handler = importlib.import_module(f"functions.{function}.handler")
    if set(content) > {"application/json"} and hasattr(handler, "MAX_BODY_BYTES"):
        limits.add((handler.MAX_BODY_BYTES, handler.BODY_INSTEAD))
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
    for target, made in ((TARGET, text(build(routers()))), (ROUTES, routes_text(routers()))):
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
