"""The banded probes lose nothing: every hash within the distance shares a probed band."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagemarket.imaging.hashes import orientations
from imagemarket.ingestion.duplicates import PHASH_MAX_DISTANCE, probes, signed

HASH = st.integers(min_value=0, max_value=2**64 - 1)


def stored_bands(phash: int) -> list[int]:
    """What the generated columns of `image_fingerprints` hold."""
    return [phash & 0x1FFFFF, (phash >> 21) & 0x1FFFFF, phash >> 42]


@given(
    HASH,
    st.sets(st.integers(min_value=0, max_value=63), max_size=PHASH_MAX_DISTANCE),
    st.integers(min_value=0, max_value=7),
)
def test_a_hash_within_the_distance_is_always_probed(phash: int, flipped: set[int], laid: int) -> None:
    near = orientations(phash)[laid]
    for bit in flipped:
        near ^= 1 << bit
    assert any(band in probed for band, probed in zip(stored_bands(near), probes(orientations(phash)), strict=True))


@given(HASH)
def test_a_probe_is_within_two_bits_of_a_band(phash: int) -> None:
    for band, probed in zip(stored_bands(phash), probes((phash,)), strict=True):
        assert max((band ^ value).bit_count() for value in probed) == 2
        assert len(set(probed)) == len(probed)


@given(HASH)
def test_the_signed_form_keeps_the_bits(phash: int) -> None:
    assert -(2**63) <= signed(phash) < 2**63
    assert signed(phash) & (2**64 - 1) == phash
