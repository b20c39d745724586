"""What a contributor may announce, and how each refusal names its field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from imagemarket.ingestion.models import CONTENT_TYPES, MAX_UPLOAD_BYTES, PART_BYTES, UploadRequest
from imagemarket.ingestion.uploads import part_sizes


def announcement(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Golden sunset",
        "filename": "sunset.jpg",
        "content_type": "image/jpeg",
        "size_bytes": 1000,
        "image_type": "photo",
        "license_types": ["standard"],
        **changes,
    }


def test_the_least_and_the_most_are_accepted() -> None:
    UploadRequest.model_validate(announcement(size_bytes=1, title="x"))
    UploadRequest.model_validate(
        announcement(
            size_bytes=MAX_UPLOAD_BYTES,
            title="x" * 255,
            description="d" * 2000,
            tags=[f"tag {n}" for n in range(50)],
            categories=["nature", "travel"],
            license_types=["standard", "enhanced", "editorial"],
            sha256="0" * 64,
        )
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"title": ""}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "x" * 256}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"title": 7}, "title"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"size_bytes": MAX_UPLOAD_BYTES + 1}, "size_bytes"),
        ({"size_bytes": "1000"}, "size_bytes"),
        ({"size_bytes": True}, "size_bytes"),
        ({"tags": [f"t{n}" for n in range(51)]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 101]}, "tags"),
        ({"categories": ["cats-in-hats"]}, "categories"),
        ({"filename": "sunset.gif"}, "filename"),
        ({"filename": "jpg"}, "filename"),
        ({"filename": "../sunset.jpg"}, "filename"),
        ({"content_type": "image/png"}, "content_type"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"sha256": "0" * 63}, "sha256"),
        ({"image_type": "video"}, "image_type"),
        ({"license_types": []}, "license_types"),
        ({"license_types": ["royalty"]}, "license_types"),
        ({"status": "approved"}, "status"),
        ({"contributor_id": "0190b2f0-0000-7000-8000-000000000000"}, "contributor_id"),
    ],
)
def test_a_refusal_names_the_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        UploadRequest.model_validate(announcement(**changes))
    assert named in str(refused.value)


def test_tags_are_lowered_trimmed_and_said_once() -> None:
    request = UploadRequest.model_validate(announcement(tags=[" Sea ", "sea", "SUN"], categories=["nature", "nature"]))
    assert request.tags == ["sea", "sun"]
    alike = ["\u2b50\ufe0f", "\u2b50", "\u06a9\u0627\u0631\u0647\u0627", "\u06a9\u0627\u0631\u200c\u0647\u0627"]
    assert UploadRequest.model_validate(announcement(tags=alike)).tags == alike[::2]
    assert request.categories == ["nature"]


@pytest.mark.parametrize("extension", CONTENT_TYPES)
def test_every_accepted_extension_has_a_type_that_fits(extension: str) -> None:
    for content_type in CONTENT_TYPES[extension]:
        request = UploadRequest.model_validate(
            announcement(filename=f"PICTURE.{extension.upper()}", content_type=content_type)
        )
        assert request.extension == extension


@given(st.integers(min_value=1, max_value=MAX_UPLOAD_BYTES))
def test_parts_make_up_the_file(size: int) -> None:
    parts = part_sizes(size)
    assert sum(bytes_ for _, bytes_ in parts) == size
    assert [number for number, _ in parts] == list(range(1, len(parts) + 1))
    assert all(bytes_ == PART_BYTES for _, bytes_ in parts[:-1])
    assert 0 < parts[-1][1] <= PART_BYTES
