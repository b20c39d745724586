"""The page of a picture and the page of terms, as HTML that runs no script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from imagemarket.catalog.models import LicenseType
from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.rights import Rights
from imagemarket.platform.markup import Content, Html, element
from imagemarket.search.details import ImageDetail

_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_MEANINGS = {
    LicenseType.STANDARD: "for websites, social media, presentations and the like",
    LicenseType.ENHANCED: "also for print in any number, for merchandise and for templates that are sold",
    LicenseType.EDITORIAL: "for news, comment and teaching alone, never to advertise anything",
}
_DESCRIPTION_LETTERS = 300
_NAMES = {category.slug: category.name for category in CATEGORIES}


def content_security_policy(pictures: Iterable[str]) -> str:
    """Nothing but the style that stands in the page, and pictures from where these lie."""
    origins = sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, pictures)})
    images = f"img-src 'self' {' '.join(origins)}; " if origins else ""
    return (
        f"default-src 'none'; {images}style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


def image_page(detail: ImageDetail, *, base_url: str) -> str:
    """An approved picture, as its renditions' `plus:LicensorURL` leads to it."""
    rights = Rights.of(detail.contributor.name, detail.id, base_url=base_url)
    maker = detail.contributor.name
    facts: list[tuple[str, Content]] = [
        ("Made by", maker),
        ("Kind", detail.image_type.value.capitalize()),
        ("Original", f"{detail.width} by {detail.height} pixels"),
        ("Published", element("time", f"{detail.published_at:%Y-%m-%d}", datetime=f"{detail.published_at:%Y-%m-%d}")),
        ("Categories", ", ".join(_NAMES.get(slug, slug) for slug in detail.categories)),
        ("Tags", ", ".join(tag.tag for tag in detail.tags)),
    ]
    body = element(
        "main",
        _crumb(),
        element("h1", detail.title),
        element(
            "figure",
            element(
                "img",
                src=detail.preview_url,
                alt=detail.title,
                width=str(detail.width),
                height=str(detail.height),
            ),
            element("figcaption", f"{rights.notice}. Credit: {rights.credit}. This preview carries a watermark."),
        ),
        element("p", detail.description) if detail.description else None,
        element("dl", [[element("dt", name), element("dd", said)] for name, said in facts if said]),
        element("h2", "Licences"),
        element(
            "p", "This picture is offered under these licences; ", _terms_link("the terms"), " say what they allow."
        ),
        element("ul", [_licence(kind) for kind in detail.license_types]),
        id="content",
    )
    head = [
        element("link", rel="canonical", href=rights.page_url),
        element("link", rel="license", href=rights.terms_url),
        element("link", rel="alternate", type="application/json", href=f"{base_url}/v1/images/{detail.id}"),
        element("meta", name="description", content=_shortened(detail.description or f"{detail.title}, by {maker}")),
        element("script", _data(_image_object(detail, rights)), type="application/ld+json"),
    ]
    return _html(f"{detail.title} by {maker}", head, body)


def terms_page(*, base_url: str) -> str:
    """What `xmpRights:WebStatement` of every rendition leads to."""
    body = element(
        "main",
        _crumb(),
        element("h1", "Terms of use"),
        element(
            "p",
            "Every picture here belongs to the contributor who made it, whom its page names. Without a licence you may"
            " look at thumbnails and previews here and link to a picture's page, and no more: no copies, no changes,"
            " no use elsewhere. The watermark of a preview must stay.",
        ),
        element("h2", "What the licences allow"),
        element("p", "Each picture's page says under which of these it is offered."),
        element("ul", [_licence(kind) for kind in LicenseType]),
        element(
            "p",
            "A licence is not a sale: copyright stays with the contributor. Where a picture is published, the credit"
            " line of its page stands beside it.",
        ),
        element("h2", "Getting a licence"),
        element("p", "The checkout is not open yet, so that no licence can be bought here today."),
        id="content",
    )
    head = [
        element("link", rel="canonical", href=f"{base_url}/terms"),
        element("meta", name="description", content="What the licences of imagemarket's pictures allow."),
    ]
    return _html("Terms of use", head, body)


def missing_page(title: str, detail: str) -> str:
    """There is no such picture, or not any more."""
    body = element("main", _crumb(), element("h1", title), element("p", detail), id="content")
    return _html(title, [element("meta", name="robots", content="noindex")], body)


def _image_object(detail: ImageDetail, rights: Rights) -> dict[str, Any]:
    """The picture in the words of schema.org, with what search engines ask of a licensable one."""
    thumbnails = [each for each in detail.renditions if each.format == "jpeg"]
    thumbnail = max(thumbnails, key=lambda each: each.width * each.height, default=None)
    told: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "ImageObject",
        "name": detail.title,
        "description": detail.description or None,
        "url": rights.page_url,
        "contentUrl": detail.preview_url,
        "thumbnail": thumbnail
        and {
            "@type": "ImageObject",
            "contentUrl": thumbnail.url,
            "width": thumbnail.width,
            "height": thumbnail.height,
        },
        "license": rights.terms_url,
        "acquireLicensePage": rights.page_url,
        "creditText": rights.credit,
        "creator": {"@type": "Person", "name": rights.creator},
        "copyrightNotice": rights.notice,
        "datePublished": detail.published_at.isoformat(),
        "keywords": [tag.tag for tag in detail.tags] or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _data(document: dict[str, Any]) -> Html:
    """JSON that no text in it can end the script element of, or begin a comment in."""
    text = json.dumps(document, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Html(text)


def _licence(kind: LicenseType) -> Html:
    return element("li", element("strong", kind.value.capitalize()), f": {_MEANINGS[kind]}")


def _terms_link(text: str) -> Html:
    return element("a", text, href="/terms", rel="license")


def _crumb() -> Html:
    return element("p", "imagemarket")


def _shortened(text: str) -> str:
    return text if len(text) <= _DESCRIPTION_LETTERS else f"{text[: _DESCRIPTION_LETTERS - 1]}…"


def _html(title: str, head: Content, body: Content) -> str:
    top = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} | imagemarket"),
        head,
        element("style", Html(_STYLE)),
    )
    return f"<!doctype html>\n{element('html', top, element('body', body), lang='en')}\n"
