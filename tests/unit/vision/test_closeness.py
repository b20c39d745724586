"""From which cosine on a picture is close."""

from __future__ import annotations

import numpy as np
import pytest

from sagemaker.builders.closeness import alike, least_close, made_up_words


def test_one_made_up_word_in_twenty_may_find_something() -> None:
    likeness = np.full((20, 200), 0.1)
    likeness[0, :2] = 0.9  # this word finds 1 % at any cosine up to 0.9
    likeness[1, :1] = 0.9  # half a per cent is not counted
    found = least_close(likeness)
    assert found is not None
    assert found == (pytest.approx(0.11), pytest.approx(0.05))
    likeness[2, :2] = 0.305
    assert least_close(likeness) == (pytest.approx(0.31), pytest.approx(0.05))


def test_nothing_is_made_up_of_cosines_that_tell_nothing_apart() -> None:
    assert least_close(np.full((20, 6), 0.999)) is None


def test_made_up_words_are_the_same_each_time_and_of_every_kind() -> None:
    words = made_up_words()
    assert words == made_up_words()
    assert len(set(words)) > 250
    assert all(4 <= len(word) <= 9 and word.isascii() and word.islower() for word in words)


def test_pairs_that_show_the_same_are_alike() -> None:
    shown = [frozenset(each.split()) for each in ("dog grass", "dog grass ball", "bus road", "bus road car", "cake")]
    likeness = np.full((5, 5), 0.1)
    likeness[1, 0] = likeness[0, 1] = 0.83
    likeness[3, 2] = likeness[2, 3] = 0.71
    likeness[4, 0] = likeness[0, 4] = 0.75  # nothing in common, and as near
    assert alike(likeness, shown) == (pytest.approx(0.7), 1.0, pytest.approx(1 / 8))
    with pytest.raises(ValueError, match="no two"):
        alike(likeness, [frozenset({str(place)}) for place in range(5)])
