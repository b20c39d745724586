"""Whether words lead somewhere else: an address of the net, as it is written and as people write it for people.

What is a domain's end is told by the public suffix list (https://publicsuffix.org), which the package publicsuffixlist
carries as it was when it was packed; nothing is asked for.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_DOT = re.compile(r"\s*[(\[{<]\s*(?:\.|dot|punkt|punto|point|ponto)\s*[)\]}>]\s*", re.IGNORECASE)
_SHAPES = re.compile(
    r"[a-z]://|\bwww\.|\bhxxps?:|\b(?:data|file|ftp|magnet|sms|skype|tel|vbscript):\S|\b(?:javascript|mailto)\s*:"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b",
    re.IGNORECASE,
)
# "Net" and "info" begin sentences too.
_APART = re.compile(
    r"\w\s*\.\s*(?:com|org)\b|\w\s*\.\s+(?:net|info|biz)\s*(?:/|$)"
    r"|(?<!\bthe)(?<!\ba)(?<=\w)\s+(?:dot|punkt|punto|ponto)\s+(?:com|net|org|info|de)\b",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"[^\W_][\w-]*(?:\.[^\W_][\w-]*)+")


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False, only_icann=True)


def leads_away(words: str) -> bool:
    """Whether the words have a link, an address of a machine or the name of a domain: what stands before a dot and a
    public suffix. "Node.js", "St.Moritz" and "e.g." have none."""
    plain = _DOT.sub(".", words)
    return (
        _SHAPES.search(plain) is not None
        or _APART.search(plain) is not None
        or any(_is_domain(each[0], plain[each.end() :]) for each in _DOTTED.finditer(plain))
    )


def _is_domain(name: str, behind: str) -> bool:
    suffix = _suffixes().publicsuffix(name.lower())
    if suffix is None or suffix == name.lower():
        return False
    owner = name[: -len(suffix) - 1]
    # "7.am" and "i.am" end as a country does
    return len(suffix) > 2 or behind.startswith("/") or not (owner.isdigit() or owner.lower() == "i")
