"""The first stage against duplicates: fingerprints of live images, and the exact search for those that look alike.

The same file is a duplicate. A picture that looks alike only may be one: the second stage (`near_duplicates`)
compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from uuid import UUID

from imagemarket.imaging.hashes import ODD_COLUMNS, ODD_ROWS, transposed

PHASH_MAX_DISTANCE = 8
"""Two perceptual hashes this many bits apart or fewer (of 64), in any of the eight ways to lay a picture, may show
the same one. Of five million others some one in fifty has such a neighbour by chance."""
MOST_LOOKALIKES = 8

_PROBE_BITS = 2
"""By the pigeonhole principle, 8 differing bits over 3 bands leave a band with at most 2, so
probing each band's value and its neighbours within 2 bits finds every match: the search is exact."""


@dataclass(frozen=True)
class Band:
    """Some of a hash's bits, and the canonical orientation of a picture that its mirror images share.

    A mirror changes `ODD_COLUMNS`, turning upside down `ODD_ROWS`. Of the four hashes that these make of one, the
    canonical one has two given bits clear: one that only `ODD_ROWS` has and one that only `ODD_COLUMNS` has. Both
    belong to the band, so that its bits alone say how to turn the hash.
    """

    lowest: int
    bits: int
    row_bit: int
    column_bit: int

    @property
    def mask(self) -> int:
        """The band's bits."""
        return (1 << self.bits) - 1 << self.lowest

    def turns(self, phash: int) -> int:
        """The bits by which the hash differs from the canonical one."""
        return (ODD_ROWS if phash >> self.row_bit & 1 else 0) ^ (ODD_COLUMNS if phash >> self.column_bit & 1 else 0)


BANDS = (
    Band(lowest=0, bits=21, row_bit=1, column_bit=8),
    Band(lowest=21, bits=21, row_bit=33, column_bit=24),
    Band(lowest=42, bits=22, row_bit=49, column_bit=42),
)
"""Column `laid_N` of `image_fingerprints` is the hash in band N's orientation; `idx_fingerprints_laid_N` indexes that
band of it."""


@dataclass(frozen=True)
class Probe:
    """A difference of at most `_PROBE_BITS` in a band. Turning a hash is linear over GF(2), so these are the same
    for every hash."""

    value: int
    """What it changes of the turned band: where in the index to look."""
    turns: int
    """By what the hash is then turned otherwise: what to compare with there."""


def _probes(band: Band) -> tuple[Probe, ...]:
    differences = [
        sum(1 << bit for bit in chosen)
        for count in range(_PROBE_BITS + 1)
        for chosen in combinations(range(band.lowest, band.lowest + band.bits), count)
    ]
    return tuple(Probe((each ^ band.turns(each)) & band.mask, band.turns(each)) for each in differences)


PROBES = tuple(_probes(band) for band in BANDS)


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
    """See `imaging.feature_matching.Comparison`; None where no map brings the pictures together."""


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


def canonical_orientations(phash: int) -> tuple[tuple[int, int], ...]:
    """The hash in each band's orientation, and that of the transposed picture: all eight orientations."""
    ways = phash, transposed(phash)
    return tuple((ways[0] ^ band.turns(ways[0]), ways[1] ^ band.turns(ways[1])) for band in BANDS)
