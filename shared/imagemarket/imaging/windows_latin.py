"""Texts of files that say no alphabet and are no UTF-8: Windows' Latin where they read like it, else nothing.

Bytes of another alphabet read as Latin are a title that nobody can read. Which one they were written in cannot be told
from a few words with any certainty, but that they were not Western text can: that has an accent here and there.
"""

from __future__ import annotations

from itertools import pairwise


def letters_of(codec: str) -> tuple[str, ...]:
    """The letter of each byte."""
    return tuple(bytes([each]).decode(codec, "ignore") or chr(each) for each in range(256))


# Made here, since Python reads a codec from its file when it is first used, and a confined decoder opens none.
_LETTERS = letters_of("cp1252")
_BEFORE_LETTERS = frozenset("«»\u2018\u2019“”„\u201a\u2039\u203a¿¡©®™§°ªºµ\u2013—…•·†‡\xa0\xad")
_BEHIND_LETTERS = frozenset("«»\u2018\u2019“”\u203a™®©°ªº²³\u2013—…•·†‡€\xa0\xad")
_BETWEEN_LETTERS = frozenset("\u2018\u2019\u2013—…·\xa0\xad")
"""Without a space on either side. Mac Roman and cp850 have letters where other signs are here: H™tel, K”ln."""
_NO_LETTERS = frozenset("ªºµƒˆ")
"""What Unicode calls letters and stands as a sign."""
_FROM_WINDOWS = frozenset("ŠŽŒŸšžœ")
"""Of the bytes that begin a Japanese letter."""
_DOUBLED = frozenset("äöåõü")
"""Finnish and Estonian have several in a row, and words of nothing else."""


def western(data: bytes) -> str | None:
    """The text where it reads like a Western language, else None."""
    text = "".join(_LETTERS[each] for each in data)
    if any("\x80" <= each <= "\x9f" for each in text):  # the five bytes that Windows' Latin leaves out
        return None
    if text.isascii():
        return text
    letters = [each for each in text if _is_letter(each)]
    if not any(each.isascii() for each in letters) and not _are_doubled(letters):
        return None
    if 20 * sum(each in _FROM_WINDOWS for each in letters) > 9 * len(letters):
        return None
    if not all(_stand_together(before, behind) for before, behind in pairwise(f" {text} ")):
        return None
    if not all(_is_between(*each) for each in zip(text, text[1:], text[2:], strict=False)):
        return None
    words = "".join(each if _is_letter(each) else " " for each in text).split()
    return text if all(_reads_western(word) for word in words) else None


def _is_letter(each: str) -> bool:
    return each.isalpha() and each not in _NO_LETTERS


def _are_doubled(letters: list[str]) -> bool:
    return all(each.isascii() or each.lower() in _DOUBLED for each in letters)


def _stand_together(before: str, behind: str) -> bool:
    """Whether a sign may stand beside a letter or another sign."""
    if _is_letter(before) and _is_letter(behind):
        return True
    if _is_letter(before):
        return behind.isascii() or behind in _BEHIND_LETTERS
    if _is_letter(behind):
        return before.isascii() or before in _BEFORE_LETTERS
    return before.isascii() or behind.isascii() or {before, behind} <= _BEFORE_LETTERS | _BEHIND_LETTERS


def _is_between(before: str, sign: str, behind: str) -> bool:
    """Whether it may be, where both beside it are letters."""
    joined = not sign.isascii() and not _is_letter(sign) and _is_letter(before) and _is_letter(behind)
    return not joined or sign in _BETWEEN_LETTERS


def _reads_western(word: str) -> bool:
    capitals = word[0] == "Ÿ" or any(each.isupper() and not each.isascii() for each in word[1:])
    if capitals and not word.isupper():
        return False
    accented = [each for each in word if not each.isascii()]
    return len(accented) < 3 or 5 * len(accented) <= 3 * len(word) or _are_doubled(accented)
