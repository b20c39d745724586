"""Words and filters as SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from imagemarket.search.engines.colours import cells_near
from imagemarket.search.query.syntax import Clause, Words
from imagemarket.search.query.words import STOP_WORDS
from imagemarket.search.request import Filters

_ASPECT_RATIO = "d.width / nullif(d.height, 0)::float8"

EXACT_MARK = "="
"""Stands before a very word in the index, where stems have none. Phrases are looked up by very words alone, so their
places say whether a phrase stands just so, and no text has to be read."""

_LONGEST_WORD = 255
"""Letters of a very word that count; PostgreSQL takes 2 KB."""

_ASKED = """
    parsed AS (
        SELECT to_tsquery('market_english', %(all)s){phrases} AS stemmed
    ), asked AS MATERIALIZED (
        SELECT CASE WHEN numnode(stemmed) > 0 THEN stemmed ELSE %(very)s::tsquery END AS words FROM parsed
    )"""
"""The words as one tsquery; those that English has no stem of, as they are."""

LEXEME = re.compile(r"'(?:[^']|'')*'")
_CHAIN = re.compile(rf"{LEXEME.pattern}(?: <(?:-|\d+)> {LEXEME.pattern})+")


def unordered(words: str) -> str:
    """A tsquery that asks for the words of phrases in any place, each once.

    Scores are taken by it: they reward words that are near by themselves, and would look for a phrase anew from every
    place of a document, so that one letter 200 times against a text of that letter took seconds a document.
    """
    return _CHAIN.sub(lambda chain: " & ".join(dict.fromkeys(LEXEME.findall(chain[0]))), words)


@dataclass(frozen=True)
class TermsSql:
    """A query's words as SQL."""

    common_table: str
    """Gives `asked.words`, the tsquery."""
    parameters: dict[str, Any]

    @staticmethod
    def of(words: Words) -> TermsSql:
        """Of the words, all of them wanted."""
        stemmed = [group for group in words.groups if not any(clause.phrase for clause in group)]
        parameters: dict[str, Any] = {"all": tsquery_of(stemmed), "very": tsquery_of(words.groups, exact_lexeme)}
        phrases = ""
        for group in words.groups:
            if group in stemmed:
                continue
            alternatives: list[str] = []
            for clause in group:
                name = f"clause_{len(parameters)}"
                parameters[name] = _clause(clause, exact_lexeme if clause.phrase else _lexeme)
                alternatives.append(
                    f"%({name})s::tsquery" if clause.phrase else f"to_tsquery('market_english', %({name})s)"
                )
            phrases += f" && ({' || '.join(alternatives)})"
        return TermsSql(_ASKED.format(phrases=phrases), parameters)


def _lexeme(word: str) -> str:
    """Quoted, whatever is in it."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def exact_lexeme(word: str) -> str:
    """A very word as the index has it."""
    return _lexeme(EXACT_MARK + word.lower()[:_LONGEST_WORD])


def tsquery_of(groups: Iterable[tuple[Clause, ...]], lexeme: Callable[[str], str] = _lexeme) -> str:
    """The words as `to_tsquery` reads them, or, written by `exact_lexeme`, as PostgreSQL reads a tsquery: letters,
    digits and marks alone, so nothing in them is a command."""
    return " & ".join("(" + " | ".join(_clause(clause, lexeme) for clause in group) + ")" for group in groups)


def _clause(clause: Clause, lexeme: Callable[[str], str]) -> str:
    forms = [(" <-> " if form.side_by_side else " & ").join(map(lexeme, form.words)) for form in clause.forms]
    return ("!" if clause.excluded else "") + "(" + " | ".join(f"({form})" for form in forms) + ")"


def typed_words(words: Words) -> str:
    """Any of the very words that were typed."""
    clauses = [clause for group in words.groups for clause in group if not clause.excluded and not clause.added]
    typed = {word for clause in clauses for form in clause.forms if not form.inflected for word in form.words}
    return " | ".join(exact_lexeme(word) for word in sorted(typed) if word.lower() not in STOP_WORDS)


def condition_of(filters: Filters) -> tuple[str, dict[str, Any]]:
    """The filters as SQL over `search_documents d`, always with `listed`, and their parameters."""
    conditions = ["d.listed"]
    parameters: dict[str, Any] = {}

    def add(condition: str, **values: Any) -> None:
        conditions.append(condition)
        parameters.update(values)

    if filters.category:
        add("d.categories && %(category)s::varchar[]", category=list(filters.category))
    if filters.color:
        cells = {cell for each in filters.color if each[0] == "#" for cell in cells_near(each, filters.color_tolerance)}
        add(
            "(d.colours && %(color)s::varchar[] OR d.palette_cells && %(cells)s::int[])",
            color=[each for each in filters.color if each[0] != "#"],
            cells=sorted(cells),
        )
    if filters.license:
        add("d.license_types && %(license)s::varchar[]", license=[each.value for each in filters.license])
    if filters.orientation:
        add("d.orientation = ANY(%(orientation)s)", orientation=list(filters.orientation))
    if filters.type:
        add("d.image_type = ANY(%(type)s)", type=[each.value for each in filters.type])
    if filters.contributor:
        add("d.contributor_id = %(contributor)s", contributor=filters.contributor)
    if filters.people is not None:
        add("d.people = %(people)s", people=filters.people)
    if filters.safe:
        conditions.append("d.safe")
    if filters.min_width:
        add("d.width >= %(min_width)s", min_width=filters.min_width)
    if filters.min_height:
        add("d.height >= %(min_height)s", min_height=filters.min_height)
    if filters.min_aspect_ratio:
        add(f"{_ASPECT_RATIO} >= %(min_aspect_ratio)s", min_aspect_ratio=filters.min_aspect_ratio)
    if filters.max_aspect_ratio:
        add(f"{_ASPECT_RATIO} <= %(max_aspect_ratio)s", max_aspect_ratio=filters.max_aspect_ratio)
    for name, (first, last) in {"date": (filters.date_from, filters.date_to), "month": filters.month}.items():
        if first:
            add(f"d.published_at >= %({name}_from)s::date", **{f"{name}_from": first})
        if last:
            # Half-open, so that the whole of the last day counts.
            add(f"d.published_at < %({name}_to)s::date + 1", **{f"{name}_to": last})
    return " AND ".join(conditions), parameters
