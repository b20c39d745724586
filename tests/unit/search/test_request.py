"""What may be asked, and how a refusal names field and limit."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from imagemarket.catalog.taxonomy import SLUGS
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.search.facets import Facets
from imagemarket.search.request import FACET_FILTERS, Filters, SearchQuery, SimilarQuery


def test_everything_is_optional() -> None:
    query = SearchQuery()
    assert (query.q, query.mode, query.sort, query.limit, query.page, query.cursor) == (
        *("", "hybrid", "relevance", 20, None, None),
    )
    assert query.filters() == Filters()


_NO_MONTHS = (
    "2026",
    "2026-1",
    "2026-13",
    "2026-00",
    "0000-01",
    "2026-01-31",
    "2026-01\n",
    "\u0662\u0660\u0662\u0666-\u0660\u0661",
)


@pytest.mark.parametrize(
    ("asked", "searched"),
    [
        ("  red \n boat ", "red boat"),
        ("a\0b\x07c", "a b c"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u200b", ""),
        ("sun\u00adset", "sunset"),
        ("\u00ad\u2060", ""),
        ("\u3164\u2800 \u115f\uffa0", ""),
        ("a\u3164b", "a b"),
    ],
)
def test_words_are_made_plain(asked: str, searched: str) -> None:
    assert SearchQuery(q=asked).q == searched


def test_blank_fields_of_a_form_count_as_absent() -> None:
    blank: dict[str, Any] = dict.fromkeys(SearchQuery.model_fields, "") | {"category": [""], "color": ["", "red"]}
    assert SearchQuery.model_validate(blank) == SearchQuery(color=["red"])


@pytest.mark.parametrize(
    ("field", "bad", "named"),
    [
        ("q", "x" * 201, "200"),
        ("mode", "fuzzy", "keyword"),
        ("sort", "price", "newest"),
        ("limit", "0", "1"),
        ("limit", "101", "100"),
        ("limit", "ten", "integer"),
        ("page", "0", "1"),
        ("page", "51", "50"),
        ("category", ["cars"], "transport"),
        ("color", ["mauve"], "purple"),
        ("orientation", ["round"], "square"),
        ("license", ["free"], "editorial"),
        ("type", ["film"], "vector"),
        ("contributor", "ada", "UUID"),
        ("people", "some", "boolean"),
        ("date_from", "yesterday", "date"),
        *[("date", month, "a month such as 2026-01") for month in _NO_MONTHS],
        ("cursor", "x" * 301, "300"),
        ("category", ["nature"] * 11, "10"),
        ("color", ["#12345"], "six hex digits"),
        ("color", ["\uff11\uff11\uff11\uff11\uff11\uff11"], "six hex digits"),
        ("color_tolerance", "4.9", "5"),
        ("color_tolerance", "51", "50"),
        ("color_tolerance", "nan", "5"),
        ("min_width", "0", "1"),
        ("min_height", "100001", "100000"),
        ("min_aspect_ratio", "0", "0.01"),
        ("max_aspect_ratio", "inf", "100"),
        ("safe", "maybe", "boolean"),
        ("min_score", "-0.1", "0"),
        ("min_score", "101", "100"),
        ("seed", "-1", "0"),
        ("seed", "4294967296", "4294967295"),
        ("colour", "red", "not permitted"),
    ],
)
def test_a_refusal_names_the_field_and_what_would_do(field: str, bad: Any, named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SearchQuery.model_validate({field: bad})
    error = refused.value.errors()[0]
    assert error["loc"][0] == field
    assert named in error["msg"]


@pytest.mark.parametrize(
    ("together", "field"),
    [
        ({"date_from": "2026-02-02", "date_to": "2026-02-01"}, "date_to"),
        ({"min_aspect_ratio": 2, "max_aspect_ratio": 1.9}, "max_aspect_ratio"),
        ({"min_score": 0.1}, "q"),
        ({"page": 2, "cursor": "abc"}, "cursor"),
        ({"limit": 100, "page": 11}, "page"),
        ({"q": "boat", "mode": "semantic", "sort": "newest"}, "sort"),
    ],
)
def test_what_does_not_go_together(together: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SearchQuery.model_validate(together)
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_a_colour_in_hex_digits_is_written_in_one_way() -> None:
    assert Filters(color=["FFA500", "#ffA500", "red"]).color == ["#ffa500", "#ffa500", "red"]


def test_a_facet_is_widened_by_its_own_filter_alone() -> None:
    chosen = Filters(color=["red"], people=True, date="2026-01", date_from=date(2026, 1, 9), min_width=9)
    assert chosen.without_own_filter() == {
        "color": chosen.model_copy(update={"color": []}),
        "people": chosen.model_copy(update={"people": None}),
        "date": chosen.model_copy(update={"date": None}),
    }
    assert SearchQuery(min_height=5, safe=False, color_tolerance=30).without_own_filter() == {}
    assert set(FACET_FILTERS) == set(Facets.model_fields)


def test_a_month_is_its_days() -> None:
    assert Filters(date="2024-02").month == (date(2024, 2, 1), date(2024, 2, 29))
    assert Filters(date="9999-12").month == (date(9999, 12, 1), date(9999, 12, 31))
    assert Filters().month == (None, None)


def test_similar_pictures_take_filters_and_paging_alone() -> None:
    assert SimilarQuery(color=["red"], limit=5, page=2).filters() == Filters(color=["red"])
    with pytest.raises(ValidationError):
        SimilarQuery.model_validate({"q": "boat"})


def test_the_schema_lists_what_may_be_chosen() -> None:
    properties = SearchQuery.model_json_schema()["properties"]
    assert set(properties["category"]["items"]["enum"]) == SLUGS
    names, digits = properties["color"]["items"]["anyOf"]
    assert set(names["enum"]) == set(COLOUR_NAMES)
    assert len(COLOUR_NAMES) == 15
    assert re.fullmatch(digits["pattern"], "#FFA500")
