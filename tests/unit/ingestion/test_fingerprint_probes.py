"""The banded search loses nothing: every hash within the distance lies at a place of some band that is looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagemarket.imaging.hashes import orientations
from imagemarket.ingestion.fingerprints import BANDS, PHASH_MAX_DISTANCE, PROBES, canonical_orientations, signed

HASH = st.integers(min_value=0, max_value=2**64 - 1)


@given(
    HASH,
    st.sets(st.integers(min_value=0, max_value=63), max_size=PHASH_MAX_DISTANCE),
    st.integers(min_value=0, max_value=7),
)
def test_a_hash_within_the_distance_is_found_with_its_distance(phash: int, flipped: set[int], way: int) -> None:
    near = orientations(phash)[way]
    for bit in flipped:
        near ^= 1 << bit
    nearest = min((near ^ each).bit_count() for each in orientations(phash))
    found = [
        (stored ^ asked ^ probe.turns).bit_count()
        for band, probes, both in zip(BANDS, PROBES, canonical_orientations(phash), strict=True)
        for stored in (near ^ band.turns(near),)
        for asked in both
        for probe in probes
        if stored & band.mask == asked & band.mask ^ probe.value
    ]
    assert min(found) == nearest


@given(HASH, st.integers(min_value=0, max_value=7))
def test_mirror_images_share_their_place_in_every_band(phash: int, way: int) -> None:
    for one, other in zip(canonical_orientations(phash), canonical_orientations(orientations(phash)[way]), strict=True):
        assert set(one) == set(other)


def test_no_place_is_looked_at_twice() -> None:
    for band, probes in zip(BANDS, PROBES, strict=True):
        assert len({probe.value for probe in probes}) == len(probes) == 1 + band.bits + band.bits * (band.bits - 1) // 2
        assert all(probe.value & ~band.mask == 0 for probe in probes)


def test_the_bands_are_all_of_the_hash() -> None:
    assert sum(band.mask for band in BANDS) == 2**64 - 1


@given(HASH)
def test_the_signed_form_keeps_the_bits(phash: int) -> None:
    assert -(2**63) <= signed(phash) < 2**63
    assert signed(phash) & (2**64 - 1) == phash
