"""The order facets are shown in and what their values are called, the same whatever engine counted them."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from imagemarket.catalog.taxonomy import CATEGORIES

FACET_SAMPLE = 10_000
"""How many matches are counted for totals and facets at most."""


class FacetCount(BaseModel):
    """How many results have a value."""

    value: str = Field(description="What the filter of the facet's name takes.")
    label: str = Field(description="The same for people.")
    count: int


class Facets(BaseModel):
    """Counts over the matches, at most `FACET_SAMPLE` of them; send a value back as the filter of its name,
    in place of its other values.

    Where a facet's own filter is in use, it counts what all the other filters leave.
    """

    category: list[FacetCount] = []
    orientation: list[FacetCount] = []
    color: list[FacetCount] = []
    license: list[FacetCount] = []
    type: list[FacetCount] = []
    contributor: list[FacetCount] = []
    people: list[FacetCount] = Field(default=[], description="`true` and `false`, where it is known.")
    date: list[FacetCount] = Field(default=[], description="Months of publication as `2026-01`, newest first.")


@dataclass(frozen=True)
class FacetCounts:
    """Facet counts and the number of matches they were taken over."""

    total: int
    facets: Facets
    estimated: bool = False
    """Whether there are more matches than were counted."""


MOST_CONTRIBUTORS = 20
"""How many contributors are listed."""

MONTHS = 24
"""How many months of publication are listed."""

_NAMES = {
    "category": {category.slug: category.name for category in CATEGORIES},
    "people": {"true": "With people", "false": "Without people"},
}


def counted(facet: str, value: str, count: int, name: str | None = None) -> FacetCount:
    """A value with what people call it; `name` is that of a contributor."""
    return FacetCount(value=value, label=name or _label(facet, value), count=count)


def ordered(counts: Mapping[str, Sequence[FacetCount]]) -> Facets:
    """Most frequent first, equal ones by value; months newest first."""
    facets = {name: sorted(each, key=lambda count: (-count.count, count.value)) for name, each in counts.items()}
    if "date" in facets:
        facets["date"] = sorted(counts["date"], key=lambda count: count.value, reverse=True)[:MONTHS]
    if "contributor" in facets:
        facets["contributor"] = facets["contributor"][:MOST_CONTRIBUTORS]
    return Facets(**facets)


def _label(facet: str, value: str) -> str:
    if facet == "date":
        year, month = value.split("-")
        return f"{month_name[int(month)]} {year}"
    return _NAMES.get(facet, {}).get(value) or value.capitalize()
