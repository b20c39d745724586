"""Which model's vectors searches compare, and how far the vectors of each reach."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from imagemarket.platform.database import Connection, Database, Row


@dataclass(frozen=True)
class Standing:
    """How far a model's vectors reach."""

    model_version: str
    pictures: int
    in_use: bool


def in_use(database: Database) -> str | None:
    """The version of the model in use; None while there is no picture yet."""
    row = database.fetch_one("SELECT version FROM model_in_use")
    return None if row is None else row["version"]


def is_in_use(connection: Connection, version: str) -> bool:
    """Whether this model is in use."""
    return connection.execute("SELECT FROM model_in_use WHERE version = %s", (version,)).fetchone() is not None


def lock_in_use(connection: Connection) -> None:
    """Nobody else changes which model is in use until the transaction ends."""
    connection.execute("SELECT FROM model_in_use FOR UPDATE")


def standings(database: Database) -> list[Standing]:
    """Every model that there are vectors of, the one in use first."""
    rows = database.fetch_all(
        "SELECT e.model_version, count(*) AS pictures, e.model_version = m.version AS in_use"
        "  FROM image_embeddings e LEFT JOIN model_in_use m ON true"
        " GROUP BY e.model_version, m.version ORDER BY in_use DESC NULLS LAST, pictures DESC"
    )
    return [Standing(row["model_version"], row["pictures"], bool(row["in_use"])) for row in rows]


def pictures_without_vector(database: Database, version: str, *, after: UUID, limit: int) -> list[Row]:
    """Published images without a vector of a model, in the order of their ids behind `after`, each with the `key` of
    its clean rendition."""
    return database.fetch_all(
        """
        SELECT i.id, r.key FROM images i
          JOIN image_renditions r ON r.image_id = i.id AND r.kind = 'clean' AND r.format = 'jpeg'
         WHERE i.status IN ('approved', 'pending_review') AND i.id > %(after)s
           AND NOT EXISTS (SELECT FROM image_embeddings e WHERE e.image_id = i.id AND e.model_version = %(version)s)
         ORDER BY i.id LIMIT %(limit)s
        """,
        {"after": after, "version": version, "limit": limit},
    )


def approved_without_vector(connection: Connection, version: str) -> int:
    """How many approved images have no vector of a model."""
    row = connection.execute(
        """
        SELECT count(*) AS number FROM images i
         WHERE i.status = 'approved'
           AND NOT EXISTS (SELECT FROM image_embeddings e WHERE e.image_id = i.id AND e.model_version = %s)
        """,
        (version,),
    ).fetchone()
    assert row is not None
    return row["number"]


def bring_documents_over(connection: Connection, version: str) -> int:
    """Gives the rows of all search documents a model's vectors; how many."""
    return connection.execute(
        """
        UPDATE search_documents d
           SET embedding = e.embedding, model_version = e.model_version, version = i.version, indexed_at = now()
          FROM images i JOIN image_embeddings e ON e.image_id = i.id AND e.model_version = %s
         WHERE d.image_id = i.id AND d.listed AND i.status = 'approved'
        """,
        (version,),
    ).rowcount
