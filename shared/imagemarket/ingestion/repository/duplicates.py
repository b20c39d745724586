"""The fingerprints of live images, and why images are held to be copies of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from imagemarket.ingestion.fingerprints import (
    BANDS,
    MOST_LOOKALIKES,
    PHASH_MAX_DISTANCE,
    PROBES,
    Claim,
    Evidence,
    Fingerprint,
    Lookalike,
    canonical_orientations,
    signed,
)
from imagemarket.platform.database import Connection, Database, Row, half_vector

_CLAIMS_TAKE_TURNS = 0x70686173
"""Advisory lock: of two copies that arrive together, the second must see the first."""
_PUBLICATIONS_TAKE_TURNS = 0x7075626C
"""Advisory lock: of two lookalikes that are published together, the second must see the first."""


def _array(numbers: Iterable[int]) -> str:
    return f"'{{{','.join(str(signed(number)) for number in numbers)}}}'::bigint[]"


# A join rather than `= ANY` of all the values, because each place has its own hash to compare with.
_LOOKALIKES = f"""
    SELECT image_id, min(distance)::int AS distance FROM (
        {
    " UNION ALL ".join(
        f"SELECT image_id, bit_count((laid_{number} # asked.laid # probe.turns)::bit(64)) AS distance"
        f" FROM unnest(%(laid_{number})s::bigint[]) AS asked (laid)"
        f" CROSS JOIN unnest({_array(probe.value for probe in probes)}, {_array(probe.turns for probe in probes)})"
        " AS probe (value, turns)"
        f" JOIN image_fingerprints ON (laid_{number} & {signed(band.mask)})"
        f" = (asked.laid & {signed(band.mask)} # probe.value)"
        for number, (band, probes) in enumerate(zip(BANDS, PROBES, strict=True))
    )
}
    ) AS near WHERE distance <= {PHASH_MAX_DISTANCE} AND image_id <> %(image)s
     GROUP BY image_id ORDER BY distance, image_id LIMIT {MOST_LOOKALIKES}
"""


def claim(connection: Connection, image_id: UUID, fingerprint: Fingerprint) -> Claim:
    """Enters the image among the live ones, unless one of them is made of the same file.

    Within the caller's transaction; claims take turns until it ends.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CLAIMS_TAKE_TURNS,))
    same = connection.execute(
        "SELECT image_id FROM image_fingerprints WHERE sha256 = %s AND image_id <> %s", (fingerprint.sha256, image_id)
    ).fetchone()
    if same is not None:
        return Claim(same_file=same["image_id"], lookalikes=())
    found = lookalikes(connection, image_id, fingerprint.phash)
    connection.execute(
        "INSERT INTO image_fingerprints (image_id, sha256, phash) VALUES (%s, %s, %s)"
        " ON CONFLICT (image_id) DO UPDATE SET sha256 = excluded.sha256, phash = excluded.phash",
        (image_id, fingerprint.sha256, signed(fingerprint.phash)),
    )
    return Claim(same_file=None, lookalikes=found)


def lookalikes(connection: Connection, image_id: UUID, phash: int) -> tuple[Lookalike, ...]:
    """The other live images whose hash is near that of the picture in any of the eight ways to lay it."""
    # Starting parallel workers takes longer than the search.
    connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    parameters: dict[str, Any] = {"image": image_id}
    parameters |= {
        f"laid_{number}": [signed(each) for each in both] for number, both in enumerate(canonical_orientations(phash))
    }
    rows = connection.execute(_LOOKALIKES, parameters).fetchall()  # pyright: ignore[reportArgumentType]
    return tuple(Lookalike(row["image_id"], row["distance"]) for row in rows)


def published_meanwhile(
    connection: Connection, image_id: UUID, phash: int, compared: Iterable[UUID]
) -> tuple[Lookalike, ...]:
    """The published lookalikes beside those that the picture was compared with.

    Within the transaction that publishes the image; publications take turns until it ends, so that of two lookalikes
    the second sees the first.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PUBLICATIONS_TAKE_TURNS,))
    others = {each.image_id: each for each in lookalikes(connection, image_id, phash)}
    rows = connection.execute(
        "SELECT id FROM images WHERE id = ANY(%s) AND status IN ('approved', 'pending_review')",
        (list(others.keys() - set(compared)),),
    ).fetchall()
    return tuple(others[row["id"]] for row in rows)


def forget(connection: Connection, image_id: UUID) -> None:
    """Takes the image out of the live ones."""
    connection.execute("DELETE FROM image_fingerprints WHERE image_id = %s", (image_id,))


def keep_evidence(connection: Connection, image_id: UUID, evidence: list[Evidence]) -> None:
    """Keeps why the image is refused or held, for whoever decides; again is once."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO duplicate_evidence
                   (image_id, other_id, found_by, distance, cosine, inliers, agreement, cells, verdict)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (image_id, other_id) DO UPDATE
               SET found_by = excluded.found_by, distance = excluded.distance, cosine = excluded.cosine,
                   inliers = excluded.inliers, agreement = excluded.agreement, cells = excluded.cells,
                   verdict = excluded.verdict, found_at = now()
            """,
            [
                (
                    image_id,
                    each.other_id,
                    each.found_by.value,
                    each.distance,
                    each.cosine,
                    each.inliers,
                    each.agreement,
                    each.cells,
                    each.verdict.value,
                )
                for each in evidence
            ],
        )


def probable_copies(database: Database, image_id: UUID) -> list[Row]:
    """The earlier images that an image may be a copy of (`other_id`), the likeliest first, and whether each is its
    contributor's `own`."""
    return database.fetch_all(
        "SELECT e.other_id, other.contributor_id = i.contributor_id AS own FROM duplicate_evidence e"
        " JOIN images i ON i.id = e.image_id JOIN images other ON other.id = e.other_id"
        " WHERE e.image_id = %s AND e.verdict = 'probable' ORDER BY e.inliers DESC NULLS LAST, e.other_id",
        (image_id,),
    )


def evidence(database: Database, image_id: UUID) -> list[Row]:
    """All that speaks for an image's being a copy, the surest first, with the earlier image's status, title and
    `contributor`."""
    return database.fetch_all(
        "SELECT e.other_id, e.verdict, e.found_by, e.distance, e.cosine, e.inliers, e.agreement, e.cells,"
        " other.status, other.title, u.display_name AS contributor, e.found_at"
        " FROM duplicate_evidence e JOIN images other ON other.id = e.other_id"
        " JOIN users u ON u.id = other.contributor_id WHERE e.image_id = %s"
        " ORDER BY e.verdict, e.inliers DESC NULLS LAST, e.other_id",
        (image_id,),
    )


def published(database: Database, image_ids: Sequence[UUID], *, thumbnail: tuple[str, int, str]) -> dict[UUID, Row]:
    """When those of the images that are published were taken, as their files have it, and the `key` of one thumbnail
    (by kind, long edge and format), by the image's id."""
    rows = database.fetch_all(
        "SELECT i.id, i.technical_meta ->> 'taken_at' AS taken_at, r.key FROM images i"
        " LEFT JOIN image_renditions r ON r.image_id = i.id AND (r.kind, r.long_edge, r.format) = (%s, %s, %s)"
        " WHERE i.id = ANY(%s) AND i.status IN ('approved', 'pending_review')",
        (*thumbnail, list(image_ids)),
    )
    return {row["id"]: row for row in rows}


def nearest_unlisted(
    database: Database, embedding: Sequence[float], model_version: str, *, limit: int
) -> list[tuple[UUID, float]]:
    """The images nearest to a vector, with the cosine, of those that the vector engine does not have: held for review,
    or approved just now."""
    rows = database.fetch_all(
        """
        WITH unlisted AS (
            SELECT id FROM images WHERE status = 'pending_review'
            UNION SELECT id FROM images
                   WHERE status = 'approved' AND id >= uuid7_floor(now() - interval '15 minutes')
        )
        SELECT e.image_id, 1 - (e.embedding <=> %s::halfvec) AS cosine
          FROM unlisted JOIN image_embeddings e ON e.image_id = unlisted.id AND e.model_version = %s
         ORDER BY cosine DESC LIMIT %s
        """,
        (half_vector(embedding), model_version, limit),
    )
    return [(row["image_id"], row["cosine"]) for row in rows]
