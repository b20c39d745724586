"""Which format a browser is redirected to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.delivery.service import preferred_format


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "avif"),
        ("image/webp,*/*", "webp"),
        ("IMAGE/WEBP ; q=0.5, image/jpeg", "webp"),
        ("image/avif;q=0, image/webp", "webp"),
        ("*/*", "jpeg"),
        ("image/*", "jpeg"),
        ("", "jpeg"),
        ("text/html", "jpeg"),
    ],
)
def test_the_smallest_format_that_is_named(accept: str, chosen: str) -> None:
    assert preferred_format(accept) == chosen


@given(st.text(max_size=200))
def test_any_header_gets_a_format(accept: str) -> None:
    assert preferred_format(accept) in {"avif", "webp", "jpeg"}
