"""How every route refuses what it does not know, and in which words limits are told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from functions.search_api.handler import handler as search_images
from imagemarket.catalog.models import ImageType
from imagemarket.platform.gateway import MAX_BODY_BYTES
from imagemarket.platform.http import FieldError, FieldLimit
from imagemarket.platform.validation import _LIMIT_WORDS, shown
from local.layout import REPOSITORY
from tests.api.events import LambdaContext, caller, http_event, json_of
from tests.api.routes import Route, break_every_engine, every_route

PAGES_FOR_PEOPLE = {"getDocs"}
"""Whose links gather parameters of others."""


@pytest.fixture(autouse=True)
def _no_engines() -> None:
    """What is refused is refused before any of them is asked."""
    break_every_engine()


def errors_of(route: Route, query: str) -> list[dict[str, Any]]:
    roles = route.operation.get("x-roles")
    sender = caller("contributor" if "contributor" in roles else roles[0]) if roles else None
    answer = route.handle(route.event(caller=sender, query=query))
    assert answer["statusCode"] == 422, answer
    errors = json_of(answer)["errors"]
    for error in errors:
        FieldError.model_validate(error)
    return errors


@pytest.mark.parametrize("query", ["utm_source=mail", "utm_source=", "utm_source", "utm_source=&utm_source="])
@pytest.mark.parametrize("route", every_route())
def test_a_parameter_that_nobody_knows_is_refused(route: Route, query: str) -> None:
    if route.name in PAGES_FOR_PEOPLE:
        assert route.handle(route.event(query=query))["statusCode"] != 422
        return
    (error,) = [each for each in errors_of(route, query) if each["field"] == "utm_source"]
    assert error["in"] == "query"
    assert error["detail"].startswith("is no parameter of this request, which takes ")
    assert "value" not in error, "what nobody asked for may be a secret"
    assert "422" in route.operation["responses"]


@pytest.mark.parametrize("query", ["q=caf%E9", "caf%E9=1", "q=caf%EF%BF%BD", "q=%C3", "q=%F0%9F%98", "q=%ED%A0%80"])
@pytest.mark.parametrize("route", every_route())
def test_a_query_that_is_no_utf8_is_refused(route: Route, query: str) -> None:
    if route.name in PAGES_FOR_PEOPLE:
        assert route.handle(route.event(query=query))["statusCode"] != 422
        return
    (error,) = errors_of(route, query)
    assert error["field"] == ("caf\ufffd" if query.startswith("caf") else "q")
    assert error["detail"] == "must be UTF-8, percent-encoded as in caf%C3%A9"
    assert "value" not in error


@pytest.mark.parametrize("name", ["searchImages", "findSimilarImages", "searchByImage", "explainSearch"])
def test_a_parameter_of_a_search_that_is_left_empty_is_absent_and_one_of_no_name_is_not(name: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    known = [each["name"] for each in route.operation["parameters"] if each["in"] == "query"]
    blank = "&".join(f"{each}=" for each in known)
    (error,) = errors_of(route, f"{blank}&colour=")
    assert (error["field"], error["detail"]) == ("colour", "is no parameter of this request; did you mean color?")
    (error,) = errors_of(route, f"{blank}&=")
    assert error["field"] == ""


NEAREST = [
    ("listNotifications", "limti=1", "limit"),
    ("listNotifications", "unraed=true", "unread"),
    ("listWebhookDeliveries", "curser=x", "cursor"),
    ("getImageStatus", "wiat=3", "wait"),
    ("getImage", "serch_id=x", "search_id"),
    ("findSimilarImages", "colour=red", "color"),
    ("searchImages", "orientaton=square", "orientation"),
    ("explainSearch", "verbatm=true", "verbatim"),
    ("suggestQueries", "q=a&limt=3", "limit"),
    ("searchByImage", "min_scor=1", "min_score"),
]


@pytest.mark.parametrize(("name", "query", "meant"), NEAREST)
def test_the_nearest_parameter_is_named(name: str, query: str, meant: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    (error,) = errors_of(route, query)
    assert error["detail"] == f"is no parameter of this request; did you mean {meant}?"


@pytest.mark.parametrize("name", ["listWebhooks", "listCategories", "getHealth", "login"])
def test_a_route_without_parameters_says_so(name: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    (error,) = errors_of(route, "limit=3")
    assert error["detail"] == "is no parameter of this request, which takes none"


LIMITS = [
    ("searchImages", "limit=0", {"minimum": 1}),
    ("searchImages", "limit=101", {"maximum": 100}),
    ("searchImages", "q=" + "a" * 201, {"max_characters": 200}),
    ("searchImages", "mode=magic", {"allowed": ["keyword", "semantic", "hybrid"]}),
    ("searchImages", "orientation=round", {"allowed": ["landscape", "portrait", "square"]}),
    ("searchImages", "people=perhaps", None),
    ("searchImages", "color_tolerance=51", {"maximum": 50}),
    ("searchImages", "min_aspect_ratio=2&max_aspect_ratio=1", {"minimum": 2}),
    ("searchImages", "date_from=2026-02-02&date_to=2026-02-01", {"minimum": "2026-02-02"}),
    ("searchImages", "page=51", {"maximum": 50}),
    ("searchImages", "type=photo&type=photo&type=photo&type=photo", {"max_items": 3}),
    ("suggestQueries", "q=", {"min_characters": 1}),
    ("listNotifications", "limit=0", {"minimum": 1}),
    ("getImageStatus", "wait=31", {"maximum": 30}),
]


@pytest.mark.parametrize(("name", "query", "limit"), LIMITS)
def test_a_limit_is_told_in_words_of_this_api(name: str, query: str, limit: dict[str, Any] | None) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    (error,) = errors_of(route, query)
    assert error.get("limit") == limit


NUMBERS = [
    *(("listNotifications", f"limit={value}", "must be a whole number in digits") for value in ("nan", "-inf", "1e3")),
    ("listNotifications", "limit=" + "9" * 5000, "has too many digits"),
    *(
        ("searchImages", f"min_aspect_ratio={value}", "must be a number in digits, such as 1.5")
        for value in ("nan", "inf", "-Infinity", "+nan", "1e400")
    ),
    ("searchImages", "min_aspect_ratio=" + "9" * 400, "must be at most 100"),
    ("searchImages", "min_aspect_ratio=100.5", "must be at most 100"),
    ("searchImages", "min_aspect_ratio=0", "must be at least 0.01"),
    ("searchImages", "min_score=-1&q=a", "must be at least 0"),
    ("searchByImage", "min_score=1.5", "must be at most 1"),
]
MISSPELT = (
    "1_0",
    "+1",
    "%2B1",
    "%201",
    "1%20",
    "1%0a",
    "%0a1",
    "1.",
    "1,0",
    "1e0",
    "0x1",
    "-0",
    "--1",
    "%D9%A1",
    "1%00",
)


@pytest.mark.parametrize(("name", "query", "detail"), NUMBERS)
def test_what_is_no_number_has_no_limit(name: str, query: str, detail: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    (error,) = errors_of(route, query)
    assert error["detail"] == detail
    assert ("limit" in error) == (" at " in detail)


@pytest.mark.parametrize("route", every_route())
def test_a_number_is_written_in_digits(route: Route) -> None:
    for parameter in route.operation.get("parameters", []):
        kinds = {each.get("type") for each in (parameter["schema"], *parameter["schema"].get("anyOf", []))}
        if parameter["in"] != "query" or not kinds & {"integer", "number"}:
            continue
        whole = "integer" in kinds
        for value in (*MISSPELT, *(("1.0", "0.5") if whole else ("0.1_1", "-0.0", "0..5", "1.0.0"))):
            told = errors_of(route, f"{parameter['name']}={value}")
            (error,) = [each for each in told if each["field"] == parameter["name"]]
            assert error["detail"].startswith(
                "must be a whole number in digits" if whole else "must be a number in digits"
            )
        for value in ("1", "007") if whole else ("0.5", ".5", "1", "0.50"):
            told = _errors_if_any(route, f"{parameter['name']}={value}")
            assert all("digits" not in error["detail"] for error in told)


@pytest.mark.parametrize("route", every_route())
def test_a_parameter_is_given_once_where_it_takes_one_value(route: Route) -> None:
    for parameter in route.operation.get("parameters", []):
        if parameter["in"] != "query":
            continue
        kinds = {each.get("type") for each in (parameter["schema"], *parameter["schema"].get("anyOf", []))}
        query = "&".join([f"{parameter['name']}=1"] * 2)
        if "array" in kinds:
            assert all("more than once" not in error["detail"] for error in _errors_if_any(route, query))
        else:
            (error,) = errors_of(route, query)
            assert (error["in"], error["field"]) == ("query", parameter["name"])
            assert error["detail"] == "is given more than once, and takes one value"


def _errors_if_any(route: Route, query: str) -> list[dict[str, Any]]:
    answer = route.handle(route.event(query=query))
    return json_of(answer).get("errors") or []


@pytest.mark.parametrize("name", ["listNotifications", "listWebhooks", "searchImages"])
@pytest.mark.parametrize("query", ["=1", "=1&=2"])
def test_a_parameter_without_a_name_is_none_of_the_body(name: str, query: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    for error in errors_of(route, query):
        assert (error["in"], error["field"]) == ("query", "")
        assert error["detail"].startswith("is no parameter of this request")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"size_bytes": ' + "9" * 5000 + "}", "holds a number of too many digits"),
        ('{"size_bytes": -' + "9" * 5000 + "}", "holds a number of too many digits"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a":' * 40_000, "is nested too deeply"),
        (b'{"title": "\xff"}', "must be JSON in UTF-8"),
        ('{"title": "Caf\u00e9"}'.encode("cp1252"), "must be JSON in UTF-8"),
    ],
    ids=["digits", "below zero", "lists", "objects", "no letter", "latin"],
)
def test_a_body_that_no_parser_takes_says_why(body: str | bytes, detail: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == "createUpload")
    answer = route.handle(http_event("POST", route.path, body, caller=caller("contributor")))
    assert answer["statusCode"] == 422
    assert json_of(answer)["errors"] == [{"in": "body", "field": "body", "detail": detail}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"title": "a", "title": "b"}', "title"),
        ('{"title": "a", "title": "a"}', "title"),
        ('{"title": "a", "\\u0074itle": "b"}', "title"),
        ('{"nobody": 1, "nobody": 2}', "nobody"),
        ('{"parts": [{"etag": "a"}, {"etag": "a", "number": 1, "etag": "b"}]}', "parts[1].etag"),
        ('{"a": {"b": 1, "b": 2}, "a": 3}', "a"),
        ('[[{"a": 1, "a": 2}]]', "[0][0].a"),
    ],
)
def test_a_body_that_says_a_name_twice_is_refused(body: str, field: str) -> None:
    detail = "is given more than once, and takes one value"
    taken = 0
    for each in every_route():
        route = each.values[0]
        if route.method in {"POST", "PUT", "PATCH"} and route.body() is not None:
            answer = route.handle(http_event(route.method, route.path, body, caller=caller("contributor")))
            if answer["statusCode"] == 403:
                continue
            taken += 1
            assert answer["statusCode"] == 422, route.name
            assert json_of(answer)["errors"] == [{"in": "body", "field": field, "detail": detail}], route.name
    assert taken > 8


@pytest.mark.parametrize("charset", ["iso-8859-1", '"Latin1"', "windows-1252", "utf-16", ""])
def test_json_in_another_charset_is_refused_rather_than_read_as_other_letters(charset: str) -> None:
    said = f"application/json ; Charset={charset}"
    taken = 0
    for each in every_route():
        route = each.values[0]
        if route.method in {"POST", "PUT", "PATCH"} and route.body() is not None:
            event = http_event(
                *(route.method, route.path, b'{"title": "\xc3\xa9"}'),  # also UTF-8, of another letter
                headers={"content-type": said},
                caller=caller("contributor"),
            )
            answer = route.handle(event)
            if answer["statusCode"] == 403:
                continue
            taken += 1
            assert answer["statusCode"] == 422, route.name
            (error,) = json_of(answer)["errors"]
            assert (error["in"], error["field"]) == ("header", "Content-Type"), route.name
            assert error["detail"] == f"is {said}; send application/json", route.name
    assert taken > 8


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_json_that_is_in_another_encoding_is_refused_whatever_it_says(encoding: str) -> None:
    taken = 0
    for each in every_route():
        route = each.values[0]
        if route.method in {"POST", "PUT", "PATCH"} and route.body() is not None:
            headers = {"content-type": "application/json"}
            body = '{"title": "\u00e9"}'.encode(encoding)
            answer = route.handle(
                http_event(route.method, route.path, body, headers=headers, caller=caller("contributor"))
            )
            if answer["statusCode"] == 403:
                continue
            taken += 1
            assert answer["statusCode"] == 422, route.name
            (error,) = json_of(answer)["errors"]
            assert error["field"] == "body"
            assert error["detail"].startswith(("must be JSON in UTF-8", "is not valid JSON"))
    assert taken > 8


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "us-ascii"])
def test_json_that_is_said_to_be_in_utf8_is_read(charset: str) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == "createUpload")
    headers = {"content-type": f"application/json; charset={charset}"}
    answer = route.handle(http_event("POST", route.path, "{}", headers=headers, caller=caller("contributor")))
    assert {error["in"] for error in json_of(answer)["errors"]} == {"body"}


def test_a_password_whose_letters_were_lost_is_none() -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == "register")
    answer = route.handle(http_event("POST", route.path, {"password": "caf\ufffd at the corner"}))
    errors = {error["field"]: error["detail"] for error in json_of(answer)["errors"]}
    assert "send the text in UTF-8" in errors["password"]


BODIES = [
    ("createUpload", {"image_type": "video"}, {"allowed": list(ImageType)}),
    ("createUpload", {"license_types": []}, {"min_items": 1}),
    ("createUpload", {"tags": ["a"] * 51}, {"max_items": 50}),
    ("createUpload", {"title": ""}, {"min_characters": 1}),
    ("createUpload", {"sha256": "x"}, {"pattern": "^[0-9a-f]{64}$"}),
    ("createUpload", {"content_type": "image/png"}, {"allowed": ["image/jpeg"]}),
    ("login", {"password": "x" * 257}, {"max_characters": 256}),
    ("markNotificationsRead", {"ids": 7}, None),
]


@pytest.mark.parametrize(("name", "changed", "limit"), BODIES)
def test_so_are_the_limits_of_a_body(name: str, changed: dict[str, Any], limit: dict[str, Any] | None) -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == name)
    answer = route.handle(route.event({**(route.body() or {}), **changed}, caller=caller("contributor")))
    assert answer["statusCode"] == 422
    (error,) = json_of(answer)["errors"]
    FieldError.model_validate(error)
    assert error.get("limit") == limit


def test_every_word_for_a_limit_is_in_the_document() -> None:
    assert {word for _, word in _LIMIT_WORDS.values()} <= set(FieldLimit.model_fields)


def test_the_example_of_the_documentation_is_what_the_api_says() -> None:
    text = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    found = re.search(r"`/v1/search\?(?P<query>\S+)`\.\n\n```json\n(?P<errors>.*?)```", text, re.DOTALL)
    assert found is not None
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == "searchImages")
    assert errors_of(route, found["query"]) == json.loads(found["errors"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "search_id=x", "limit=3"])
def test_the_address_of_uploads_is_no_images(method: str, query: str) -> None:
    answer = search_images(http_event(method, "/v1/images/upload", query=query), LambdaContext())
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")
    other = search_images(http_event(method, "/v1/images/uploads", query=query), LambdaContext())
    assert other["statusCode"] == 422


MOST_TOLD_BYTES = 16 * 1024
LONGEST_QUERY = 10_000
"""The gateway's limit of the request line and headers, less the rest of them."""


def _many(wanted: int, each: Callable[[int], str]) -> Iterator[str]:
    """Texts of so many letters together, each with a separator."""
    for number in count():
        text = each(number)
        wanted -= len(text) + 1
        if wanted < 0:
            return
        yield text


def _largest_bodies(route: Route) -> Iterator[tuple[str, str | None]]:
    """Bodies of the greatest allowed size with as many faults as they hold, each with the field that is told first;
    None where that is of no matter."""
    size = MAX_BODY_BYTES - 8 * 1024
    example = route.body() or {}
    for each in (lambda n: f'"{n:x}":1', lambda n: f'"{n:03}{chr(92)}u0001{"a" * 300}":1', lambda n: f'"z{n:05}":[]'):
        unknown = list(_many(size, each))
        names = [json.dumps(example)[1:-1], *unknown] if example else unknown
        yield "{" + ",".join(names) + "}", shown(next(iter(json.loads("{" + unknown[0] + "}"))))
    hidden = "".join(f'{{"{n:03}{"a" * 200}":' for n in range(400))
    yield hidden + '{"a":1,"a":2}' + "}" * 400, None
    for name in example:
        for item in ("1", '"\\ud800"', '{"a":1}'):
            listed = f"[{','.join(_many(size, lambda _, item=item: item))}]"
            yield json.dumps(example | {name: None}).replace(f'"{name}": null', f'"{name}": {listed}'), None


@pytest.mark.parametrize("route", [each for each in every_route() if each.values[0].body() is not None])
def test_a_body_of_faults_alone_is_answered_in_few_words(route: Route) -> None:
    """The sender says how many faults there are; the answer of Lambda takes 6 MB."""
    roles = route.operation.get("x-roles")
    sender = caller("contributor" if "contributor" in roles else roles[0]) if roles else None
    for body, first in _largest_bodies(route):
        answer = route.handle(route.event(caller=sender) | {"body": body})
        assert len(answer["body"].encode()) < MOST_TOLD_BYTES
        assert answer["statusCode"] == 422, answer
        if first is None:
            continue
        told = json_of(answer)
        assert told["errors"][0]["field"] == first
        assert told["errors"][0]["detail"].startswith("is no field of this request")
        found = len(json.loads(body)) - len(route.body() or {})
        others = len(told["errors"]) - 1
        assert 9 < others < 20
        more = f"({others} more in `errors`, {found - others - 1} more that are not told)."
        assert told["detail"] == f"{first}: {told['errors'][0]['detail']} {more}"


@pytest.mark.parametrize("route", every_route())
def test_a_query_of_faults_alone_is_answered_in_few_words(route: Route) -> None:
    roles = route.operation.get("x-roles")
    sender = caller("contributor" if "contributor" in roles else roles[0]) if roles else None
    names = [each["name"] for each in route.operation.get("parameters", []) if each["in"] == "query"]
    signs = "%01" * 33
    queries = {
        "&".join(_many(LONGEST_QUERY, each))
        for each in (
            lambda n: f"a{n:x}",
            lambda n: f"{signs}{n}=1",
            lambda n: f"\U0001d4d0{n:x}",
            lambda n: f"%FF{n}",
            *(lambda _, name=name: f"{name}=a" for name in names),
            *(lambda _, name=name: f"{name}={signs}" for name in names),
        )
    } | {f"{name}=" + ",".join(_many(LONGEST_QUERY, lambda _: "a")) for name in names}
    for query in queries:
        answer = route.handle(route.event(caller=sender, query=query))
        if answer["statusCode"] == 200 and answer["headers"]["content-type"].startswith("text/html"):
            continue  # a page for people takes anything
        assert len(answer["body"].encode()) < MOST_TOLD_BYTES
        if answer["statusCode"] == 422:
            alone = json_of(route.handle(route.event(caller=sender, query="a0")))["errors"]
            assert not query.startswith("a0") or json_of(answer)["errors"][0] == alone[0]


def test_few_faults_are_all_told() -> None:
    (route,) = (each.values[0] for each in every_route() if each.values[0].name == "login")
    answer = json_of(route.handle(route.event({**(route.body() or {}), "user": 1, "name": 2, "q": 3})))
    assert [error["field"] for error in answer["errors"]] == ["user", "name", "q"]
    assert answer["detail"].startswith("user: is no field of this request")
    assert answer["detail"].endswith(" (2 more in `errors`).")
