"""Fingerprints of live images, and the exact search for one within a few bits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from psycopg import Connection

PHASH_MAX_DISTANCE = 8
"""Two perceptual hashes this many bits apart or fewer (of 64) show the same picture."""

_BANDS = 4
_BAND_BITS = 64 // _BANDS
_PROBE_BITS = PHASH_MAX_DISTANCE // _BANDS
"""By the pigeonhole principle, 8 differing bits over 4 bands leave a band with at most 2, so
probing each band's value and its neighbours within 2 bits finds every match: the search is exact."""

_FLIPS = [
    sum(1 << bit for bit in bits) for count in range(_PROBE_BITS + 1) for bits in combinations(range(_BAND_BITS), count)
]

_CLAIMS_TAKE_TURNS = 0x70686173
"""Advisory lock: of two copies that arrive together, the second must see the first."""


@dataclass(frozen=True)
class Fingerprint:
    """What an image is recognised by: `sha256` of its file, `phash` unsigned 64 bits."""

    sha256: bytes
    phash: int


@dataclass(frozen=True)
class Match:
    """A live image that shows the same picture, `distance` bits away (0 for the same file)."""

    image_id: UUID
    distance: int
    same_file: bool


def signed(unsigned: int) -> int:
    """A 64-bit unsigned integer as PostgreSQL's bigint holds its bits."""
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def probes(phash: int) -> list[list[int]]:
    """For each band, the values (as stored: smallint) whose rows can lie within the distance."""
    mask = (1 << _BAND_BITS) - 1
    bands = [(phash >> (band * _BAND_BITS)) & mask for band in range(_BANDS)]
    return [[(value ^ flip) - (1 << (_BAND_BITS - 1)) for flip in _FLIPS] for value in bands]


_NEAREST = f"""
    SELECT image_id, distance, same_file FROM (
        SELECT image_id, 0 AS distance, true AS same_file FROM image_fingerprints
         WHERE sha256 = %(sha256)s AND image_id <> %(image)s
        UNION ALL
        {
    " UNION ALL ".join(
        f"SELECT image_id, bit_count((phash # %(phash)s)::bit(64))::int, false FROM image_fingerprints"
        f" WHERE band_{band} = ANY(%(band_{band})s::smallint[]) AND image_id <> %(image)s"
        f" AND bit_count((phash # %(phash)s)::bit(64)) <= {PHASH_MAX_DISTANCE}"
        for band in range(_BANDS)
    )
}
    ) AS found ORDER BY same_file DESC, distance, image_id LIMIT 1
"""


def claim(connection: Connection[Any], image_id: UUID, fingerprint: Fingerprint) -> Match | None:
    """Enters the image among the live ones, or returns the live image that it duplicates.

    Within the caller's transaction; claims take turns until it ends.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CLAIMS_TAKE_TURNS,))
    found = nearest(connection, image_id, fingerprint)
    if found is None:
        connection.execute(
            "INSERT INTO image_fingerprints (image_id, sha256, phash) VALUES (%s, %s, %s)"
            " ON CONFLICT (image_id) DO UPDATE SET sha256 = excluded.sha256, phash = excluded.phash",
            (image_id, fingerprint.sha256, signed(fingerprint.phash)),
        )
    return found


def nearest(connection: Connection[Any], image_id: UUID, fingerprint: Fingerprint) -> Match | None:
    """The closest other live image: the same file first, then by distance, then the earliest."""
    bands = {f"band_{number}": values for number, values in enumerate(probes(fingerprint.phash))}
    row = connection.execute(
        _NEAREST,  # pyright: ignore[reportArgumentType]
        {"sha256": fingerprint.sha256, "phash": signed(fingerprint.phash), "image": image_id, **bands},
    ).fetchone()
    return Match(row["image_id"], row["distance"], row["same_file"]) if row else None


def forget(connection: Connection[Any], image_id: UUID) -> None:
    """Takes the image out of the live ones."""
    connection.execute("DELETE FROM image_fingerprints WHERE image_id = %s", (image_id,))
