"""The first stage against duplicates: fingerprints of live images, and the exact search for those that look alike.

The same file is a duplicate. A picture that looks alike only may be one: the second stage (`copies`) compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.imaging.hashes import orientations

if TYPE_CHECKING:
    from psycopg import Connection

PHASH_MAX_DISTANCE = 8
"""Two perceptual hashes this many bits apart or fewer (of 64), in any of the eight ways to lay a picture, may show
the same one. Of five million others some one in fifty has such a neighbour by chance."""
MOST_LOOKALIKES = 8

_BAND_BITS = (21, 21, 22)
_PROBE_BITS = 2
"""By the pigeonhole principle, 8 differing bits over 3 bands leave a band with at most 2, so
probing each band's value and its neighbours within 2 bits finds every match: the search is exact."""


def _flips(bits: int) -> tuple[int, ...]:
    """Every difference of at most `_PROBE_BITS` of so many bits."""
    return tuple(
        sum(1 << bit for bit in places)
        for count in range(_PROBE_BITS + 1)
        for places in combinations(range(bits), count)
    )


_FLIPS = tuple(_flips(bits) for bits in _BAND_BITS)

_CLAIMS_TAKE_TURNS = 0x70686173
"""Advisory lock: of two copies that arrive together, the second must see the first."""


class FoundBy(StrEnum):
    """What brought two images together."""

    SHA256 = "sha256"
    PERCEPTUAL_HASH = "perceptual_hash"
    EMBEDDING = "embedding"


class Verdict(StrEnum):
    """What becomes of an image: refused as a duplicate, or held for a person to decide."""

    CERTAIN = "certain"
    PROBABLE = "probable"


@dataclass(frozen=True)
class Evidence:
    """Why an image is held to be a copy of an earlier one."""

    other_id: UUID
    found_by: FoundBy
    verdict: Verdict
    distance: int | None = None
    """Bits between the perceptual hashes, where these brought them together."""
    cosine: float | None = None
    """Of the angle between the embeddings, where these brought them together."""
    inliers: int | None = None
    agreement: float | None = None
    cells: int | None = None
    """See `imaging.matching.Comparison`; None where no map brings the pictures together."""


@dataclass(frozen=True)
class Fingerprint:
    """What an image is recognised by: `sha256` of its file, `phash` unsigned 64 bits."""

    sha256: bytes
    phash: int


@dataclass(frozen=True)
class Lookalike:
    """A live image whose perceptual hash is `distance` bits away."""

    image_id: UUID
    distance: int


@dataclass(frozen=True)
class Claim:
    """What an image found when it came among the live ones."""

    same_file: UUID | None
    """The live image made of the same file; the claim is then refused."""
    lookalikes: tuple[Lookalike, ...]
    """Up to `MOST_LOOKALIKES`, nearest first, then the earliest."""


def signed(unsigned: int) -> int:
    """A 64-bit unsigned integer as PostgreSQL's bigint holds its bits."""
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def probes(hashes: tuple[int, ...]) -> list[list[int]]:
    """For each band, the values whose rows can lie within the distance of one of the hashes."""
    probed, shift = [], 0
    for bits, flips in zip(_BAND_BITS, _FLIPS, strict=True):
        values = {phash >> shift & (1 << bits) - 1 for phash in hashes}
        probed.append(sorted({value ^ flip for value in values for flip in flips}))
        shift += bits
    return probed


_DISTANCE = f"least({', '.join(f'bit_count((phash # %(laid_{number})s)::bit(64))' for number in range(8))})::int"
_LOOKALIKES = f"""
    SELECT image_id, min(distance) AS distance FROM (
        {
    " UNION ALL ".join(
        f"SELECT image_id, {_DISTANCE} AS distance FROM image_fingerprints WHERE band_{band} = ANY(%(band_{band})s)"
        for band in range(len(_BAND_BITS))
    )
}
    ) AS near WHERE distance <= {PHASH_MAX_DISTANCE} AND image_id <> %(image)s
     GROUP BY image_id ORDER BY distance, image_id LIMIT {MOST_LOOKALIKES}
"""


def claim(connection: Connection[Any], image_id: UUID, fingerprint: Fingerprint) -> Claim:
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


def lookalikes(connection: Connection[Any], image_id: UUID, phash: int) -> tuple[Lookalike, ...]:
    """The other live images whose hash is near that of the picture in any of the eight ways to lay it."""
    laid = orientations(phash)
    parameters: dict[str, Any] = {"image": image_id}
    parameters |= {f"laid_{number}": signed(each) for number, each in enumerate(laid)}
    parameters |= {f"band_{band}": values for band, values in enumerate(probes(laid))}
    rows = connection.execute(_LOOKALIKES, parameters).fetchall()  # pyright: ignore[reportArgumentType]
    return tuple(Lookalike(row["image_id"], row["distance"]) for row in rows)


def forget(connection: Connection[Any], image_id: UUID) -> None:
    """Takes the image out of the live ones."""
    connection.execute("DELETE FROM image_fingerprints WHERE image_id = %s", (image_id,))


def keep(connection: Connection[Any], image_id: UUID, evidence: list[Evidence]) -> None:
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
