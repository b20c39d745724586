"""From which cosine on a picture is close."""

from __future__ import annotations

import numpy as np
import pytest

from sagemaker.builders.closeness import least_close, made_up_words


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
