"""The documentation API through its Lambda handler."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from functions.docs_api import routes
from functions.docs_api.handler import handler
from functions.docs_api.markup import inline, json_code, prose
from functions.docs_api.page import docs_page
from imagemarket.platform.errors import error_classes
from local import openapi
from tests.api.events import LambdaContext, http_event, json_of
from tests.api.routes import break_every_engine
from tests.provided import provide

BASE_URL = "http://market.test"


@pytest.fixture(autouse=True)
def _at_an_address() -> None:
    provide("resources.public_base_url", BASE_URL)
    routes._docs_html.cache_clear()


def get(path: str, **headers: str) -> dict[str, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return handler(http_event("GET", path, headers=names), LambdaContext())


class Page(HTMLParser):
    """What a browser would find: elements by tag, ids, text; unbalanced markup is an error."""

    _VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        self.attributes |= set(found)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if found.get("href"):
            self.links.append(str(found["href"]))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_health_says_that_it_lives_and_nothing_of_engines() -> None:
    answer = get("/v1/health")
    assert (answer["statusCode"], json_of(answer)) == (200, {"status": "ok", "version": "1.0.0"})
    assert answer["headers"]["cache-control"] == "no-store"


def test_health_needs_no_settings_and_no_engine() -> None:
    break_every_engine()
    assert get("/v1/health")["statusCode"] == 200


def test_the_document_is_served_as_committed_and_not_sent_twice() -> None:
    answer = get("/v1/openapi.json")
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["body"] == openapi.TARGET.read_text(encoding="utf-8")
    etag = answer["headers"]["etag"]
    for named in (etag, f'"other", {etag.removeprefix("W/")}', "*"):
        again = get("/v1/openapi.json", if_none_match=named)
        assert (again["statusCode"], again["body"], again["headers"]["etag"]) == (304, "", etag)
    assert get("/v1/openapi.json", if_none_match='"other"')["statusCode"] == 200


def test_the_page_shows_every_operation_and_schema() -> None:
    answer = get("/v1/docs")
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"].startswith("text/html")
    page = Page(answer["body"])
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    for path, _, operation in openapi.operations(document):
        assert operation["operationId"] in page.ids
        assert path in page.text
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = Page(get("/v1/docs")["body"])
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert get(link)["statusCode"] == 200, link


def test_the_page_runs_nothing_and_loads_nothing() -> None:
    for path in ("/v1/docs", "/v1/problems/conflict"):
        answer = get(path, accept="text/html")
        page = Page(answer["body"])
        assert not {"script", "iframe", "img", "link", "object", "form"} & set(page.tags)
        assert not [name for name in page.attributes if name.startswith("on") or name in {"style", "src"}]
        assert all(not urlsplit(link).netloc for link in page.links)
        policy = answer["headers"]["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        style = re.search(r"<style>(.*?)</style>", answer["body"], re.DOTALL)
        assert style
        assert "url(" not in style[1]
        assert "@import" not in style[1]
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in policy, "the browser would refuse the style"


def test_the_curl_lines_are_what_a_shell_reads() -> None:
    document = json.loads(openapi.TARGET.read_text(encoding="utf-8"))
    page = docs_page(document, base_url=BASE_URL)
    import html

    lines = [html.unescape(text) for text in re.findall(r"<pre[^>]*><code>(curl .*?)</code>", page, re.DOTALL)]
    assert len(lines) == sum(1 for _ in openapi.operations(document))
    for line in lines:
        words = shlex.split(line)
        (address,) = [word for word in words if word.startswith(BASE_URL)]
        assert "{" not in address, "a path parameter without an example"
        if "-d" in words:
            json.loads(words[words.index("-d") + 1])


def test_the_page_is_not_sent_twice() -> None:
    etag = get("/v1/docs")["headers"]["etag"]
    assert get("/v1/docs", if_none_match=etag)["statusCode"] == 304


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.slug)
def test_every_kind_of_problem_has_a_page_and_a_document(error: Any) -> None:
    path = f"/v1/problems/{error.slug}"
    answer = get(path)
    kind = json_of(answer)
    assert (kind["type"], kind["title"], kind["status"]) == (path, error.title, error.status)
    assert kind["retryable"] is error.retryable
    assert len(kind["explanation"]) > 20
    page = get(path, accept="text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    assert page["headers"]["content-type"].startswith("text/html")
    assert error.title in Page(page["body"]).text
    for each in (answer, page):
        assert "Accept" in each["headers"]["vary"].split(", ")


def test_an_unknown_kind_of_problem_is_a_problem() -> None:
    answer = get("/v1/problems/<script>")
    assert (answer["statusCode"], json_of(answer)["type"]) == (404, "/v1/problems/not-found")


PREFLIGHT = {
    "origin": "http://localhost:5173",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/auth/login", "POST, OPTIONS"),
        ("/v1/images/0192f0c4-7b1a-7cde-8f01-23456789abcd", "GET, HEAD, OPTIONS"),
        ("/v1/webhooks", "GET, HEAD, POST, OPTIONS"),
        ("/v1/health", "GET, HEAD, OPTIONS"),
        ("/terms", "GET, HEAD, OPTIONS"),
        ("/v1/search/", "OPTIONS"),
        ("/v1/nowhere", "OPTIONS"),
        ("/", "OPTIONS"),
    ],
)
def test_a_browser_that_asks_before_it_calls_may_go_on(path: str, allowed: str) -> None:
    """The gateway hands a preflight of any path to this function, and browsers want a status of 2xx."""
    answer = handler(http_event("OPTIONS", path, headers=PREFLIGHT), LambdaContext())
    assert (answer["statusCode"], answer["body"], answer["headers"]["allow"]) == (204, "", allowed)
    assert not [name for name in answer["headers"] if name.startswith("access-control-")], "which the gateway adds"


def test_another_method_is_told_those_that_are_taken() -> None:
    for method, path, allowed in (
        ("DELETE", "/v1/search", "GET, HEAD"),
        ("PUT", "/v1/webhooks", "GET, HEAD, POST"),
        ("DELETE", "/terms", "GET, HEAD"),
        ("POST", "/images/0192f0c4-7b1a-7cde-8f01-23456789abcd", "GET, HEAD"),
        ("PROPFIND", "/v1/health", "GET, HEAD"),
    ):
        answer = handler(http_event(method, path), LambdaContext())
        assert (answer["statusCode"], answer["headers"]["allow"]) == (405, allowed)
        assert json_of(answer)["detail"].startswith(f"{method} is not taken here; GET and HEAD")


def test_a_slash_too_many_leads_to_what_is_meant() -> None:
    for path, meant in (("/terms/", "/terms"), ("/images/x/", "/images/x"), ("//v1//health/", "/v1/health")):
        answer = get(path)
        assert (answer["statusCode"], answer["headers"]["location"]) == (308, meant)
    assert get("/images/")["statusCode"] == get("/images")["statusCode"] == get("/nowhere/")["statusCode"] == 404


@pytest.mark.parametrize(
    "segment", ["a%5Cb", "a%3Fb", "a%23b", "a%20b", "a%25b", "a%255Cb", "%C3%A9", "a%26b%3Dc", "a%5C..%5Cb"]
)
def test_the_path_that_is_meant_is_the_one_that_was_sent(segment: str) -> None:
    answer = handler(http_event("GET", unquote(f"/images/{segment}/"), query="q=a%5Cb&x=%E9"), LambdaContext())
    assert answer["statusCode"] == 308
    assert answer["headers"]["location"] == f"/images/{segment}?q=a%5Cb&x=%E9"


@pytest.mark.parametrize("path", ["/images/%E9/", "/v1/images/%E9/", "/caf%E9", "//v1//%C3/health"])
def test_a_path_that_is_no_utf8_is_told_so(path: str) -> None:
    answer = get(unquote(path))
    assert answer["statusCode"] == 422
    (error,) = json_of(answer)["errors"]
    assert error == {"in": "path", "field": "path", "detail": "must be UTF-8, percent-encoded as in caf%C3%A9"}


def test_descriptions_are_commonmark_without_html() -> None:
    assert prose("a `<b>` c\n\n**d** <i>") == (
        "<p>a <code>&lt;b&gt;</code> c</p>\n<p><strong>d</strong> &lt;i&gt;</p>\n"
    )
    assert inline("`a` [x](javascript:alert(1)) <b>") == "<code>a</code> [x](javascript:alert(1)) &lt;b&gt;"


def test_an_example_is_text_but_for_the_spans_of_its_tokens() -> None:
    assert json_code({"a<": "</code>&", "b": -1.5, "c": [None]}) == (
        '{\n  <span class="key">"a&lt;"</span>: <span class="text">"&lt;/code&gt;&amp;"</span>,'
        '\n  <span class="key">"b"</span>: <span class="word">-1.5</span>,'
        '\n  <span class="key">"c"</span>: [\n    <span class="word">null</span>\n  ]\n}'
    )
