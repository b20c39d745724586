"""What moves an image up besides its match: bounded, and told to whoever asks why.

An image's score is its match times 1 plus its boosts, and the boosts together stay below a half, so that a much better
match is never overtaken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from imagemarket.search.document import SearchDocument
from imagemarket.search.engines.ports import Hit
from imagemarket.search.popularity import looks
from imagemarket.search.query.interpretation import BoostTerms
from imagemarket.search.query.words import one_spelling

WINDOW = 60
"""How many of the best matches are looked at; what stands behind them keeps its place."""

POPULAR, FRESH, EXACT_TAG, COLOUR, CATEGORY = 0.1, 0.05, 0.1, 0.15, 0.05
"""The most that each boost can be."""

_POPULAR_AT = 1000
"""The looks, as of now, that earn the whole boost."""
_FRESH_DAYS = 30
"""Half of the boost is gone after so many days."""


def boosts(document: SearchDocument, wanted: BoostTerms, now: datetime) -> dict[str, float]:
    """The boosts of an image, by name; only those that it has.

    Looks count by their logarithm, freshness halves each month.
    """
    days = max(0.0, (now - document.published_at).total_seconds() / 86400)
    tags = {one_spelling(tag.lower()) for tag in document.tags}
    exact = [word for word in wanted.words if one_spelling(word) in tags]
    found = {
        "popularity": POPULAR * min(1.0, math.log1p(looks(document.popularity, now)) / math.log1p(_POPULAR_AT)),
        "freshness": FRESH * 0.5 ** (days / _FRESH_DAYS),
        "exact_tag": EXACT_TAG * len(exact) / len(wanted.words) if wanted.words else 0.0,
        "color": COLOUR * (not wanted.colours.isdisjoint(document.colours)),
        "category": CATEGORY * (not wanted.categories.isdisjoint(document.categories)),
    }
    return {name: boost for name, boost in found.items() if boost > 0}


def apply_boosts(hits: Sequence[Hit], boosted: Mapping[UUID, Mapping[str, float]]) -> list[Hit]:
    """The best matches in the order that their boosts make of them; the others behind them as they were."""
    scored = [
        Hit(hit.image_id, hit.score + abs(hit.score) * sum(boosted.get(hit.image_id, {}).values()))
        for hit in hits[:WINDOW]
    ]
    scored.sort(key=lambda hit: -hit.score)  # stable: equal scores stay as the engines had them
    return [*scored, *hits[WINDOW:]]
