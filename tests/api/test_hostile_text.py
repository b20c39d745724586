"""Every text of every request, as nobody should write it: refused or taken, never an error of ours."""

from __future__ import annotations

import copy
import importlib
import json
from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from imagemarket.platform.text import Text
from local import openapi
from local.layout import REPOSITORY
from tests.gateway import Gateway
from tests.market import Market

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]
Json = dict[str, Any]

HOSTILE = ("a\0b", "\ud800", "t\u202egpj", "\u200b", "t\u0085x", "\uffff", "'; DROP TABLE images; --", "x" * 10_000)
DOCUMENT: Json = json.loads(openapi.TARGET.read_text(encoding="utf-8"))


def resolve(schema: Json) -> Json:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def places(schema: Json) -> Iterator[tuple[Any, ...]]:
    """The way to each text of a body: names of fields, 0 for an item of a list."""
    schema = resolve(schema)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from places(part)
    if schema.get("type") == "string":
        yield ()
    if schema.get("type") == "array":
        yield from ((0, *way) for way in places(schema["items"]))
    for name, field in schema.get("properties", {}).items():
        yield from ((name, *way) for way in places(field))


def changed(body: Any, way: tuple[Any, ...], text: str) -> Any:
    if not way:
        return text
    step, *rest = way
    if step == 0:
        return [changed(body[0] if isinstance(body, list) and body else {}, tuple(rest), text)]
    made = copy.deepcopy(body) if isinstance(body, dict) else {}
    made[step] = changed(made.get(step), tuple(rest), text)
    return made


@pytest.fixture
def client(whole_market: Market) -> Iterator[TestClient]:
    with TestClient(Gateway(address="127.0.0.1"), follow_redirects=False) as client:
        yield client


def headers(market: Market, operation: Json) -> dict[str, str]:
    roles = operation.get("x-roles")
    if not roles:
        return {}
    return {"authorization": f"Bearer {market.token('contributor' if 'contributor' in roles else 'admin')}"}


def addressed(path: str, operation: Json, **instead: str) -> str:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            value = instead.get(parameter["name"], str(parameter["example"]))
            path = path.replace(f"{{{parameter['name']}}}", quote(value.encode("utf-8", "surrogatepass"), safe=""))
    return path


def check(answer: Any, said: str) -> None:
    # A search that a busy machine is late with is refused with Retry-After, which is no error.
    assert answer.status_code < 500 or (answer.status_code == 503 and "retry-after" in answer.headers), said
    answer.content.decode()


def test_every_text_of_every_body(client: TestClient, whole_market: Market) -> None:
    asked: set[str] = set()
    for path, method, operation in openapi.operations(DOCUMENT):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if media is None:
            continue
        for way in dict.fromkeys(places(media["schema"])):
            for text in HOSTILE:
                body = json.dumps(changed(media["example"], way, text)).encode()
                answer = client.request(
                    method,
                    addressed(path, operation),
                    content=body,
                    headers={"content-type": "application/json", **headers(whole_market, operation)},
                )
                check(answer, f"{operation['operationId']} {way} {text!a}: {answer.text[:300]}")
            asked.add(f"{operation['operationId']}.{way[0] if way else ''}")
    assert {
        *("register.email", "register.display_name", "login.email", "createUpload.title", "createUpload.tags"),
        *("createUpload.filename", "completeUpload.parts", "createWebhook.url", "changeWebhook.description"),
    } <= asked


def test_every_parameter(client: TestClient, whole_market: Market) -> None:
    asked = 0
    for path, method, operation in openapi.operations(DOCUMENT):
        needed = {"q": "red"} if any(p["name"] == "q" for p in operation.get("parameters", [])) else {}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        for parameter in operation.get("parameters", []):
            for text in HOSTILE:
                raw = quote(text.encode("utf-8", "surrogatepass"), safe="")
                query = "&".join(f"{name}={value}" for name, value in needed.items() if name != parameter["name"])
                sent = headers(whole_market, operation)
                address = addressed(path, operation)
                if parameter["in"] == "query":
                    query = f"{parameter['name']}={raw}&{query}"
                elif parameter["in"] == "path":
                    address = addressed(path, operation, **{parameter["name"]: text})
                elif text.isprintable():
                    sent[parameter["name"]] = text.encode().decode("latin-1")
                answer = client.request(
                    method,
                    f"{address}?{query}",
                    json=body,
                    headers=[(name.encode(), value.encode("latin-1")) for name, value in sent.items()],  # pyright: ignore[reportArgumentType] - as bytes they pass as they are
                )
                check(answer, f"{operation['operationId']} {parameter['name']} {text!a}: {answer.text[:300]}")
                asked += 1
    assert asked > 400


def test_names_of_fields_and_parameters(client: TestClient, whole_market: Market) -> None:
    for text in HOSTILE:
        raw = quote(text.encode("utf-8", "surrogatepass"), safe="")
        check(client.get(f"/v1/search?{raw}=1&q=red"), text)
        body = json.dumps({text: 1}).encode()
        for path in ("/v1/auth/login", "/v1/search/by-image/upload"):
            answer = client.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 422, ascii(text)


def test_every_text_of_a_body_is_of_the_one_type() -> None:
    """A new field of type str says how long it may be, and is visible: `Annotated[str, Text(…)]`."""
    models = {annotation for route in _routes() for annotation in _models(route)}
    assert len(models) > 8
    loose = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if field.annotation is str and not any(isinstance(each, Text) for each in field.metadata)
    ]
    assert not loose


def _routes() -> Iterator[Any]:
    for source in sorted((REPOSITORY / "functions").glob("*_api/routes.py")):
        yield from importlib.import_module(f"functions.{source.parent.name}.routes").router.routes


def _models(route: Any) -> Iterator[Any]:
    """The models of a route's body, and those in them."""
    waiting = [each.field_info.annotation for each in route.dependant.body_params]
    while waiting:
        found = waiting.pop()
        if hasattr(found, "model_fields"):
            yield found
            waiting += [field.annotation for field in found.model_fields.values()]
        else:
            waiting += [each for each in get_args(found) if each is not type(None)]
