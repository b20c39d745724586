"""The banded probes lose nothing: every hash within the distance shares a probed band."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagemarket.ingestion.duplicates import PHASH_MAX_DISTANCE, probes, signed

HASH = st.integers(min_value=0, max_value=2**64 - 1)


def stored_bands(phash: int) -> list[int]:
    """What the generated columns of `image_fingerprints` hold."""
    return [((phash >> shift) & 0xFFFF) - 32768 for shift in (0, 16, 32, 48)]


@given(HASH, st.sets(st.integers(min_value=0, max_value=63), max_size=PHASH_MAX_DISTANCE))
def test_a_hash_within_the_distance_is_always_probed(phash: int, flipped: set[int]) -> None:
    near = phash
    for bit in flipped:
        near ^= 1 << bit
    assert any(band in probed for band, probed in zip(stored_bands(near), probes(phash), strict=True))


@given(HASH)
def test_the_signed_form_keeps_the_bits(phash: int) -> None:
    assert -(2**63) <= signed(phash) < 2**63
    assert signed(phash) & (2**64 - 1) == phash
