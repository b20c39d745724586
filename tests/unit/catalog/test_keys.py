"""The keys of an image's objects: what is written is read back, and what is no key of ours names no image."""

from __future__ import annotations

from uuid import UUID

import pytest

from imagemarket.catalog.keys import (
    OF_KIND,
    Folder,
    content_hash_of,
    image_of,
    image_of_original,
    original_key,
    quarantine_key,
    quarantined,
    rendition_key,
)

IMAGE = UUID("01930000-0000-7000-8000-000000000001")
OWNER = UUID("01930000-0000-7000-8000-0000000000ff")


def test_an_original_lies_under_its_contributor_and_names_its_image() -> None:
    key = original_key(OWNER, IMAGE, "jpg")
    assert key == f"originals/{OWNER}/{IMAGE}.jpg"
    assert image_of_original(key) == image_of(key) == IMAGE


@pytest.mark.parametrize("kind", OF_KIND)
def test_a_rendition_names_its_image_and_its_content(kind: str) -> None:
    key = rendition_key(kind, IMAGE, long_edge=450, content_hash="0123456789abcdef", extension="webp")
    assert key == f"{OF_KIND[kind]}/{IMAGE}/450-0123456789abcdef.webp"
    assert image_of(key) == IMAGE
    assert image_of_original(key) is None
    assert content_hash_of(key) == "0123456789abcdef"


def test_what_is_in_quarantine_knows_where_it_came_from() -> None:
    public = rendition_key("preview", IMAGE, long_edge=1000, content_hash="0" * 16, extension="jpg")
    kept = quarantine_key(IMAGE, public)
    assert kept.startswith(Folder.QUARANTINE.of(IMAGE))
    assert quarantined(kept) == public
    assert image_of(kept) == IMAGE


@pytest.mark.parametrize(
    "key",
    [
        "",
        "originals/",
        f"originals/{IMAGE}.jpg",
        f"originals/{OWNER}/{IMAGE}",
        f"originals/{OWNER}/{IMAGE}.jpg/x",
        f"originals/{OWNER}/{IMAGE}.JPG",
        f"originals/{OWNER}/x/{IMAGE}.jpg",
        f"thumbnails/{IMAGE}",
        "thumbnails/nobody/150-a.webp",
        f"thumbnails/{IMAGE}x/150-a.webp",
    ],
)
def test_other_keys_name_no_image(key: str) -> None:
    assert image_of(key) is None


def test_a_key_without_a_hash_tells_none() -> None:
    assert content_hash_of(f"thumbnails/{IMAGE}/150.webp") is None
