"""The page of a picture and the page of terms, as HTML that runs no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imagemarket.catalog.models import LicenseType
from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.xmp_rights import Rights
from imagemarket.platform.pages import Pages
from imagemarket.search.details import ImageDetail

PAGES = Pages(Path(__file__).parent)
_NAMES = {category.slug: category.name for category in CATEGORIES}


def image_page(detail: ImageDetail, *, base_url: str) -> str:
    """An approved picture, as its renditions' `plus:LicensorURL` leads to it."""
    rights = Rights.of(detail.contributor.name, detail.id, base_url=base_url)
    return PAGES.render(
        "image.html",
        detail=detail,
        rights=rights,
        categories=[_NAMES.get(slug, slug) for slug in detail.categories],
        data_url=f"{base_url}/v1/images/{detail.id}",
        image_object=_image_object(detail, rights),
    )


def terms_page(*, base_url: str) -> str:
    """What `xmpRights:WebStatement` of every rendition leads to."""
    return PAGES.render("terms.html", license_types=list(LicenseType), terms_url=f"{base_url}/terms")


def missing_page(title: str, detail: str) -> str:
    """There is no such picture, or not any more."""
    return PAGES.render("missing.html", title=title, detail=detail)


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
