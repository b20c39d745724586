"""Pages for people: what their templates cannot get wrong."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from imagemarket.platform.pages import Pages


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "page.css").write_text("p { color: red; }\n")
    (tmp_path / "page.html").write_text(
        '{% extends "frame.html" %}{% block title %}{{ title }}{% endblock %}{% block kind %}test{% endblock %}'
        '{% block content %}<p title="{{ title }}">{{ said | loud }}</p>{% endblock %}'
    )
    return Pages(tmp_path, filters={"loud": str.upper})


def test_what_is_no_markup_is_escaped(pages: Pages) -> None:
    html = pages.render("page.html", title="\"'<b>&", said="<i>")
    assert '<p title="&#34;&#39;&lt;b&gt;&amp;">&lt;I&gt;</p>' in html
    assert "<title>&#34;&#39;&lt;b&gt;&amp;</title>" in html


def test_a_name_that_nothing_was_given_for_is_an_error(pages: Pages) -> None:
    with pytest.raises(UndefinedError, match="title"):
        pages.render("page.html", said="x")


def test_the_policy_allows_the_style_of_the_page_and_no_script(pages: Pages) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", pages.render("page.html", title="", said=""), re.DOTALL)
    assert style.endswith("p { color: red; }\n")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    around = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    assert pages.content_security_policy() == f"default-src 'none'; style-src 'sha256-{digest}'; {around}"
    assert pages.content_security_policy(["https://cdn.test/a.jpeg", "https://cdn.test/b.jpeg?c=d"]) == (
        f"default-src 'none'; img-src 'self' https://cdn.test; style-src 'sha256-{digest}'; {around}"
    )
