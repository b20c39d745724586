"""Counts facets in one statement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from imagemarket.platform.database import Row
from imagemarket.search.facets import FACET_SAMPLE, MOST_CONTRIBUTORS, FacetCount, FacetCounts, counted, ordered

_COUNTED = """
    categories, orientation, colours, license_types, image_type, contributor_id, contributor_name, people,
    published_at
"""

# Equal lists are counted before they are taken apart, since there are far fewer of them than rows.
_ELEMENTS = """
    SELECT '{facet}', each, NULL::text, sum(number)::bigint
      FROM (SELECT {column} AS list, count(*) AS number FROM {source} GROUP BY 1) alike, unnest(list) AS each
     GROUP BY each"""

_FACETS = {
    "category": _ELEMENTS.replace("{column}", "categories"),
    "color": _ELEMENTS.replace("{column}", "colours"),
    "license": _ELEMENTS.replace("{column}", "license_types"),
    "orientation": "SELECT '{facet}', orientation, NULL, count(*) FROM {source} GROUP BY orientation",
    "type": "SELECT '{facet}', image_type, NULL, count(*) FROM {source} GROUP BY image_type",
    "people": "SELECT '{facet}', people::text, NULL, count(*) FROM {source} WHERE people IS NOT NULL GROUP BY people",
    "date": "SELECT '{facet}', to_char(published_at, 'YYYY-MM'), NULL, count(*) FROM {source} GROUP BY 2",
    "contributor": """
        (SELECT '{facet}', contributor_id::text, max(contributor_name), count(*) AS number FROM {source}
          GROUP BY contributor_id ORDER BY number DESC, contributor_id::text LIMIT %(contributors)s)""",
}


def count_facets(
    fetch: Callable[[str, Any], list[Row]],
    condition: str,
    parameters: dict[str, Any],
    widened: Mapping[str, str],
    facets: Collection[str] = (),
) -> FacetCounts:
    """Facets over what meets the condition, all or those named; those in `widened` over what meets theirs. Rows are
    taken once."""
    sources = {"matches": condition} | {f"without_{facet}": wider for facet, wider in widened.items()}
    taken = ", ".join(
        f"{name} AS MATERIALIZED (SELECT {_COUNTED} FROM search_documents d WHERE {each} LIMIT %(faceted)s)"
        for name, each in sources.items()
    )
    counting = [
        sql.format(facet=facet, source=f"without_{facet}" if facet in widened else "matches")
        for facet, sql in _FACETS.items()
        if not facets or facet in facets
    ]
    totals = [
        f"SELECT 'total' AS facet, '{name}' AS value, NULL AS label, count(*) AS number FROM {name}" for name in sources
    ]
    rows = fetch(
        f"WITH {taken} " + " UNION ALL ".join([*totals, *counting]),
        {**parameters, "faceted": FACET_SAMPLE, "contributors": MOST_CONTRIBUTORS},
    )
    seen: dict[str, int] = {}
    counts: dict[str, list[FacetCount]] = {}
    for row in rows:
        if row["facet"] == "total":
            seen[row["value"]] = row["number"]
        else:
            count = counted(row["facet"], row["value"], row["number"], row["label"])
            counts.setdefault(row["facet"], []).append(count)
    return FacetCounts(seen["matches"], ordered(counts), estimated=max(seen.values()) >= FACET_SAMPLE)
