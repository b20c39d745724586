"""What search reads of images: all that their documents are made of, and their public face."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from imagemarket.platform.database import Database, Row

# One statement, so that each document shows one moment of the truth. Looks that are not indexed yet are no part of it:
# a document that was made before them holds all that it should.
_TRUTH = """
    SELECT i.id AS image_id, i.version, i.status, i.title,
           coalesce(nullif(i.description, ''), i.ai_description, '') AS description,
           i.contributor_id, u.display_name AS contributor_name, i.image_type, i.license_types,
           i.orientation, coalesce(i.color_palette, '[]') AS palette, i.nsfw_score, i.width, i.height, i.people,
           i.published_at, i.thumbhash, coalesce(p.indexed, 0) AS popularity,
           e.model_version, e.embedding::text AS embedding, t.tags, c.categories, r.renditions
      FROM images i
      JOIN users u ON u.id = i.contributor_id
      LEFT JOIN image_popularity p ON p.image_id = i.id
      LEFT JOIN image_embeddings e ON e.image_id = i.id
           AND e.model_version = coalesce((SELECT version FROM model_in_use), i.model_version)
      LEFT JOIN LATERAL (
           SELECT array_agg(tag ORDER BY (source = 'ai'), confidence DESC, tag) AS tags
             FROM image_tags WHERE image_id = i.id) t ON true
      LEFT JOIN LATERAL (
           SELECT array_agg(category ORDER BY (source = 'ai'), category) AS categories
             FROM image_categories WHERE image_id = i.id) c ON true
      LEFT JOIN LATERAL (
           SELECT jsonb_agg(jsonb_build_object('width', width, 'height', height, 'format', format, 'key', key)
                            ORDER BY long_edge, format) AS renditions
             FROM image_renditions WHERE image_id = i.id AND kind = 'thumbnail') r ON true
     WHERE i.id = ANY(%s)
"""

# Columns are named one by one: what is not listed here does not get out.
_DETAIL = """
    SELECT i.id, i.title, coalesce(nullif(i.description, ''), i.ai_description, '') AS description,
           i.contributor_id, u.display_name AS contributor_name, i.image_type, i.license_types,
           i.orientation, i.width, i.height, i.format, i.file_size_bytes, i.people,
           coalesce(i.color_palette, '[]') AS palette,
           coalesce(i.technical_meta, '{}') AS technical, i.thumbhash, i.published_at,
           coalesce((SELECT jsonb_agg(jsonb_build_object('tag', tag, 'confidence', confidence, 'source', source)
                                      ORDER BY (source = 'ai'), confidence DESC, tag)
                       FROM image_tags WHERE image_id = i.id), '[]') AS tags,
           coalesce((SELECT jsonb_agg(category ORDER BY (source = 'ai'), category)
                       FROM image_categories WHERE image_id = i.id), '[]') AS categories,
           coalesce((SELECT jsonb_agg(jsonb_build_object('width', width, 'height', height, 'format', format,
                                                         'key', key) ORDER BY long_edge, format)
                       FROM image_renditions WHERE image_id = i.id AND kind = 'thumbnail'), '[]') AS renditions
      FROM images i JOIN users u ON u.id = i.contributor_id
     WHERE i.id = %s AND i.status = 'approved'
"""


def truth(database: Database, image_ids: Iterable[UUID]) -> list[Row]:
    """What search documents are made of, whatever the images' status; nothing of an image that has no row."""
    return database.fetch_all(_TRUTH, (list(image_ids),))


def public_face(database: Database, image_id: UUID) -> Row | None:
    """What the public may know of an approved image; None of others."""
    return database.fetch_one(_DETAIL, (image_id,))


def approved(database: Database, *, after: UUID, limit: int) -> dict[UUID, int]:
    """The versions of approved images by id, in the order of their ids behind `after`."""
    rows = database.fetch_all(
        "SELECT id, version FROM images WHERE status = 'approved' AND id > %s ORDER BY id LIMIT %s", (after, limit)
    )
    return {row["id"]: row["version"] for row in rows}


def known(database: Database, image_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the images that have a row, whatever their status."""
    rows = database.fetch_all("SELECT id FROM images WHERE id = ANY(%s)", (list(image_ids),))
    return {row["id"] for row in rows}


def now(database: Database) -> datetime:
    """The database's time, by which changes are found that came since."""
    row = database.fetch_one("SELECT clock_timestamp() AS now")
    assert row is not None
    return row["now"]
