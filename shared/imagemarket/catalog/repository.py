"""The rows of images and of what is made of them; their status and version are `catalog.images`' alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from imagemarket.catalog.models import ImageStatus, ImageType, LicenseType
from imagemarket.platform.database import Connection, Database, Row, half_vector

_JSON = {"rejection", "color_palette", "technical_meta"}
_RENDITION = (
    "SELECT r.key FROM image_renditions r JOIN images i ON i.id = r.image_id"
    " WHERE r.image_id = %s AND r.kind = %s AND r.format = %s"
)
LISTINGS_OF_APPROVED = (
    "SELECT i.id AS subject, jsonb_build_object('image_id', i.id, 'version', i.version) AS payload, u.request_id,"
    " u.trace_header FROM images i LEFT JOIN image_uploads u ON u.image_id = i.id WHERE i.status = 'approved'"
)
"""For `events.publish_all`: what `ImageListingChanged` says of every approved image."""


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


def write_status(
    connection: Connection,
    image_id: UUID,
    *,
    sources: Collection[ImageStatus],
    to: ImageStatus,
    action: str,
    actor: str,
    reason: str,
    columns: Mapping[str, object],
) -> Row | None:
    """Changes the status of an image that is in one of `sources`, with its version, times, other `columns` and an
    entry of its audit: see `catalog.images.change_status`, which alone calls this. None where it is in none of them."""
    from psycopg import sql
    from psycopg.types.json import Jsonb

    def column(name: str) -> sql.Composed:
        return sql.SQL(", {} = {}").format(sql.Identifier(name), sql.Placeholder(f"column_{name}"))

    return connection.execute(
        sql.SQL(
            """
            WITH found AS (
                SELECT id, status AS before, %(to)s::varchar AS after FROM images
                 WHERE id = %(image)s AND status = ANY(%(sources)s)
                   FOR UPDATE
            ), changed AS (
                UPDATE images i
                   SET status = found.after, version = version + 1, updated_at = now(),
                       published_at = CASE found.after WHEN 'approved' THEN coalesce(published_at, now())
                                                       ELSE published_at END{columns}
                  FROM found WHERE i.id = found.id
                RETURNING i.id, found.before, found.after, i.version, i.contributor_id, i.title, i.rejection,
                          i.updated_at
            ), audited AS (
                INSERT INTO image_audit (image_id, action, actor, reason, status_before, status_after)
                SELECT id, %(action)s, %(actor)s, %(reason)s, before, after FROM changed
            )
            SELECT c.before, c.version, c.contributor_id, c.title, c.rejection, c.updated_at,
                   u.request_id, u.trace_header
              FROM changed c LEFT JOIN image_uploads u ON u.image_id = c.id
            """
        ).format(columns=sql.SQL("").join(map(column, columns))),
        {
            **{
                f"column_{name}": Jsonb(value) if name in _JSON and value is not None else value
                for name, value in columns.items()
            },
            "image": image_id,
            "sources": [status.value for status in sources],
            "to": to.value,
            "action": action,
            "actor": actor,
            "reason": reason,
        },
    ).fetchone()


def origin(connection: Connection, image_id: UUID) -> Row:
    """The `request_id` and `trace_header` that an image began with; nothing of one that has no row any more."""
    return (
        connection.execute(
            "SELECT request_id, trace_header FROM image_uploads WHERE image_id = %s", (image_id,)
        ).fetchone()
        or {}
    )


def raise_version(connection: Connection, image_id: UUID, *, beyond: int) -> int | None:
    """Gives an image a version above `beyond` and its own; None where it has no row any more."""
    row = connection.execute(
        "UPDATE images SET version = greatest(version, %s) + 1 WHERE id = %s RETURNING version", (beyond, image_id)
    ).fetchone()
    return None if row is None else row["version"]


def raise_versions_of_approved(connection: Connection) -> None:
    """Gives every approved image the next version."""
    connection.execute("UPDATE images SET version = version + 1 WHERE status = 'approved'")


def status(database: Database, image_id: UUID) -> str | None:
    """The status of an image, if there is one."""
    row = database.fetch_one("SELECT status FROM images WHERE id = %s", (image_id,))
    return None if row is None else row["status"]


def lock_status(connection: Connection, image_id: UUID) -> str | None:
    """The same, which nobody else changes until the transaction ends."""
    return _locked(connection.execute("SELECT status FROM images WHERE id = %s FOR UPDATE", (image_id,)).fetchone())


def share_status(connection: Connection, image_id: UUID) -> str | None:
    """The same, together with others who only need that nobody changes it."""
    return _locked(connection.execute("SELECT status FROM images WHERE id = %s FOR SHARE", (image_id,)).fetchone())


def _locked(row: Row | None) -> str | None:
    return None if row is None else row["status"]


def status_before_take_down(database: Database, image_id: UUID) -> Row | None:
    """The `status` of an image, and the one `before` it was last taken down, if it was."""
    return database.fetch_one(
        "SELECT i.status, (SELECT a.status_before FROM image_audit a WHERE a.image_id = i.id"
        "                    AND a.action = 'take_down' ORDER BY a.id DESC LIMIT 1) AS before"
        " FROM images i WHERE i.id = %s",
        (image_id,),
    )


def audit(database: Database, image_id: UUID) -> list[Row]:
    """What was done to an image, by whom and why, the oldest first."""
    return database.fetch_all(
        "SELECT action, actor, reason, status_before, status_after, at FROM image_audit"
        " WHERE image_id = %s ORDER BY id",
        (image_id,),
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


def contributor_name(database: Database, image_id: UUID) -> str | None:
    """The name of an image's contributor as the public knows them."""
    row = database.fetch_one(
        "SELECT u.display_name FROM images i JOIN users u ON u.id = i.contributor_id WHERE i.id = %s", (image_id,)
    )
    return None if row is None else row["display_name"]


def for_review(database: Database, image_id: UUID) -> Row | None:
    """What of an image's own columns speaks for or against it, with its `contributor`'s name."""
    return database.fetch_one(
        "SELECT i.id, i.status, i.title, i.image_type, u.display_name AS contributor, i.created_at, i.rejection,"
        " i.nsfw_score, i.people, i.ai_description FROM images i JOIN users u ON u.id = i.contributor_id"
        " WHERE i.id = %s",
        (image_id,),
    )


def public_rendition(database: Database, image_id: UUID, kind: str, picture_format: str) -> str | None:
    """The key of an approved image's rendition."""
    row = database.fetch_one(f"{_RENDITION} AND i.status = 'approved'", (image_id, kind, picture_format))
    return None if row is None else row["key"]


def own_rendition(
    database: Database, image_id: UUID, kind: str, picture_format: str, *, contributor_id: UUID | None
) -> str | None:
    """The key of a rendition of a contributor's own image, in whatever status; of any contributor's for None."""
    row = database.fetch_one(
        f"{_RENDITION} AND (%s::uuid IS NULL OR i.contributor_id = %s)",
        (image_id, kind, picture_format, contributor_id, contributor_id),
    )
    return None if row is None else row["key"]
