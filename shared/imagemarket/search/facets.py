"""The order facets are shown in, the same whatever engine counted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagemarket.search.models import FacetCount, Facets

MOST_CONTRIBUTORS = 20
"""How many contributors are listed."""

MONTHS = 24
"""How many months of publication are listed."""


def ordered(counts: Mapping[str, Sequence[FacetCount]]) -> Facets:
    """Most frequent first, equal ones by value; months newest first."""
    facets = {name: sorted(each, key=lambda count: (-count.count, count.value)) for name, each in counts.items()}
    if "date" in facets:
        facets["date"] = sorted(counts["date"], key=lambda count: count.value, reverse=True)[:MONTHS]
    if "contributor" in facets:
        facets["contributor"] = facets["contributor"][:MOST_CONTRIBUTORS]
    return Facets(**facets)
