"""The pages that a rendition's rights lead to, through the Lambda handler, on a real PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any
from uuid import UUID

import pytest

from functions.image_pages.handler import handler
from imagemarket.imaging.xmp_rights import Rights
from imagemarket.platform.database import Database
from imagemarket.search.details import ImageDetails
from tests.api.events import LambdaContext, http_event
from tests.api.test_docs import Page
from tests.integration.rows import a_contributor
from tests.integration.test_search_documents import an_approved_image, set_status
from tests.provided import provide

pytestmark = pytest.mark.engines
BASE, MEDIA = "https://market.test", "https://cdn.test/media"


@pytest.fixture(autouse=True)
def _market(database: Database) -> None:
    details = ImageDetails(database=database, media_base_url=MEDIA, public_base_url=BASE)
    provide("search.image_details", details)
    provide("resources.public_base_url", BASE)


@pytest.fixture
def image(database: Database) -> UUID:
    return an_approved_image(database, a_contributor(database))


def get(path: str, **headers: str) -> dict[str, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return handler(http_event("GET", path, headers=names), LambdaContext())


def data_of(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    return json.loads(text)


def test_a_picture_has_a_page_for_people(image: UUID) -> None:
    answer = get(f"/images/{image}")
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    html = answer["body"]
    page = Page(html)
    assert (page.tags.count("h1"), page.tags.count("img")) == (1, 1)
    for said in ("Golden sunset", "A sunset over the sea.", "Ada / imagemarket", "sunset, ocean, cloud", "Standard"):
        assert said in page.text
    assert "Editorial" not in page.text, "no licence that it is not offered under"
    assert f'<link rel="canonical" href="{BASE}/images/{image}">' in html
    assert f'<img src="{BASE}/v1/images/{image}/preview" alt="Golden sunset"' in html
    assert 'href="/terms"' in html


def test_search_engines_are_told_what_makes_it_licensable(image: UUID) -> None:
    told = data_of(get(f"/images/{image}")["body"])
    thumbnail = told.pop("thumbnail")
    assert re.fullmatch(rf"{MEDIA}/thumbnails/{image}/450-\w+\.jpeg", thumbnail.pop("contentUrl"))
    assert thumbnail == {"@type": "ImageObject", "width": 450, "height": 300}
    assert told == {
        "@context": "https://schema.org/",
        "@type": "ImageObject",
        "name": "Golden sunset",
        "description": "A sunset over the sea.",
        "url": f"{BASE}/images/{image}",
        "contentUrl": f"{BASE}/v1/images/{image}/preview",
        "license": f"{BASE}/terms",
        "acquireLicensePage": f"{BASE}/images/{image}",
        "creditText": "Ada / imagemarket",
        "creator": {"@type": "Person", "name": "Ada"},
        "copyrightNotice": "© Ada",
        "datePublished": told["datePublished"],
        "keywords": ["sunset", "ocean", "cloud"],
    }


def test_the_rights_of_renditions_lead_to_pages_that_are_there(image: UUID) -> None:
    rights = Rights.of("Ada", image, base_url=BASE)
    for url in (rights.page_url, rights.terms_url):
        answer = get(url.removeprefix(BASE))
        assert (answer["statusCode"], answer["headers"]["content-type"][:9]) == (200, "text/html")


def test_no_original_and_no_clean_rendition_is_shown(image: UUID) -> None:
    html = get(f"/images/{image}")["body"]
    for secret in ("originals/", "clean", "a.jpg", "1000"):
        assert secret not in html
    media = re.findall(rf"{MEDIA}/([^\"<]+)", html)
    assert media
    assert all(each.startswith("thumbnails/") for each in media)


def test_words_of_a_contributor_stay_words(database: Database) -> None:
    evil = "</script><script>alert(1)</script><!-- \" ' & <b>"
    contributor = a_contributor(database)
    with database.transaction() as connection:
        connection.execute("UPDATE users SET display_name = %s WHERE id = %s", (evil, contributor))
    image = an_approved_image(database, contributor, title=evil, description=evil)
    html = get(f"/images/{image}")["body"]
    page = Page(html)
    assert page.tags.count("script") == 1
    assert "b" not in page.tags
    assert "<!--" not in html
    assert not {name for name in page.attributes if name.startswith("on")}
    assert (data_of(html)["name"], data_of(html)["creator"]["name"]) == (evil, evil)


def test_the_page_runs_nothing_and_loads_pictures_alone(image: UUID) -> None:
    for path in (f"/images/{image}", "/terms", "/images/none"):
        answer = get(path)
        policy = answer["headers"]["content-security-policy"]
        (style,) = re.findall(r"<style>(.*?)</style>", answer["body"], re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy.startswith("default-src 'none'; ")
        assert f"style-src 'sha256-{digest}'" in policy
        assert "script-src" not in policy
        assert ("img-src 'self' https://cdn.test https://market.test;" in policy) == (path == f"/images/{image}")
        assert answer["headers"]["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("status", "told"),
    [("processing", 404), ("rejected", 404), ("pending_review", 404), ("taken_down", 410), ("deleted", 410)],
)
def test_what_is_not_approved_has_a_page_that_says_so(database: Database, image: UUID, status: str, told: int) -> None:
    set_status(database, image, status, 3)
    answer = get(f"/images/{image}")
    assert (answer["statusCode"], answer["headers"]["content-type"][:9]) == (told, "text/html")
    assert "Golden" not in answer["body"]
    assert "ld+json" not in answer["body"]
    assert (answer["headers"]["x-robots-tag"], answer["headers"]["cache-control"]) == ("noindex", "no-store")


@pytest.mark.parametrize("name", ["none", "0", "00000000-0000-7000-8000-000000000000", "%3Cscript%3E"])
def test_where_no_picture_is_there_is_a_page_as_well(name: str) -> None:
    answer = get(f"/images/{name}")
    assert (answer["statusCode"], answer["headers"]["content-type"][:9]) == (404, "text/html")
    assert "<script" not in answer["body"]


def test_a_page_that_did_not_change_is_not_sent_again(image: UUID) -> None:
    for path in (f"/images/{image}", "/terms"):
        answer = get(path)
        assert answer["headers"]["cache-control"].startswith("public")
        assert get(path, if_none_match=answer["headers"]["etag"])["statusCode"] == 304


def test_the_terms_say_what_each_licence_allows() -> None:
    page = Page(get("/terms")["body"])
    for said in ("Terms of use", "Standard", "Enhanced", "Editorial", "not open yet"):
        assert said in page.text
