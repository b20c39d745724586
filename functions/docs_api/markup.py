"""Descriptions and examples as HTML."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

_COMMONMARK = MarkdownIt("commonmark", {"html": False})
"""What OpenAPI has descriptions in; HTML in them stays text."""


def prose(text: str) -> Markup:
    """A description's paragraphs."""
    return Markup(_COMMONMARK.render(text))  # noqa: S704 - which escapes


def inline(text: str) -> Markup:
    """A description of one line, without a paragraph around it."""
    return Markup(_COMMONMARK.renderInline(text))  # noqa: S704 - which escapes


_JSON_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>\b(?:true|false|null)\b|-?\d+(?:\.\d+)?)'
)
"""By hand: Pygments, which knows every language, is several times the size of all else that pages are made with."""


def json_code(value: Any) -> Markup:
    """A JSON value, indented, its tokens in spans of their kind."""
    escaped = html.escape(json.dumps(value, indent=2, ensure_ascii=False), quote=False)
    return Markup(  # noqa: S704 - escaped above
        _JSON_TOKEN.sub(lambda token: f'<span class="{token.lastgroup}">{token.group()}</span>', escaped)
    )
