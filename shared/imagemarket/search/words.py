"""What a query's words ask for, where an engine does not read queries itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 100
"""Clauses that are read at most: as many as fit in a query."""

_CLAUSE = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
_LETTERS = re.compile(r"[^\W_]")
_SIGNS = re.compile(r"(?<!\w)[^\w\s]+|[^\w\s]+(?!\w)|[^\w\s'.-]+")  # all but those within a word


@dataclass(frozen=True)
class Clause:
    """Words that a document must have, as a phrase or at all, or must not have."""

    text: str
    phrase: bool = False
    excluded: bool = False

    def write(self) -> str:
        """As a person would type it."""
        together = self.phrase or (self.excluded and " " in self.text)
        return ("-" if self.excluded else "") + (f'"{self.text}"' if together else self.text)


@dataclass(frozen=True)
class Words:
    """A query: of each group any clause is wanted, and every group."""

    groups: tuple[tuple[Clause, ...], ...]

    @property
    def plain(self) -> bool:
        """Whether they are words alone. Quotes, minus and `or` say exactly what is wanted, so only plain words
        may be loosened to any of them."""
        return all(len(group) == 1 and not group[0].phrase and not group[0].excluded for group in self.groups)

    @property
    def exact(self) -> Words:
        """What quotes and minus say, which holds for every result however it was found."""
        return Words(tuple(group for group in self.groups if any(each.phrase or each.excluded for each in group)))

    @property
    def meant(self) -> str:
        """The words without those that are not wanted, as one would say what the picture shows."""
        return " ".join(clause.text for group in self.groups for clause in group if not clause.excluded)

    def write(self) -> str:
        """The query again, without the signs that mean nothing."""
        return " ".join(" or ".join(clause.write() for clause in group) for group in self.groups)


def read(text: str) -> Words:
    """Quotes keep a phrase together, a minus before a word or a phrase excludes it, `or` stands between
    alternatives. Everything else is words; signs are nothing."""
    groups: list[tuple[Clause, ...]] = []
    joins = False
    for minus, quoted, bare in _CLAUSE.findall(text)[:LONGEST]:
        if bare.lower() == "or" and not minus:
            joins = bool(groups)
            continue
        content = quoted or bare
        if not _LETTERS.search(content):
            continue
        cleaned = " ".join(_SIGNS.sub(" ", content).split())
        together = bool(quoted or minus)
        for part in [cleaned] if together else filter(_LETTERS.search, cleaned.split()):
            if not together and part.lower() == "or":
                continue  # with signs about it: an alternative to nothing, and nothing is found by it
            clause = Clause(part, phrase=bool(quoted), excluded=bool(minus))
            if joins:
                groups[-1] = (*groups[-1], clause)
            else:
                groups.append((clause,))
            joins = False
    return Words(tuple(groups))
