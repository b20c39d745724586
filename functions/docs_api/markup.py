"""Building HTML by hand, safely: whatever is not `Html` already is escaped."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any

_VOID = {"meta", "link", "br", "hr"}


class Html(str):
    """Markup that is ready for the page."""

    __slots__ = ()


Content = str | Html | Iterable["Content"] | None


def render(content: Content) -> Html:
    """Text escaped, markup as it is, lists joined, None left out."""
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(html.escape(content, quote=False))
    return Html("".join(render(part) for part in content))


def element(tag: str, *content: Content, **attributes: str | bool | None) -> Html:
    """One element. `class_` and `for_` lose the underscore, others get hyphens; None and False are left out."""
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{written}>" if tag in _VOID else f"<{tag}{written}>{render(content)}</{tag}>")


def prose(text: str) -> Html:
    """Paragraphs of the little Markdown that descriptions use: `code` and **strong**."""
    return Html("".join(f"<p>{inline(paragraph)}</p>" for paragraph in re.split(r"\n\s*\n", text.strip()) if paragraph))


def inline(text: str) -> Html:
    """One line of text with `code` and **strong**."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return Html(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escaped))


_JSON_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>\b(?:true|false|null)\b|-?\d+(?:\.\d+)?)'
)


def json_code(value: Any) -> Html:
    """A JSON value, indented and coloured."""
    source = json.dumps(value, indent=2, ensure_ascii=False)
    parts: list[str] = []
    end = 0
    for token in _JSON_TOKEN.finditer(source):
        parts.append(html.escape(source[end : token.start()], quote=False))
        parts.append(element("span", token.group(), class_=str(token.lastgroup)))
        end = token.end()
    parts.append(html.escape(source[end:], quote=False))
    return element("pre", element("code", Html("".join(parts))), tabindex="0")
