"""The hash of a picture that was laid otherwise follows from the picture's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagemarket.imaging.hashes import orientations, perceptual_hash


def _picture(seed: int) -> Image.Image:
    blobs = np.random.default_rng(seed).integers(0, 256, (9, 12), dtype=np.uint8)
    return Image.fromarray(blobs).resize((240, 180), Image.Resampling.BICUBIC).convert("RGB")


@pytest.mark.parametrize("method", list(Image.Transpose))
@pytest.mark.parametrize("seed", range(3))
def test_the_hash_of_every_way_to_lay_a_picture_is_known(seed: int, method: Image.Transpose) -> None:
    picture = _picture(seed)
    laid = perceptual_hash(picture.transpose(method))
    assert min((laid ^ each).bit_count() for each in orientations(perceptual_hash(picture))) <= 1


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_they_are_one_family(phash: int) -> None:
    family = orientations(phash)
    assert family[0] == phash
    assert all(set(orientations(each)) == set(family) for each in family)


def test_other_pictures_are_far_however_they_are_laid() -> None:
    hashes = [perceptual_hash(_picture(seed)) for seed in range(12)]
    for number, one in enumerate(hashes):
        for other in hashes[:number]:
            assert min((one ^ each).bit_count() for each in orientations(other)) > 8
