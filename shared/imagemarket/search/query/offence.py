"""Which words of others are said to nobody.

A word offends as a whole: "Scunthorpe", "woodpecker" and "psychology" only have a part that would. It is known in the
plural, in look-alike letters, with digits and signs for letters, starred out, drawn out and taken apart. Words that
offend together alone are calls to violence against a group.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from imagemarket.search.query.links import leads_away
from imagemarket.search.query.lookalikes import plain_letters
from imagemarket.search.query.spelling import english_words
from imagemarket.search.query.synonyms import (
    groups,
    offensive,
    offensive_elsewhere,
    persons,
    singulars,
    told_by_accents,
)

_HARMLESS = Path(__file__).with_name("data") / "harmless_names.txt"
_NAME = re.compile(r"@\w")
_GESTURE = "\U0001f595"
_PIECES = re.compile(r"[^\W_]+")
_SIGNS_FOR_LETTERS = "@$!|+(\u20ac\u00a3"
_DISGUISED = re.compile(rf"[\w{re.escape(_SIGNS_FOR_LETTERS)}]+")
_DISGUISES = tuple(
    str.maketrans(f"013456789{_SIGNS_FOR_LETTERS}", letters)
    for letters in ("oieasgtbgasiitcel", "oleasgtbgasiltcel", "oieasbtbgasiitcel")
)
_SIGN_WITHIN = re.compile(r"[@$!|]+(?=[^\W_])")
_STRETCHED = re.compile(r"(.)\1{2,}")
_STARRED = re.compile(r"[^\W_]+(?:\*+[^\W_]*)+")
_JOINT = re.compile(r"[^\s'\u2019]+")
_TOGETHER = 24
"""Letters of the longest word that is put together of pieces."""
_CALL = re.compile(
    r"\b(?:kill|gas|murder|lynch|slaughter|behead|exterminate|death to)((?: (?:all|every|the|these|those))*) ([a-z]+)"
)
_OTHER_GROUPS = frozenset({"blacks", "whites", "women", "gypsies"})
"""Beside those that are nothing else."""
_IN_NO_OTHER = ("fuck", "nigga", "nigger", "faggot")
"""Words that no name has for a part: they offend within whatever is no English word."""


def offends(phrase: str) -> bool:
    """Whether a phrase has a word that is suggested to nobody, or leads somewhere else."""
    plain = plain_letters(phrase)
    if _NAME.search(plain) or _GESTURE in phrase or leads_away(plain) or leads_away(phrase):
        return True
    if _calls_to_violence(plain) or _offends_as_written(phrase):
        return True
    plain = _harmless().sub(" ", plain)
    said = {*_PIECES.findall(plain), *_DISGUISED.findall(plain), *_put_together(plain)}
    said |= _put_together(_with_letters_for_signs(plain))
    return any(map(_is_offensive, said)) or any(map(_is_starred_out, _STARRED.findall(plain.replace("-", ""))))


def _calls_to_violence(plain: str) -> bool:
    written = " ".join(_PIECES.findall(_with_letters_for_signs(plain)))
    said = {" ".join(_PIECES.findall(plain)), *(written.translate(disguise) for disguise in _DISGUISES)}
    calls = [found.groups() for each in said for found in _CALL.finditer(each)]
    return any(who in groups() | _OTHER_GROUPS or (all_of and who in persons()) for all_of, who in calls)


def _with_letters_for_signs(plain: str) -> str:
    return _SIGN_WITHIN.sub(lambda sign: sign[0].translate(_DISGUISES[0]), plain)


def _offends_as_written(phrase: str) -> bool:
    """Whether a phrase has a word that would be harmless without its accents."""
    words = _PIECES.findall(unicodedata.normalize("NFKC", phrase).lower())
    return any(not told_by_accents().isdisjoint({word, *singulars(word)}) for word in words)


def _is_offensive(word: str) -> bool:
    readings = set(_readings(word))
    return not _whole().isdisjoint(readings) or (
        word not in english_words() and any(each in reading for reading in readings for each in _IN_NO_OTHER)
    )


def _readings(word: str) -> Iterator[str]:
    """What a word may be meant as, plurals as their singular."""
    bare = word.rstrip("0123456789")
    for each in {word, bare, *_undisguised(word)}:
        for short in {each, _STRETCHED.sub(r"\1", each), _STRETCHED.sub(r"\1\1", each)}:
            yield short
            yield from singulars(short)


def _undisguised(word: str) -> Iterator[str]:
    """With letters for digits and signs; a short name with two digits, as A55, is a model's."""
    letters = sum(each.isalpha() for each in word)
    signs = len(word) - letters - sum(each.isdecimal() for each in word)
    if (letters or signs) and letters < len(word) and (len(word) > 3 or letters > 1 or signs > 1):
        yield from (word.translate(disguise) for disguise in _DISGUISES)


def _put_together(plain: str) -> set[str]:
    """Words of several pieces: those that a sign joins, those one of which is no word by itself ("nig ger", but not
    "go on"), letters one by one, and phrases of the list."""
    found: set[str] = set()
    pieces = list(_PIECES.finditer(plain))
    for place, first in enumerate(pieces):
        together, joined, single, words = first[0], True, len(first[0]) == 1, _is_a_word(first[0])
        for before, piece in zip(pieces[place:], pieces[place + 1 :], strict=False):
            together += piece[0]
            joined &= _JOINT.fullmatch(plain, before.end(), piece.start()) is not None
            single &= len(piece[0]) == 1
            words &= _is_a_word(piece[0])
            if len(together) > _TOGETHER:
                break
            if joined or single or not words or not _phrases().isdisjoint({together, *singulars(together)}):
                found.add(together)
    return found


def _is_a_word(piece: str) -> bool:
    return piece.isdecimal() or piece in english_words()


def _is_starred_out(word: str) -> bool:
    hidden = re.compile(re.sub(r"(\\\*)+", lambda stars: f"[a-z]{{1,{max(1, len(stars[0]) // 2)}}}", re.escape(word)))
    return any(hidden.fullmatch(each) for word in _whole() for each in (word, f"{word}s"))


def _listed() -> frozenset[str]:
    return offensive() | {plain_letters(word) for word in offensive_elsewhere() - told_by_accents()}


@cache
def _whole() -> frozenset[str]:
    """The words that offend, without what stands between their parts."""
    return frozenset(re.sub(r"[ -]", "", word) for word in _listed())


@cache
def _phrases() -> frozenset[str]:
    return frozenset(re.sub(r"[ -]", "", word) for word in _listed() if " " in word or "-" in word)


@cache
def _harmless() -> re.Pattern[str]:
    lines = _HARMLESS.read_text(encoding="utf-8").splitlines()
    names = "|".join(re.escape(line) for line in lines if line and line[0] != "#")
    return re.compile(rf"\b(?:{names})\b")
