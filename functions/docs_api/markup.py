"""The little Markdown of descriptions, and JSON, as HTML."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from imagemarket.platform.markup import Html, element


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
