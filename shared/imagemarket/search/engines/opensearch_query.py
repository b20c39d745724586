"""Words and filters in OpenSearch's query language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from imagemarket.search.engines.colours import cells_near
from imagemarket.search.query.syntax import Clause, Form, Words, read
from imagemarket.search.query.words import STOP_WORDS
from imagemarket.search.request import Filters

_MOST_CLAUSES = 1000
"""In one query, words beyond are passed over: OpenSearch refuses more than 1,024 (`max_clause_count`)."""
_STEMMED = ("title_words^8", "tag_words^3", "category_words^1.5", "contributor_words^1.5", "description_words")
_AS_THEY_STAND = (
    "title_words.plain^8",
    "tag_words.plain^3",
    "category_words.plain^1.5",
    "contributor_words^1.5",
    "description_words.plain",
)


def with_ids(image_ids: Sequence[UUID]) -> dict[str, Any]:
    """A request for these listed images."""
    names = [str(each) for each in image_ids]
    return {"query": {"bool": {"filter": [{"ids": {"values": names}}, {"term": {"listed": True}}]}}}


def queries_of(text: str | Words) -> Iterator[dict[str, Any]]:
    """The queries of a text, to be tried one after the other: all its words, then any of them."""
    if not text:
        yield {"match_all": {}}
        return
    words = read(text)
    if words.image_id is not None:
        yield {"constant_score": {"filter": {"term": {"image_id": str(words.image_id)}}}}
    elif words.groups:
        yield terms_query(words, "must")
        if words.plain and len(words.groups) > 1:
            yield terms_query(words, "should")


def terms_query(words: Words, wanted: str) -> dict[str, Any]:
    """The query of all words (`must`), or of any of them (`should`)."""
    said = [group for group in words.groups if any(not _is_stop(clause) for clause in group)]
    # "The Who" is nothing but stop words; then they are looked for as they stand.
    fields = _STEMMED if said else _AS_THEY_STAND
    left = _MOST_CLAUSES
    groups: list[tuple[Clause, ...]] = []
    # What says exactly what is wanted is the last to be passed over.
    for group in sorted(said or words.groups, key=lambda group: not any(clause.strict for clause in group)):
        if (cost := sum(map(_cost, group))) <= left:
            groups.append(group)
            left -= cost
    parts = [_any_of([_clause(clause, fields) for clause in group]) for group in groups]
    asked: dict[str, Any] = {"bool": {wanted: parts, "minimum_should_match": 1 if wanted == "should" else 0}}
    very: list[dict[str, Any]] = []
    for clause in (clause for group in groups if said for clause in group):
        if clause.excluded or clause.added or clause.phrase:
            continue
        if (cost := _cost(clause)) <= left:
            very.append(_clause(clause, _AS_THEY_STAND, typed=True))
            left -= cost
    if not very:
        return asked
    # The very words count once more; they match nothing that their stems do not.
    return {"bool": {"must": [asked], "should": very}}


def _cost(clause: Clause) -> int:
    """How many of the engine's clauses it becomes: one for each word and field."""
    return len(_STEMMED) * sum(len(form.words) for form in clause.forms)


def _is_stop(clause: Clause) -> bool:
    return not clause.phrase and all(word.lower() in STOP_WORDS for form in clause.forms for word in form.words)


def _any_of(queries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return queries[0] if len(queries) == 1 else {"bool": {"should": list(queries), "minimum_should_match": 1}}


def _clause(clause: Clause, fields: Sequence[str], *, typed: bool = False) -> dict[str, Any]:
    """`typed` leaves out the forms that nobody typed."""
    if clause.phrase:  # is found just so
        fields = _AS_THEY_STAND
    found = _any_of([_form(form, fields) for form in clause.forms if not (typed and form.inflected)])
    return {"bool": {"must_not": [found]}} if clause.excluded else found


def _form(form: Form, fields: Sequence[str]) -> dict[str, Any]:
    how = {"type": "phrase"} if form.side_by_side else {"type": "best_fields", "operator": "and", "tie_breaker": 0.3}
    return {"multi_match": {"query": " ".join(form.words), "fields": list(fields), **how}}


def conditions_of(filters: Filters) -> list[dict[str, Any]]:
    """All the filters."""
    return [*facetless_conditions(filters), *facet_conditions(filters).values()]


def facetless_conditions(filters: Filters) -> list[dict[str, Any]]:
    """The filters that no facet shows."""
    narrow: list[dict[str, Any]] = [{"term": {"listed": True}}]
    if filters.safe:
        narrow.append({"term": {"safe": True}})
    ranges = {
        "width": {"gte": filters.min_width},
        "height": {"gte": filters.min_height},
        "aspect_ratio": {"gte": filters.min_aspect_ratio, "lte": filters.max_aspect_ratio},
    }
    for field, limits in ranges.items():
        given = {name: value for name, value in limits.items() if value is not None}
        if given:
            narrow.append({"range": {field: given}})
    if filters.date_from or filters.date_to:
        narrow.append(_published(filters.date_from, filters.date_to))
    return narrow


def facet_conditions(filters: Filters) -> dict[str, dict[str, Any]]:
    """The filters that choose among a facet's values, by facet."""
    chosen: dict[str, dict[str, Any]] = {}
    for facet, field, values in (
        ("category", "categories", filters.category),
        ("license", "license_types", filters.license),
        ("orientation", "orientation", filters.orientation),
        ("type", "image_type", filters.type),
    ):
        if values:
            chosen[facet] = {"terms": {field: list(values)}}
    if filters.color:
        cells = {cell for each in filters.color if each[0] == "#" for cell in cells_near(each, filters.color_tolerance)}
        named = {"terms": {"colours": [each for each in filters.color if each[0] != "#"]}}
        chosen["color"] = {"bool": {"should": [named, {"terms": {"palette_cells": sorted(cells)}}]}}
    if filters.contributor:
        chosen["contributor"] = {"term": {"contributor_id": str(filters.contributor)}}
    if filters.people is not None:
        chosen["people"] = {"term": {"people": filters.people}}
    if filters.date:
        chosen["date"] = _published(*filters.month)
    return chosen


def _published(first: date | None, last: date | None) -> dict[str, Any]:
    days = {"gte": first, "lte": last}
    given = {name: f"{day.isoformat()}||/d" for name, day in days.items() if day is not None}
    return {"range": {"published_at": {**given, "format": "yyyy-MM-dd"}}}
