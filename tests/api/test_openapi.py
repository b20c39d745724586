"""The one OpenAPI document: up to date, valid, clean under the linter, complete, and true in its examples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel

from imagemarket.ingestion.models import MAX_UPLOAD_BYTES, MIB, MULTIPART_ABOVE_BYTES
from local import openapi
from local.layout import REPOSITORY

Json = dict[str, Any]
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def document() -> Json:
    return json.loads(openapi.TARGET.read_text(encoding="utf-8"))


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, method, operation in openapi.operations(document):
        yield f"{method.upper()} {path}", operation


def resolve(document: Json, value: Json) -> Json:
    found: Any = value
    while "$ref" in found:
        steps = found["$ref"].removeprefix("#/").split("/")
        found = document
        for step in steps:
            found = found[step]
    return found


def test_the_committed_document_is_the_one_the_apps_describe() -> None:
    assert openapi.text(openapi.build(openapi.routers())) == openapi.TARGET.read_text(encoding="utf-8"), (
        f"a route changed and its document did not; run: {openapi.COMMAND}"
    )


def test_the_committed_table_of_routes_is_the_one_that_the_apps_make() -> None:
    assert openapi.routes_text(openapi.routers()) == openapi.ROUTES.read_text(encoding="utf-8"), (
        f"a route changed and the table of routes did not; run: {openapi.COMMAND}"
    )


def test_it_is_valid_openapi_3_1(document: Json) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator, validate

    validate(document, cls=OpenAPIV31SpecValidator)
    assert document["openapi"].startswith("3.1.")


def test_the_linter_has_nothing_to_say(tmp_path: Path) -> None:
    modules = Path(os.environ.get("MARKET_NODE_MODULES") or REPOSITORY / ".market" / "node" / "node_modules")
    spectral = modules / ".bin" / "spectral"
    if not spectral.exists():
        missing = f"Spectral is not installed at {spectral}; `./market test` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    node = Path(sys.executable).parent
    done = subprocess.run(
        [spectral, "lint", openapi.TARGET, "--ruleset", REPOSITORY / ".spectral.yaml", "--fail-severity", "hint"],
        env={"PATH": f"{node}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_function_with_routes_is_in_it(document: Json) -> None:
    """Counted on another road than the builder's: by the decorators in the source."""
    import ast

    declared: set[str] = set()
    for source in (REPOSITORY / "functions").glob("*_api/routes.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "router"
            ):
                path = node.args[0]
                assert isinstance(path, ast.Constant)
                declared.add(f"{node.func.attr.upper()} {path.value}")
    assert {name for name, _ in operations(document)} == declared


def test_sizes_are_told_in_the_units_that_are_compared(document: Json) -> None:
    above = f"bove {MULTIPART_ABOVE_BYTES / MIB:g} MiB"
    assert above in document["components"]["schemas"]["MultipartUpload"]["description"]
    described = {operation["operationId"]: operation["description"] for _, operation in operations(document)}
    assert above in described["createUpload"]
    told = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    assert above in told
    assert f"{MAX_UPLOAD_BYTES / MIB:g} MiB are the most" in told


def test_every_operation_is_described(document: Json) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert operation["description"], name
        assert operation["summary"], name
        assert set(operation["tags"]) <= known, name


def test_every_refusal_is_a_problem_or_the_gateways_message(document: Json) -> None:
    for name, operation in operations(document):
        refusals = {s: resolve(document, r) for s, r in operation["responses"].items() if int(s) >= 400}
        assert {"429", "500", "503"} <= set(refusals), name
        for status, refusal in refusals.items():
            assert set(refusal["content"]) <= {PROBLEM, "application/json"}, f"{name} {status}"
            assert refusal["description"], f"{name} {status}"
            if "application/json" in refusal["content"]:
                assert refusal["content"]["application/json"]["schema"]["$ref"].endswith("/GatewayMessage")
            for example in refusal["content"].get(PROBLEM, {}).get("examples", {}).values():
                assert resolve(document, example)["value"]["status"] == int(status), f"{name} {status}"


def test_what_the_gateway_answers_by_itself_is_told_whole(document: Json) -> None:
    """As routes have it, as the page has it, and as the introduction has it."""
    told: set[int] = set()
    for name, operation in operations(document):
        for status, refusal in operation["responses"].items():
            if "application/json" in (content := resolve(document, refusal).get("content", {})) and int(status) >= 400:
                assert content["application/json"]["example"] == {"message": openapi.GATEWAY[int(status)][0]}, name
                told.add(int(status))
    assert told == set(openapi.GATEWAY)
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    rows = [f"| {status} | {message} | {when} |" for status, (message, when) in openapi.GATEWAY.items()]
    assert "\n".join(rows) in page
    *first, last = map(str, openapi.GATEWAY)
    assert f"{', '.join(first)} and {last}." in document["info"]["description"]


def test_an_operation_is_secured_just_when_it_asks_who_is_calling(document: Json) -> None:
    secured = {name: operation["x-roles"] for name, operation in operations(document) if operation["security"]}
    assert secured["GET /v1/auth/me"] == ["admin", "buyer", "contributor"]
    assert secured["POST /v1/images/upload"] == ["contributor"]
    for name, operation in operations(document):
        assert ("x-roles" in operation) == bool(operation["security"]), name
        assert ({"401", "403"} <= set(operation["responses"])) or not operation["security"], name


def test_public_operations_are_the_ones_meant(document: Json) -> None:
    assert {operation["operationId"] for _, operation in operations(document) if not operation["security"]} <= {
        *("register", "login", "refresh", "logout", "getJwks"),
        *("confirmEmail", "forgotPassword", "resetPassword"),
        *("listCategories", "searchImages", "suggestQueries", "getImage", "findSimilarImages"),
        *("createQueryImageUpload", "searchByImage"),
        *("getImagePreview", "getIndex", "getHealth", "getOpenApi", "getDocs", "getProblemType"),
    }


def examples_with_schemas(document: Json) -> Iterator[tuple[str, Any, Json]]:
    for name, operation in operations(document):
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for part, body in bodies.items():
            for media in resolve(document, body).get("content", {}).values():
                if "example" in media:
                    yield f"{name} {part}", media["example"], media["schema"]
                for slug, example in media.get("examples", {}).items():
                    yield f"{name} {part} {slug}", resolve(document, example)["value"], media["schema"]
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                yield f"{name} {parameter['name']}", parameter["example"], parameter["schema"]


def test_every_example_fits_its_schema(document: Json) -> None:
    from openapi_schema_validator import OAS31Validator

    checked = 0
    for name, example, schema in examples_with_schemas(document):
        rooted = {**schema, "components": document["components"]}
        errors = [error.message for error in OAS31Validator(rooted).iter_errors(example)]
        assert not errors, f"{name}: {errors}; the examples stand in the function's {openapi.NOTES}"
        checked += 1
    assert checked > 50


def test_lists_are_shaped_alike(document: Json) -> None:
    """`items` and `next_cursor`; a search's are `results`, as the specification has them."""
    lists: dict[str, str] = {}
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            schema = resolve(document, answer).get("content", {}).get("application/json", {}).get("schema", {})
            if int(status) >= 300 or not name.startswith("GET"):
                continue
            assert schema.get("type") != "array", f"{name}: a list can grow no second page and no other field"
            properties = resolve(document, schema).get("properties", {})
            held = {"items", "results"} & set(properties)
            assert bool(held) == ("next_cursor" in properties), name
            if held:
                (lists[name.removeprefix("GET ")],) = held
                assert set(resolve(document, schema)["required"]) >= held, name
    assert len(lists) >= 7
    assert {path for path, held in lists.items() if held == "results"} == {
        "/v1/search",
        "/v1/images/{image_id}/similar",
    }


def test_every_body_has_an_example(document: Json) -> None:
    for name, operation in operations(document):
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], name
        for status, answer in operation["responses"].items():
            media = answer.get("content", {}).get("application/json")
            if media and status.startswith("2"):
                assert "example" in media, f"{name}: put one into the function's {openapi.NOTES}"


def test_every_example_belongs_to_an_operation(document: Json) -> None:
    for function, router in openapi.routers().items():
        own = {getattr(route, "operation_id", None) for route in router.routes}
        assert set(openapi.notes(function)["examples"]) <= own, function


def test_two_functions_cannot_claim_one_path() -> None:
    router = APIRouter()

    @router.get("/v1/health", operation_id="second", tags=["Documentation"])
    def second() -> None:
        """Another function's health."""

    with pytest.raises(ValueError, match="second_api: GET /v1/health is docs_api's already"):
        openapi.build({**openapi.routers(), "second_api": router})


def test_two_functions_cannot_call_their_models_the_same() -> None:
    router = APIRouter()

    class Health(BaseModel):
        """Another function's."""

    @router.get("/v1/second", operation_id="second", tags=["Documentation"], response_model=Health)
    def second() -> None:
        """Another function's health."""

    with pytest.raises(ValueError, match=r"have the same name: .*docs_api__routes__Health"):
        openapi.build({**openapi.routers(), "second_api": router})
