"""The order facets are shown in and what their values are called, the same whatever engine counted them."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Mapping, Sequence

from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.search.models import FacetCount, Facets

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
