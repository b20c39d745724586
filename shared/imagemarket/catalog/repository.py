"""The rows of images and of what is made of them; their status and version are `catalog.images`' alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.platform.database import Connection, Database, half_vector


@dataclass(frozen=True)
class NewImage:
    """An image as its contributor announces it."""

    id: UUID
    contributor_id: UUID
    title: str
    description: str
    image_type: ImageType
    license_types: Sequence[LicenseType]
    tags: Sequence[str]
    categories: Sequence[str]
    s3_original_key: str
    """Where its original will lie."""


def add(connection: Connection, image: NewImage) -> None:
    """Writes an announced image, with the tags and categories that its contributor gave it."""
    connection.execute(
        "INSERT INTO images (id, contributor_id, title, description, image_type, license_types, s3_original_key)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            image.id,
            image.contributor_id,
            image.title,
            image.description,
            image.image_type.value,
            [license_type.value for license_type in image.license_types],
            image.s3_original_key,
        ),
    )
    connection.execute(
        "INSERT INTO image_tags (image_id, tag, confidence, source) SELECT %s, unnest(%s::text[]), 1, 'contributor'",
        (image.id, list(image.tags)),
    )
    connection.execute(
        "INSERT INTO image_categories (image_id, category, source) SELECT %s, unnest(%s::text[]), 'contributor'",
        (image.id, list(image.categories)),
    )


def pin_version(connection: Connection, image_id: UUID, version: str) -> None:
    """Decides which version of its original the image is made of; a reason that other bytes were to mend is void."""
    connection.execute(
        "UPDATE images SET object_version = %s, updated_at = now(), rejection = NULL WHERE id = %s",
        (version, image_id),
    )


def touch(connection: Connection, image_id: UUID) -> None:
    """The image has been heard of."""
    connection.execute("UPDATE images SET updated_at = now() WHERE id = %s", (image_id,))


def remove_unsent(connection: Connection, image_id: UUID) -> bool:
    """Removes an image whose original never came; False where it came meanwhile, or there is no such image."""
    return connection.execute("DELETE FROM images WHERE id = %s AND object_version IS NULL", (image_id,)).rowcount == 1


def write_renditions(connection: Connection, image_id: UUID, renditions: Sequence[Mapping[str, Any]]) -> None:
    """Writes renditions by their columns kind, long_edge, format, width, height (pixels), bytes and key."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO image_renditions (image_id, kind, long_edge, format, width, height, bytes, key)"
            " VALUES (%(image)s, %(kind)s, %(long_edge)s, %(format)s, %(width)s, %(height)s, %(bytes)s, %(key)s)"
            " ON CONFLICT (image_id, kind, long_edge, format) DO UPDATE SET key = excluded.key,"
            " width = excluded.width, height = excluded.height, bytes = excluded.bytes",
            [{"image": image_id, **rendition} for rendition in renditions],
        )


def add_model_words(
    connection: Connection, image_id: UUID, tags: Sequence[tuple[str, float]], categories: Sequence[str]
) -> None:
    """Adds the tags, each with its confidence, and categories that a model found; what the contributor said stands."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO image_tags (image_id, tag, confidence, source) VALUES (%s, %s, %s, 'ai')"
            " ON CONFLICT (image_id, tag) DO NOTHING",
            [(image_id, tag, confidence) for tag, confidence in tags],
        )
        cursor.executemany(
            "INSERT INTO image_categories (image_id, category, source) VALUES (%s, %s, 'ai')"
            " ON CONFLICT (image_id, category) DO NOTHING",
            [(image_id, category) for category in categories],
        )


def write_embeddings(
    connection: Connection,
    model_version: str,
    vectors: Sequence[tuple[UUID, Sequence[float]]],
    *,
    replace: bool = True,
) -> None:
    """Writes the vectors that a model made of images; without `replace` those that are there stay."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO image_embeddings (image_id, model_version, embedding) VALUES (%s, %s, %s::halfvec)"
            + (
                " ON CONFLICT (image_id, model_version) DO UPDATE SET embedding = excluded.embedding"
                if replace
                else " ON CONFLICT (image_id, model_version) DO NOTHING"
            ),
            [(image_id, model_version, half_vector(vector)) for image_id, vector in vectors],
        )


def compare_vectors_of(connection: Connection, model_version: str, *, unless_decided: bool = False) -> None:
    """Searches compare this model's vectors from now on; with `unless_decided` where none is in use yet."""
    connection.execute(
        "INSERT INTO model_in_use (version) VALUES (%s)"
        + (
            " ON CONFLICT DO NOTHING"
            if unless_decided
            else " ON CONFLICT (one) DO UPDATE SET version = excluded.version, since = now()"
        ),
        (model_version,),
    )


def forget_made(connection: Connection, image_id: UUID) -> None:
    """Takes away what processing made of an image; what its contributor said stays."""
    connection.execute("DELETE FROM image_embeddings WHERE image_id = %s", (image_id,))
    connection.execute("DELETE FROM image_renditions WHERE image_id = %s", (image_id,))
    connection.execute("DELETE FROM image_tags WHERE image_id = %s AND source = 'ai'", (image_id,))
    connection.execute("DELETE FROM image_categories WHERE image_id = %s AND source = 'ai'", (image_id,))


def forget_shown(connection: Connection, image_id: UUID) -> None:
    """Takes away what finding and showing an image needed; what licences need stays."""
    connection.execute("DELETE FROM image_embeddings WHERE image_id = %s", (image_id,))
    connection.execute("DELETE FROM image_renditions WHERE image_id = %s AND kind <> 'clean'", (image_id,))
    connection.execute("DELETE FROM image_tags WHERE image_id = %s AND source = 'ai'", (image_id,))


def contributors(database: Database, image_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Whose images these are, by the image's id."""
    rows = database.fetch_all("SELECT id, contributor_id FROM images WHERE id = ANY(%s)", (list(image_ids),))
    return {row["id"]: row["contributor_id"] for row in rows}


def open_partitions(connection: Connection, *, months_ahead: int) -> None:
    """Makes the tables that images of this month and of those ahead go into, where they are missing."""
    connection.execute("SELECT ensure_image_partitions((now() AT TIME ZONE 'UTC')::date, %s)", (months_ahead,))
