"""The page that explains the API to people, made from its OpenAPI document.

It runs no script and loads nothing, so that it works offline and under the strictest policy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from functions.docs_api.markup import inline, json_code, prose
from imagemarket.platform.markup import Content, Html, element

Json = dict[str, Any]

_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing but the style that stands in the page."""

_METHODS = ("get", "post", "put", "patch", "delete")


def docs_page(document: Json, *, base_url: str) -> str:
    """The whole API on one page; `base_url` stands in the curl lines, without a trailing slash."""
    info = document["info"]
    sections = [(tag, list(_operations(document, tag["name"]))) for tag in document["tags"]]
    sections = [(tag, listed) for tag, listed in sections if listed]
    schemas = document["components"]["schemas"]
    navigation = element(
        "nav",
        element("a", info["title"], element("small", f"API {info['version']}"), class_="brand", href="#top"),
        [
            element(
                "section",
                element("h2", element("a", tag["name"], href=f"#{_anchor(tag['name'])}")),
                element(
                    "ul",
                    [
                        element(
                            "li",
                            element("a", _method(method), element("span", o["summary"]), href=f"#{o['operationId']}"),
                        )
                        for _, method, o in listed
                    ],
                ),
            )
            for tag, listed in sections
        ],
        element("section", element("h2", element("a", "Schemas", href="#schemas"))),
        aria_label="Contents",
    )
    introduction = element(
        "header",
        element("h1", f"{info['title']} API"),
        prose(info["description"]),
        element(
            "p",
            "The addresses below start with ",
            element("code", base_url),
            ". The same as a document for machines: ",
            element("a", "openapi.json", href="/v1/openapi.json"),
            " (OpenAPI 3.1).",
        ),
        id="top",
    )
    body = [
        element("a", "Skip to the content", class_="skip", href="#content"),
        navigation,
        element(
            "main",
            introduction,
            [
                element(
                    "section",
                    element("h2", tag["name"]),
                    prose(tag.get("description", "")),
                    [_operation(document, *entry, base_url=base_url) for entry in listed],
                    id=_anchor(tag["name"]),
                    class_="group",
                )
                for tag, listed in sections
            ],
            element(
                "section",
                element("h2", "Schemas"),
                [
                    element(
                        "article",
                        element("h3", name),
                        prose(schema.get("description", "")),
                        _schema_details(schema),
                        id=f"schema-{name}",
                        class_="schema",
                    )
                    for name, schema in schemas.items()
                ],
                id="schemas",
                class_="group",
            ),
            id="content",
        ),
    ]
    return _html(f"{info['title']} API {info['version']}", body, class_="reference")


def problem_page(*, type: str, title: str, status: int, retryable: bool, explanation: str) -> str:  # noqa: A002
    """A page about one kind of problem."""
    advice = (
        "The same request can succeed later: try again, waiting longer each time, and heed Retry-After."
        if retryable
        else "Sending the same request again will not help: change what the problem's detail names."
    )
    body = element(
        "main",
        element("p", element("a", "imagemarket API", href="/v1/docs"), class_="crumb"),
        element("h1", title),
        element("p", element("span", str(status), class_=f"status s{status // 100}"), " ", element("code", type)),
        prose(explanation),
        element("p", advice),
        element("p", "When you ask for help, quote ", element("code", "instance"), ", the request's id."),
        id="content",
    )
    return _html(title, body, class_="problem")


def _html(title: str, body: Content, *, class_: str) -> str:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(_STYLE)),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body, class_=class_), lang='en')}\n"


def _operations(document: Json, tag: str) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS and tag in operation["tags"]:
                yield path, method, operation


def _anchor(name: str) -> str:
    return "tag-" + re.sub(r"[^a-z0-9]+", "-", name.lower())


def _method(method: str) -> Html:
    return element("b", method.upper(), class_=f"method {method}")


# --- One operation -----------------------------------------------------------------------------


def _operation(document: Json, path: str, method: str, operation: Json, *, base_url: str) -> Html:
    roles = operation.get("x-roles")
    said = [
        element("h3", operation["summary"]),
        element("p", _method(method), element("code", path), class_="route"),
        element("p", f"Needs an access token of: {', '.join(roles)}", class_="access")
        if roles
        else element("p", "Open to everyone", class_="access open"),
        prose(operation.get("description", "")),
        _parameters(operation.get("parameters", [])),
        _request_body(document, operation),
        _responses(document, operation),
    ]
    shown: list[Content] = [
        element("h4", "Request"),
        element("pre", element("code", _curl(path, method, operation, base_url)), tabindex="0"),
    ]
    example = _success_example(operation)
    if example is not None:
        shown += [element("h4", "Answer"), json_code(example)]
    return element(
        "article",
        element("div", said, class_="said"),
        element("div", shown, class_="shown"),
        id=operation["operationId"],
    )


def _parameters(parameters: list[Json]) -> Content:
    if not parameters:
        return None
    rows = [
        _field(
            parameter["name"],
            parameter["schema"],
            required=bool(parameter.get("required")),
            note=f"in {parameter['in']}",
            description=parameter.get("description", ""),
        )
        for parameter in parameters
    ]
    return [element("h4", "Parameters"), element("dl", rows)]


def _request_body(document: Json, operation: Json) -> Content:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return [element("h4", "Body, ", _type(schema)), _schema_details(_resolved(document, schema))]


def _responses(document: Json, operation: Json) -> Html:
    rows: list[Content] = []
    for status, answer in operation["responses"].items():
        rows.append(element("dt", element("span", status, class_=f"status s{status[0]}")))
        rows.append(element("dd", _refusal(document, answer) if int(status) >= 400 else _success(answer)))
    return element("div", element("h4", "Responses"), element("dl", rows, class_="responses"))


def _success(answer: Json) -> Content:
    body = answer.get("content", {}).get("application/json", {}).get("schema")
    return [inline(answer["description"]), [", ", _type(body)] if body else None]


def _refusal(document: Json, answer: Json) -> Content:
    """Each problem with its document, then what the gateway answers by itself."""
    problems: list[Content] = []
    for slug, reference in answer["content"].get("application/problem+json", {}).get("examples", {}).items():
        example = _resolved(document, reference)
        page = example["value"]["type"]
        problems.append(
            element(
                "details",
                element("summary", example["summary"], " ", element("code", slug)),
                element("p", element("a", "What it means", href=page)) if page.startswith("/") else None,
                json_code(example["value"]),
            )
        )
    _, separator, reason = answer["description"].partition("From the gateway itself:")
    return [problems, element("p", inline(separator + reason), class_="gateway") if separator else None]


def _success_example(operation: Json) -> Any:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            return answer.get("content", {}).get("application/json", {}).get("example")
    return None


def _curl(path: str, method: str, operation: Json, base_url: str) -> str:
    query: list[str] = []
    options: list[str] = []
    for parameter in operation.get("parameters", []):
        if "example" not in parameter:
            continue
        name, value = parameter["name"], str(parameter["example"])
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        elif parameter["in"] == "query":
            query.append(f"{name}={quote(value, safe='')}")
        else:
            options.append(f"-H {shlex.quote(f'{name}: {value}')}")
    if operation.get("x-roles"):
        options.append('-H "Authorization: Bearer $TOKEN"')
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"].get("example", {})
        options.append("-H 'Content-Type: application/json'")
        options.append(f"-d {shlex.quote(json.dumps(example, ensure_ascii=False, indent=2))}")
    address = base_url + path + ("?" + "&".join(query) if query else "")
    verb = "curl -s" if method == "get" else f"curl -s -X {method.upper()}"
    return " \\\n  ".join([f"{verb} {shlex.quote(address)}", *options])


# --- Schemas -----------------------------------------------------------------------------------


def _resolved(document: Json, value: Json) -> Json:
    if "$ref" not in value:
        return value
    found: Any = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def _schema_details(schema: Json) -> Content:
    """An object's fields, or what else the schema is."""
    properties = schema.get("properties")
    if not properties:
        return element("p", _type(schema))
    required = schema.get("required", [])
    return element(
        "dl",
        [
            _field(name, field, required=name in required, note="", description=field.get("description", ""))
            for name, field in properties.items()
        ],
    )


def _field(name: str, schema: Json, *, required: bool, note: str, description: str) -> Html:
    limits = _limits(schema)
    default = schema.get("default")
    if default not in (None, "", [], {}):
        limits.append(f"default {default if isinstance(default, str) else json.dumps(default)}")
    term = element("dt", element("code", name), element("em", "required") if required else None)
    said = element(
        "dd",
        element(
            "span", _type(schema), f" · {note}" if note else None, [f" · {limit}" for limit in limits], class_="type"
        ),
        prose(description) if description else None,
    )
    return Html(term + said)


def _type(schema: Json) -> Html:
    """A schema in a few words; named ones link to their own section."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return element("a", name, href=f"#schema-{name}")
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            parts = [_type(part) for part in schema[key]]
            return Html(" or ".join(parts))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Html(" ".join(element("code", str(value)) for value in values))
    kind = schema.get("type", "any value")
    if kind == "array":
        return Html(f"list of {_type(schema.get('items', {}))}")
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Html(f"object of {_type(schema['additionalProperties'])}")
    return Html(element("span", f"{schema['format']} {kind}" if "format" in schema else str(kind)))


_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minimum", "maximum", ""),
    ("exclusiveMinimum", "exclusiveMaximum", " (exclusive)"),
)


def _limits(schema: Json) -> list[str]:
    """What a value must keep to, in words."""
    found: list[str] = []
    for low, high, unit in _RANGES:
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            found.append(f"{least:,} to {most:,}{unit}")
        elif most is not None:
            found.append(f"at most {most:,}{unit}")
        elif least is not None:
            found.append(f"at least {least:,}{unit}")
    if "pattern" in schema:
        found.append(f"matches {schema['pattern']}")
    for part in schema.get("anyOf", []):
        found += _limits(part)
    return found
