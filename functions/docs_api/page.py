"""The page that explains the API to people, made from its OpenAPI document, and the pages of its problems.

They run no script and load nothing, so that they work offline and under the strictest policy.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from functions.docs_api.markup import inline, json_code, prose
from imagemarket.platform.pages import Pages

Json = dict[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")


def docs_page(document: Json, *, base_url: str) -> str:
    """The whole API on one page; `base_url` stands in the curl lines, without a trailing slash."""
    groups = [(tag, list(_operations(document, tag["name"]))) for tag in document["tags"]]
    return PAGES.render(
        "docs.html", document=document, groups=[group for group in groups if group[1]], base_url=base_url
    )


def problem_page(problem: Json) -> str:
    """A page about one kind of problem, from its `ProblemType`."""
    return PAGES.render("problem.html", problem=problem)


def _operations(document: Json, tag: str) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS and tag in operation["tags"]:
                yield path, method, operation


# --- Filters of the templates ------------------------------------------------------------------


def _anchor(name: str) -> str:
    return "tag-" + re.sub(r"[^a-z0-9]+", "-", name.lower())


def _success_example(operation: Json) -> Any:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            return answer.get("content", {}).get("application/json", {}).get("example")
    return None


def _curl(operation: Json, method: str, url: str) -> str:
    """A command that asks for the operation as its examples have it; `url` may hold parameters of the path."""
    query: list[str] = []
    options: list[str] = []
    for parameter in operation.get("parameters", []):
        if "example" not in parameter:
            continue
        name, value = parameter["name"], str(parameter["example"])
        if parameter["in"] == "path":
            url = url.replace(f"{{{name}}}", quote(value, safe=""))
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
    verb = "curl -s" if method == "get" else f"curl -s -X {method.upper()}"
    address = shlex.quote(url + ("?" + "&".join(query) if query else ""))
    return " \\\n  ".join([f"{verb} {address}", *options])


def _resolved(value: Json, document: Json) -> Json:
    """The value, or what it refers to."""
    if "$ref" not in value:
        return value
    found: Any = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minimum", "maximum", ""),
    ("exclusiveMinimum", "exclusiveMaximum", " (exclusive)"),
)


def _limits(schema: Json) -> list[str]:
    """What a value must keep to, in words, and what it is where none is given."""
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
    default = schema.get("default")
    if default not in (None, "", [], {}):
        found.append(f"default {default if isinstance(default, str) else json.dumps(default)}")
    return found


PAGES = Pages(
    Path(__file__).parent,
    filters={
        "anchor": _anchor,
        "curl": _curl,
        "inline": inline,
        "json_code": json_code,
        "limits": _limits,
        "prose": prose,
        "resolved": _resolved,
        "success_example": _success_example,
    },
)
