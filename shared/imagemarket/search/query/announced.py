"""What somebody's contact or secret is announced by: each kind has a name beside which it is written in its own form.

One rule a kind; what it finds is ordinary by itself, and a secret where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from pathlib import Path

_SEED_WORDS = Path(__file__).with_name("data") / "seed_words.txt"
_LEAST_SEED = 12
"""A wallet's seed has 12, 15, 18, 21 or 24 words; a list of tags hardly has a dozen of these alone."""

_DATE = r"(?:\d{1,2}[./ -]+\d{1,2}[./ -]+\d{2,4}|\d{4}[./ -]\d{1,2}[./ -]\d{1,2})\b"
_DATE_IN_WORDS = r"(?:\d{1,2}\W+[^\W\d_]{3,9}\W+\d{2,4}|[^\W\d_]{3,9}\.? \d{1,2},? \d{4})\b"
_PLATE = (
    r"(?:[a-z]{1,3}[ -]+[a-z]{1,3}[ -]*\d{1,4}|[a-z]{1,3}[ -]?\d{1,4}[ -]?[a-z]{2,3}"
    r"|[a-z]{1,3}(?:-?|[ ](?!(?:19|20)\d\d\b))\d{3,4}"
    r"|\d{1,4}[ -]?[a-z]{2,3}[ -]?\d{1,4}|(?!19|20)\d{4}[ -]?[a-z]{3})\b"
)
_BIRTH = (
    r"(?:d\.?o\.?b|date of birth|birth ?date|geburtsdatum|date de naissance|fecha de nacimiento|data di nascita"
    r"|data de nascimento|geboortedatum|data urodzenia"
    r"|\u0434\u0430\u0442\u0430 \u0440\u043e\u0436\u0434\u0435\u043d\u0438\u044f)"
)
_BORN = (
    r"(?:born(?: on)?|geb(?:oren)?(?: am)?|n(?:\u00e9|e)e?(?: le)?|nacid[oa](?: el)?|nat[oa] il|nascid[oa] em"
    r"|\u0440\u043e\u0434\u0438\u043b(?:\u0441\u044f|\u0430\u0441\u044c))"
)
_NETWORK = (
    r"(?:instagram|insta|ig|skype|telegram|tik ?tok|snapchat|snap|discord|twitter|facebook|fb|whatsapp|mastodon|bluesky"
    r"|wechat|weixin|viber|kik|onlyfans|linkedin|reddit|twitch)"
)
_PICTURED = r"(?:banner|button|concept|icon|label|logo|mockup|post|poster|sign|sticker|story|symbol|template|vector)s?"

_ANNOUNCED = {
    # "user/admin" is a pair of words as well, and as rare as that.
    "a login and its password": (
        r"\b(?:root|admin(?:istrator)?|sysadmin|postgres|mysql|ubuntu)(?: ?: ?|/)\w|\buser/\w|\bguest:\w"
    ),
    # Words behind a network's name are what it is pictured with ("instagram story"): a handle has a sign or a number
    # within, or is told as one; what people call a network among themselves is no title's beginning.
    "a handle in a network": (
        rf"\b{_NETWORK}\b\W*(?:(?:is|handle|name|user ?name|id|account|me|add|live)\b\W*)*"
        r"(?:(?<=live:)\w|[^\W\d_][^\W_]*[._]+[^\W_]|_+[^\W_]|[^\W\d_]{3,}\d{2,4}\b)"
        r"|\b(?:fb|ig|insta|skype|snap) ?: ?[^\W\d_]"
        rf"|\b(?:my|our) {_NETWORK}(?: (?:handle|name|user ?name|id|account))?(?: is\b|:)\W*\w"
        rf"|\b(?:add|follow|find|message|text|write) (?:me|us) (?:on|at|in|via) {_NETWORK}\W+(?!{_PICTURED}\b)\w"
    ),
    # A birthday is a feast, which invitations and cakes have with a date; and of the famous people say when they were
    # born, with the month in words.
    "a date of birth": (rf"\b{_BIRTH}\b\W*(?:is\W+)?(?:{_DATE}|{_DATE_IN_WORDS})|\b{_BORN}\W+{_DATE}"),
    # "Targa" is a Porsche more often than a plate.
    "a car's plate": (
        r"\b(?:(?:licen[cs]e|number|reg(?:istration)?|vehicle|car) plates?|(?:registration|plate) numbers?"
        r"|nummernschild|(?:auto)?kennzeichen|plaque d'immatriculation|matr[\u00edi]cula|nummerplaat|kenteken"
        r"|\u043d\u043e\u043c\u0435\u0440 \u043c\u0430\u0448\u0438\u043d\u044b"
        rf")\W+(?:is\W+)?(?!(?:in|of|no|on)\b){_PLATE}"
    ),
}
"""By what it is."""
_ANY = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _ANNOUNCED.values())
_WORD = re.compile(r"[^\W\d_]+")


def announced(words: str) -> bool:
    """Whether a contact or a secret stands beside what announces it, or words are a wallet's seed."""
    return any(pattern.search(words) for pattern in _ANY) or _has_a_seed(_WORD.findall(words.lower()))


def _has_a_seed(words: Iterable[str]) -> bool:
    return any(
        of_seeds and sum(1 for _ in together) >= _LEAST_SEED
        for of_seeds, together in groupby(words, key=lambda word: word in seed_words())
    )


@cache
def seed_words() -> frozenset[str]:
    """The 2,048 English words of which wallets make their seeds."""
    lines = _SEED_WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
