"""Building HTML by hand, safely: whatever is not `Html` already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

_VOID = {"meta", "link", "br", "hr", "img"}


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
