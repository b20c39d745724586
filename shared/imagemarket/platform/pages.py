"""Pages for people: Jinja2 templates in one frame, without scripts, under a policy that lets nothing else be loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FRAME = Path(__file__).with_name("templates")


class Pages:
    """The pages of the function whose `folder` holds their templates, each of which extends `frame.html`, and the
    `page.css` that follows the frame's own style. Whatever is no markup is escaped, and a name that nothing was given
    for is an error."""

    def __init__(self, folder: Path, *, filters: Mapping[str, Callable[..., Any]] | None = None) -> None:
        style = "".join(each.read_text(encoding="utf-8") for each in (_FRAME / "frame.css", folder / "page.css"))
        self._style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._environment = Environment(
            loader=FileSystemLoader([folder, _FRAME]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self._environment.filters |= filters or {}
        self._environment.globals["style"] = Markup(style)  # noqa: S704 - of files beside the code

    def render(self, template: str, **values: Any) -> str:
        """The HTML of a page."""
        return self._environment.get_template(template).render(values)

    def content_security_policy(self, images: Iterable[str] = ()) -> str:
        """Allows the style that stands in the page, and images from this origin and those of the URLs given."""
        origins = sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, images)})
        sources = f"img-src 'self' {' '.join(origins)}; " if origins else ""
        return (
            f"default-src 'none'; {sources}style-src 'sha256-{self._style_hash}'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'none'"
        )
