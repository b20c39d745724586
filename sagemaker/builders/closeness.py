"""From which cosine on a picture is close to a text: above what made-up words reach."""

from __future__ import annotations

import random
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
