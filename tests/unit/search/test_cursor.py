"""Cursors are opaque, signed, bound to their query and over after a day."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagemarket.platform.clock import ManualClock
from imagemarket.search.cursor import LIFETIME, CursorSigner, Position
from imagemarket.search.errors import InvalidCursor
from imagemarket.search.request import MAX_RESULTS, SearchQuery, SimilarQuery

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SIGNER = CursorSigner(lambda: "a secret", ManualClock(NOW))
HERE = Position(40, UUID("019af9c5-1d44-7a6b-8c21-5b7f0e9a4d10"))
QUERY = SearchQuery(q="sunset", color=["red"])


@given(st.integers(1, MAX_RESULTS), st.uuids(), st.text(max_size=200))
def test_a_cursor_reads_back_for_its_own_query(passed: int, last: UUID, text: str) -> None:
    query = SearchQuery(q=text)
    cursor = SIGNER.write(Position(passed, last), query)
    assert len(cursor) < 100
    assert cursor.replace("-", "").replace("_", "").isalnum(), "fits into a URL as it is"
    asked_again = SearchQuery(q=text, cursor=cursor, limit=7)
    assert SIGNER.read(cursor, asked_again) == Position(passed, last)


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SIGNER.write(HERE, QUERY) + "=="))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidCursor, match="was changed"):
        SIGNER.read(base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="), QUERY)


@given(st.text(max_size=120))
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        SIGNER.read(text, QUERY)
    assert refused.value.status == 422
    assert refused.value.detail.startswith("cursor: ")
    assert refused.value.extensions["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    "other",
    [
        SearchQuery(q="sunrise", color=["red"]),
        SearchQuery(q="sunset"),
        SearchQuery(q="sunset", color=["red"], mode="keyword"),  # pyright: ignore[reportArgumentType]
        SearchQuery(q="sunset", color=["red"], sort="newest"),  # pyright: ignore[reportArgumentType]
        SearchQuery(q="sunset", color=["red"], people=True),
        SimilarQuery(color=["red"]),
    ],
)
def test_another_querys_cursor_is_refused(other: SearchQuery | SimilarQuery) -> None:
    with pytest.raises(InvalidCursor, match="another query"):
        SIGNER.read(SIGNER.write(HERE, QUERY), other)


def test_the_same_question_put_otherwise_goes_on() -> None:
    asked = SearchQuery(q="Sunset", color=["red", "blue"], limit=5)
    same = SearchQuery(q="sunset ", color=["blue", "red"], limit=50)
    assert SIGNER.read(SIGNER.write(HERE, asked), same) == HERE


def test_a_cursor_belongs_to_one_image_and_one_secret() -> None:
    cursor = SIGNER.write(HERE, SimilarQuery(), "one")
    assert SIGNER.read(cursor, SimilarQuery(), "one") == HERE
    with pytest.raises(InvalidCursor):
        SIGNER.read(cursor, SimilarQuery(), "two")
    with pytest.raises(InvalidCursor):
        CursorSigner(lambda: "another secret", ManualClock(NOW)).read(cursor, SimilarQuery(), "one")


def test_a_cursor_is_over_after_a_day() -> None:
    clock = ManualClock(NOW)
    signer = CursorSigner(lambda: "a secret", clock)
    cursor = signer.write(HERE, QUERY)
    clock.advance(LIFETIME)
    assert signer.read(cursor, QUERY) == HERE
    clock.advance(timedelta(seconds=1))
    with pytest.raises(InvalidCursor, match="older"):
        signer.read(cursor, QUERY)
