"""From which cosine on a picture is close to a text, above what made-up words reach, and two pictures are alike."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def made_up(numbers: random.Random) -> str:
    """A word that means nothing: a run on the keyboard, consonants, or syllables."""
    match numbers.randrange(3):
        case 0:
            row = numbers.choice(_ROWS)
            begin = numbers.randrange(len(row) - 4)
            run = row[begin : begin + numbers.randrange(4, 10)]
            return run if numbers.random() < 0.5 else run[::-1]
        case 1:
            return "".join(numbers.choice("bcdfghjklmnpqrstvwxz") for _ in range(numbers.randrange(4, 10)))
        case _:
            syllables = range(numbers.randrange(2, 5))
            return "".join(numbers.choice("bdfgklmprstvz") + numbers.choice("aeiou") for _ in syllables)


def made_up_words(count: int = 300, seed: int = 7) -> list[str]:
    """The same ones for the same seed."""
    numbers = random.Random(seed)  # noqa: S311 - words, no secrets
    return [made_up(numbers) for _ in range(count)]


def least_close(likeness: NDArray[Any]) -> tuple[float, float] | None:
    """The lowest cosine, in steps of 0.01, at which 19 of 20 made-up words find less than 1 % of the pictures, and the
    share of words that find more there. `likeness`: cosines, one row a word, one column a picture. None where made-up
    words are as close to pictures as can be, so that no cosine tells them apart."""
    for step in range(100):
        found = (likeness >= step / 100).mean(axis=1) >= 0.01
        if found.mean() <= 0.05:
            return step / 100, float(found.mean())
    return None


def alike(likeness: NDArray[Any], shown: Sequence[frozenset[str]]) -> tuple[float, float, float]:
    """The highest cosine, in steps of 0.05, which 19 of 20 pairs that show the same reach; the share of them that do,
    and of pairs that show nothing in common. `likeness`: cosines of each picture with each; `shown`: what is on each.
    To show the same is to have half of all that is on either in common. Raises ValueError where no pair does."""
    import numpy as np

    pairs = [(one, other) for one in range(len(shown)) for other in range(one)]
    common = np.asarray([len(shown[a] & shown[b]) / max(1, len(shown[a] | shown[b])) for a, b in pairs])
    cosines = np.asarray([likeness[pair] for pair in pairs])
    same, nothing = cosines[common >= 0.5], cosines[common == 0]
    if not len(same):
        raise ValueError("no two pictures show the same")
    least = next(step / 20 for step in range(20, -21, -1) if (same >= step / 20).mean() >= 0.95)
    return least, float((same >= least).mean()), float((nothing >= least).mean())
