"""Search documents as rows of `search_documents`."""

from __future__ import annotations

from typing import Any

from imagemarket.platform.database import half_vector
from imagemarket.search.document import SearchDocument
from imagemarket.search.engines.colours import cells_of
from imagemarket.search.engines.postgres_query import exact_lexeme
from imagemarket.search.engines.shuffle import place_of
from imagemarket.search.query.words import searchable

_GAP = "'.':2"
"""A word that nobody can ask for stands between two texts, so that no phrase begins in one and ends in the next."""

_WORDS = "%(very_words)s::tsvector\n            || " + "\n            || %(gap)s::tsvector || ".join(
    f"setweight(to_tsvector('market_english', %({text})s::text), '{weight}')"
    for text, weight in (
        ("title_words", "A"),
        ("tag_words", "B"),
        ("category_words", "C"),
        ("contributor_words", "C"),
        ("description_words", "D"),
    )
)
"""A document's very words, told from stems by `EXACT_MARK`, and the stems of its words behind them."""

_COLUMNS = {
    "version": "%(version)s",
    "listed": "true",
    "title": "%(title)s::text",
    "description": "%(description)s::text",
    "tags": "%(tags)s::varchar[]",
    "categories": "%(categories)s::varchar[]",
    "contributor_id": "%(contributor_id)s",
    "contributor_name": "%(contributor_name)s::text",
    "image_type": "%(image_type)s::text",
    "license_types": "%(license_types)s::varchar[]",
    "orientation": "%(orientation)s::text",
    "colours": "%(colours)s::varchar[]",
    "palette": "%(palette)s",
    "palette_cells": "%(palette_cells)s::int[]",
    "width": "%(width)s",
    "height": "%(height)s",
    "people": "%(people)s",
    "safe": "%(safe)s",
    "published_at": "%(published_at)s",
    "popularity": "%(popularity)s::real",
    "place": "%(place)s",
    "thumbhash": "%(thumbhash)s::text",
    "renditions": "%(renditions)s",
    "model_version": "%(model_version)s::text",
    "embedding": "%(embedding)s::halfvec",
    "words": _WORDS,
}
"""What a row holds of its document, by the SQL that makes it of `columns_of`."""

WRITE = f"""
    INSERT INTO search_documents AS d (image_id, {", ".join(_COLUMNS)})
    VALUES (%(image_id)s, {", ".join(_COLUMNS.values())})
    ON CONFLICT (image_id) DO UPDATE SET
        {", ".join(f"{column} = excluded.{column}" for column in _COLUMNS)}, indexed_at = now()
     WHERE d.version <= excluded.version
"""

DIFFERING = f"""
    SELECT d.image_id FROM search_documents d
     WHERE d.image_id = %(image_id)s AND d.listed AND d.version = %(version)s
       AND ({" OR ".join(f"d.{column} IS DISTINCT FROM {made}" for column, made in _COLUMNS.items())})
"""

# The row stays behind without its content; see the migration.
REMOVE = """
    INSERT INTO search_documents AS d (image_id, version, listed) VALUES (%(image_id)s, %(version)s, false)
    ON CONFLICT (image_id) DO UPDATE SET
        version = excluded.version, listed = false, title = '', description = '', tags = '{}',
        categories = '{}', contributor_id = NULL, contributor_name = '', license_types = '{}',
        colours = '{}', palette = '[]', palette_cells = '{}', people = NULL, thumbhash = NULL,
        renditions = '[]', model_version = NULL, embedding = NULL, words = '', indexed_at = now()
     WHERE d.version <= excluded.version
"""

_LAST_PLACE = 16_383  # that a tsvector tells from the ones behind it


def columns_of(document: SearchDocument) -> dict[str, Any]:
    """The columns of a document's row, and the texts that its words are made of."""
    from psycopg.types.json import Jsonb

    return {
        **document.model_dump(exclude={"renditions", "embedding", "palette"}),
        "tags": list(document.tags),
        "categories": list(document.categories),
        "colours": list(document.colours),
        "image_type": document.image_type.value,
        "license_types": [license_type.value for license_type in document.license_types],
        "palette": Jsonb([{"hex": colour.hex, "percentage": colour.percentage} for colour in document.palette]),
        "palette_cells": list(cells_of(document.palette)),
        "place": place_of(document.image_id),
        "renditions": Jsonb([rendition.model_dump() for rendition in document.renditions]),
        "embedding": None if document.embedding is None else half_vector(document.embedding),
        "gap": _GAP,
        "very_words": _very_words(document),
        "title_words": searchable(document.title),
        "tag_words": " ".join(map(searchable, document.tags)),
        "category_words": " ".join(document.categories).replace("-", " "),
        "contributor_words": searchable(document.contributor_name),
        "description_words": searchable(document.description),
    }


def _very_words(document: SearchDocument) -> str:
    """A tsvector of a document's very words. A place that nothing stands at parts its texts, each tag one."""
    entries: list[str] = []
    place = 0
    for weight, texts in (
        ("A", [document.title]),
        ("B", document.tags),
        ("C", [*(category.replace("-", " ") for category in document.categories), document.contributor_name]),
        ("D", [document.description]),
    ):
        for text in texts:
            for word in searchable(text).split():
                place += 1
                entries.append(f"{exact_lexeme(word)}:{min(place, _LAST_PLACE)}{weight}")
            place += 1
    return " ".join(entries)
