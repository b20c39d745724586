"""PostgreSQL as keyword engine and vector engine: full text and pgvector over one table of documents."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, LiteralString, cast
from uuid import UUID

from imagemarket.platform.database import Database, Row
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.engines.colours import cells_near, cells_of
from imagemarket.search.engines.ports import Hit, QueryRefused
from imagemarket.search.engines.shuffle import beginning_of, place_of, shuffled
from imagemarket.search.facets import FACET_SAMPLE, MOST_CONTRIBUTORS, FacetCount, FacetCounts, counted, ordered
from imagemarket.search.query.words import STOP_WORDS, Clause, Words, read, searchable
from imagemarket.search.request import MAX_RESULTS, Filters, Sort

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.adapt import Dumper
    from pydantic import TypeAdapter

EXACT_UP_TO, WIDE_EXACT_UP_TO = 10_000, 3_000
"""Up to so many survivors of the filters all are compared, and no walk is tried: the second where there are no filters,
so that a walk surely fills the list."""

_SHORT_WALK, _LONG_WALK, _STEPS_FOR_SURVIVORS = 4_000, 40_000, 1 / 8
"""How many points of the graph a walk looks at, at most: the more survive, the longer, as comparing them all, which is
what is left when a walk fails to fill the list, takes longer by far."""

_STEPS_FOR_EACH = 4  # of what is asked for, at least
_LEAST_BREADTH, _BREADTH_FOR_EACH = 330, 1.1  # candidates that a walk keeps; the least is what a first page takes
_PAGE = 1000
_EF_SEARCH_LIMIT = 1000  # pgvector's own

_ORDERS = {
    Sort.NEWEST: "published_at DESC, image_id DESC",
    Sort.OLDEST: "published_at, image_id",
    Sort.POPULAR: "popularity DESC, published_at DESC, image_id DESC",
}

_GAP = "'.':2"
"""A word that nobody can ask for stands between two texts, so that no phrase begins in one and ends in the next."""

_WORDS = "%(very_words)s::tsvector\n            || " + "\n            || %(gap)s::tsvector || ".join(
    f"setweight(to_tsvector('market_english', %({text})s::text), '{weight}')"
    for text, weight in (
        ("title_words", "A"),
        ("tag_words", "B"),
        ("category_words", "C"),
        ("contributor_words", "C"),
        ("description_words", "D"),
    )
)
"""A document's very words, told from stems by `_VERY`, and the stems of its words behind them."""

_COLUMNS = {
    "version": "%(version)s",
    "listed": "true",
    "title": "%(title)s::text",
    "description": "%(description)s::text",
    "tags": "%(tags)s::varchar[]",
    "categories": "%(categories)s::varchar[]",
    "contributor_id": "%(contributor_id)s",
    "contributor_name": "%(contributor_name)s::text",
    "image_type": "%(image_type)s::text",
    "license_types": "%(license_types)s::varchar[]",
    "orientation": "%(orientation)s::text",
    "colours": "%(colours)s::varchar[]",
    "palette": "%(palette)s",
    "palette_cells": "%(palette_cells)s::int[]",
    "width": "%(width)s",
    "height": "%(height)s",
    "people": "%(people)s",
    "safe": "%(safe)s",
    "published_at": "%(published_at)s",
    "popularity": "%(popularity)s::real",
    "place": "%(place)s",
    "thumbhash": "%(thumbhash)s::text",
    "renditions": "%(renditions)s",
    "model_version": "%(model_version)s::text",
    "embedding": "%(embedding)s::halfvec",
    "words": _WORDS,
}
"""What a row holds of its document, by the SQL that makes it of `columns_of`."""

_WRITE = f"""
    INSERT INTO search_documents AS d (image_id, {", ".join(_COLUMNS)})
    VALUES (%(image_id)s, {", ".join(_COLUMNS.values())})
    ON CONFLICT (image_id) DO UPDATE SET
        {", ".join(f"{column} = excluded.{column}" for column in _COLUMNS)}, indexed_at = now()
     WHERE d.version <= excluded.version
"""

_DIFFERING = f"""
    SELECT d.image_id FROM search_documents d
     WHERE d.image_id = %(image_id)s AND d.listed AND d.version = %(version)s
       AND ({" OR ".join(f"d.{column} IS DISTINCT FROM {made}" for column, made in _COLUMNS.items())})
"""

# The row stays behind without its content; see the migration.
_REMOVE = """
    INSERT INTO search_documents AS d (image_id, version, listed) VALUES (%(image_id)s, %(version)s, false)
    ON CONFLICT (image_id) DO UPDATE SET
        version = excluded.version, listed = false, title = '', description = '', tags = '{}',
        categories = '{}', contributor_id = NULL, contributor_name = '', license_types = '{}',
        colours = '{}', palette = '[]', palette_cells = '{}', people = NULL, thumbhash = NULL,
        renditions = '[]', model_version = NULL, embedding = NULL, words = '', indexed_at = now()
     WHERE d.version <= excluded.version
"""

_HYDRATE = """
    SELECT coalesce(json_agg(found), '[]')::text AS documents FROM (
    SELECT d.image_id, d.version, d.title, d.description, d.tags, d.categories, d.contributor_id,
           d.contributor_name, d.image_type, d.license_types, d.orientation, d.colours, d.palette,
           d.width, d.height, d.people, d.safe, d.published_at, d.popularity, d.thumbhash, d.renditions, d.model_version
      FROM unnest(%b::uuid[]) WITH ORDINALITY AS wanted (image_id, place)
      JOIN search_documents d USING (image_id)
     WHERE d.listed
     ORDER BY wanted.place
    ) found
"""

_ASPECT_RATIO = "d.width / nullif(d.height, 0)::float8"

_COUNTED = """
    categories, orientation, colours, license_types, image_type, contributor_id, contributor_name, people,
    published_at
"""

_VERY = "="
"""Stands before a very word in the index, where stems have none. Phrases are looked up by very words alone, so their
places say whether a phrase stands just so, and no text has to be read."""
_LONGEST_WORD = 255
"""Letters of a very word that count; PostgreSQL takes 2 KB."""
_LAST_PLACE = 16_383  # that a tsvector tells from the ones behind it

_ASKED = """
    parsed AS (
        SELECT to_tsquery('market_english', %(all)s){phrases} AS stemmed
    ), asked AS MATERIALIZED (
        SELECT CASE WHEN numnode(stemmed) > 0 THEN stemmed ELSE %(very)s::tsquery END AS words FROM parsed
    )"""
"""The words as one tsquery; those that English has no stem of, as they are."""

_MOST_NEAR = 8
"""Of more words than these it does not count how near they stand to one another, which took a second for 10,000
documents that have many of twenty words; a tenth of that goes by without."""

_VERY_WORD = 2
"""How much more than a word's stem the very word counts."""

# Equal lists are counted before they are taken apart, since there are far fewer of them than rows.
_ELEMENTS = """
    SELECT '{facet}', each, NULL::text, sum(number)::bigint
      FROM (SELECT {column} AS list, count(*) AS number FROM {source} GROUP BY 1) alike, unnest(list) AS each
     GROUP BY each"""

_FACETS = {
    "category": _ELEMENTS.replace("{column}", "categories"),
    "color": _ELEMENTS.replace("{column}", "colours"),
    "license": _ELEMENTS.replace("{column}", "license_types"),
    "orientation": "SELECT '{facet}', orientation, NULL, count(*) FROM {source} GROUP BY orientation",
    "type": "SELECT '{facet}', image_type, NULL, count(*) FROM {source} GROUP BY image_type",
    "people": "SELECT '{facet}', people::text, NULL, count(*) FROM {source} WHERE people IS NOT NULL GROUP BY people",
    "date": "SELECT '{facet}', to_char(published_at, 'YYYY-MM'), NULL, count(*) FROM {source} GROUP BY 2",
    "contributor": """
        (SELECT '{facet}', contributor_id::text, max(contributor_name), count(*) AS number FROM {source}
          GROUP BY contributor_id ORDER BY number DESC, contributor_id::text LIMIT %(contributors)s)""",
}


class PostgresSearch:
    """One table of documents that answers for both engines and gives the documents back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- writing ---------------------------------------------------------------------------------

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """See `SearchIndex.write`. All of it in one transaction, rows in the order of their ids so
        that two writers cannot wait for one another in a circle."""
        changes: list[tuple[UUID, str, dict[str, Any]]] = [
            *((document.image_id, _WRITE, columns_of(document)) for document in documents),
            *((gone.image_id, _REMOVE, {"image_id": gone.image_id, "version": gone.version}) for gone in removals),
        ]
        with self._database.transaction() as connection, connection.pipeline():
            _take_vectors(connection)
            cursors = [
                connection.execute(cast("LiteralString", sql), parameters)
                for _, sql, parameters in sorted(changes, key=lambda change: change[0])
            ]
        return sum(cursor.rowcount for cursor in cursors)

    def versions(self, image_ids: Sequence[UUID]) -> dict[UUID, int]:
        """See `SearchIndex.versions`."""
        rows = self._database.fetch_all(
            "SELECT image_id, version FROM search_documents WHERE listed AND image_id = ANY(%s)", (list(image_ids),)
        )
        return {row["image_id"]: row["version"] for row in rows}

    def differing(self, documents: Sequence[SearchDocument]) -> set[UUID]:
        """See `SearchIndex.differing`. PostgreSQL makes each row anew and compares all that is in it."""
        with self._database.session() as connection, connection.pipeline():
            _take_vectors(connection)
            cursors = [
                connection.execute(cast("LiteralString", _DIFFERING), columns_of(document)) for document in documents
            ]
            return {row["image_id"] for cursor in cursors for row in cursor}

    def listed(self) -> Iterator[UUID]:
        """See `SearchIndex.listed`."""
        after = UUID(int=0)
        while True:
            rows = self._database.fetch_all(
                "SELECT image_id FROM search_documents WHERE listed AND image_id > %s ORDER BY image_id LIMIT %s",
                (after, _PAGE),
            )
            yield from (row["image_id"] for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1]["image_id"]

    def rebuild(self) -> PostgresRebuild:
        """See `SearchIndex.rebuild`."""
        return PostgresRebuild(self)

    # --- words -----------------------------------------------------------------------------------

    def search_text(self, text: str | Words, filters: Filters, *, sort: Sort, limit: int, seed: int = 0) -> list[Hit]:
        """See `KeywordEngine.search_text`. Ranked by `ts_rank_cd`, its weights 1 for the title, 0.4 for
        tags, 0.2 for categories, 0.1 for the description; the very words count once more, and long documents less."""
        condition, parameters = condition_of(filters)
        if sort is Sort.RELEVANCE and (not text or read(text).only_without):
            sort = Sort.NEWEST
        score = "0"
        with _asking(), self._database.session() as connection:
            if text:
                matching, score = self._matching(connection, text, condition, parameters)
                condition = f"{matching} AND {condition}"
            if sort is Sort.RANDOM:
                found = self._circle(connection, condition, parameters, score, seed)
                return shuffled(found, seed)[:limit]
            parameters["limit"] = limit
            if sort is Sort.RELEVANCE:
                parameters["candidates"] = FACET_SAMPLE
                return _hits(
                    connection,
                    f"""
                    WITH candidates AS MATERIALIZED (
                        SELECT image_id, words FROM search_documents d WHERE {condition} LIMIT %(candidates)s
                    )
                    SELECT image_id, {score} AS score FROM candidates ORDER BY score DESC, image_id DESC
                     LIMIT %(limit)s
                    """,
                    parameters,
                )
            return _hits(
                connection,
                f"SELECT image_id, {score} AS score FROM search_documents d"
                f" WHERE {condition} ORDER BY {_ORDERS[sort]} LIMIT %(limit)s",
                parameters,
            )

    @staticmethod
    def _circle(
        connection: Connection[Row], condition: str, parameters: dict[str, Any], score: str, seed: int
    ) -> list[Hit]:
        """The `MAX_RESULTS` documents that follow the seed's beginning on the circle."""
        half = (
            f"SELECT image_id, {score} AS score, place, place < %(beginning)s AS again FROM search_documents d"
            f" WHERE {condition} AND place {{comparison}} %(beginning)s ORDER BY place, image_id LIMIT %(limit)s"
        )
        return _hits(
            connection,
            f"SELECT image_id, score FROM (({half.format(comparison='>=')}) UNION ALL ({half.format(comparison='<')}))"
            " circle ORDER BY again, place, image_id LIMIT %(limit)s",
            {**parameters, "beginning": beginning_of(seed), "limit": MAX_RESULTS},
        )

    def count_facets(self, text: str | Words, filters: Filters) -> FacetCounts:
        """See `KeywordEngine.count_facets`."""
        condition, parameters = condition_of(filters)
        widened = {facet: condition_of(wider)[0] for facet, wider in filters.without_own_filter().items()}
        with _asking(), self._database.session() as connection:
            if text:
                matching, _ = self._matching(connection, text, condition, parameters)
                condition = f"{matching} AND {condition}"
                widened = {facet: f"{matching} AND {wider}" for facet, wider in widened.items()}

            def fetch(sql: str, parameters: Any) -> list[Row]:
                with connection.pipeline():
                    connection.execute(_BY_INDEX)
                    cursor = connection.execute(cast("LiteralString", sql), parameters)
                return cursor.fetchall()

            return _tally(fetch, condition, parameters, widened)

    def facets_of(self, image_ids: Sequence[UUID], *facets: str) -> FacetCounts:
        """See `KeywordEngine.facets_of`."""
        wanted = {"ids": list(image_ids)}
        return _tally(self._database.fetch_all, "d.listed AND d.image_id = ANY(%(ids)b)", wanted, {}, facets)

    def filter_by_terms(self, text: str | Words, image_ids: Sequence[UUID]) -> set[UUID]:
        """See `KeywordEngine.filter_by_terms`."""
        asked = _Asked.of(read(text))
        with _asking():
            rows = self._database.fetch_all(
                f"""
                WITH {asked.common_table}
                SELECT d.image_id FROM asked, search_documents d
                 WHERE d.listed AND d.image_id = ANY(%(ids)b) AND d.words @@ asked.words
                """,
                {**asked.parameters, "ids": list(image_ids)},
            )
        return {row["image_id"] for row in rows}

    def present(self, words: Collection[str]) -> set[str]:
        """See `KeywordEngine.present`. One round trip, however many words."""
        condition, parameters = condition_of(Filters())
        parameters |= {"words": list(words), "queries": [tsquery_of(read(word).groups) for word in words]}
        with _asking(), self._database.session() as connection, connection.pipeline():
            connection.execute(_BY_INDEX)
            cursor = connection.execute(
                cast(
                    "LiteralString",
                    f"""
                    SELECT word,
                           EXISTS (SELECT FROM search_documents d WHERE d.words @@ wanted AND {condition}) AS found
                      FROM unnest(%(words)s::text[], %(queries)s::text[]) AS asked (word, query),
                           to_tsquery('market_english', query) AS wanted
                    """,
                ),
                parameters,
            )
        return {row["word"] for row in cursor.fetchall() if row["found"]}

    @staticmethod
    def _matching(
        connection: Connection[Row], text: str | Words, condition: str, parameters: dict[str, Any]
    ) -> tuple[str, str]:
        """SQL of what matches a text, and of its score: all its words, or any of them when nothing has them all. Adds
        its values to the `parameters` of the filters' `condition`."""
        words = read(text)
        if words.image_id is not None:
            parameters["wanted_id"] = words.image_id
            return "d.image_id = %(wanted_id)s", "1"
        asked = _Asked.of(words)
        matched = f"EXISTS (SELECT FROM search_documents d WHERE d.words @@ asked.words AND {condition})"
        row = connection.execute(
            cast(
                "LiteralString",
                f"""
                WITH {asked.common_table}
                SELECT words::text AS words, {matched if words.plain else "true"} AS found FROM asked
                """,
            ),
            {**parameters, **asked.parameters},
        ).fetchone()
        assert row is not None
        found: str = row["words"]
        parameters["words"] = found if row["found"] else found.replace(" & ", " | ")
        if words.only_without:  # the index of words would read every entry, so it is kept out of it
            return "(words @@ %(words)s::tsquery) IS TRUE", "0"
        if not words.groups:
            return "words @@ %(words)s::tsquery", "0"
        parameters["ranked"] = _unordered(parameters["words"])
        rank = "ts_rank_cd" if len(_LEXEME.findall(parameters["ranked"])) <= _MOST_NEAR else "ts_rank"
        score = f"{rank}(words, %(ranked)s::tsquery, 1)"
        typed = _typed(words)
        if set(_LEXEME.findall(typed)) - set(_LEXEME.findall(found)):
            parameters["typed"] = typed
            score += f" + {_VERY_WORD} * {rank}(words, %(typed)s::tsquery, 1)"
        return "words @@ %(words)s::tsquery", score

    # --- vectors ---------------------------------------------------------------------------------

    def nearest(
        self,
        vector: Sequence[float],
        model_version: str,
        filters: Filters,
        *,
        limit: int,
        exclude: UUID | None = None,
    ) -> list[Hit]:
        """See `VectorEngine.nearest`. Where few survive the filters, all are compared: vectors lie in their rows, so
        that costs little more than finding out which pass. Else the HNSW graph is walked until the list is full, and
        so far at most that comparing all, which is what is left, would not take much longer by it.
        """
        condition, parameters = condition_of(filters)
        condition += " AND d.model_version = %(model_version)s"
        parameters |= {"model_version": model_version, "vector": _Vector(vector), "limit": limit}
        if exclude is not None:
            condition += " AND d.image_id <> %(exclude)s"
            parameters["exclude"] = exclude
        with _asking(), self._database.session() as connection:
            _take_vectors(connection)
            survivors = self._expected(connection, condition, parameters)
            exact_up_to = EXACT_UP_TO if filters.narrow else WIDE_EXACT_UP_TO
            if survivors > exact_up_to:
                steps = min(max(_SHORT_WALK, round(survivors * _STEPS_FOR_SURVIVORS)), _LONG_WALK)
                found = self._walk(connection, condition, parameters, limit, steps)
                if len(found) == limit:
                    return found
            return _hits(
                connection,
                # Ordered by what no index has, so that the graph stays out of it.
                f"""
                SELECT image_id, 1 - (embedding <=> %(vector)s::halfvec) AS score FROM search_documents d
                 WHERE {condition} AND embedding IS NOT NULL ORDER BY score DESC, image_id DESC LIMIT %(limit)s
                """,
                parameters,
                # A bitmap of survivors that loses its rows for want of memory reads whole pages.
                "SELECT set_config('work_mem', '32MB', true)",
            )

    @staticmethod
    def _expected(connection: Connection[Row], condition: str, parameters: dict[str, Any]) -> float:
        """How many the planner expects to pass the filters; counting them would take longer than most answers. It
        decides which way is tried first, and never what is found."""
        sql = f"EXPLAIN (FORMAT JSON) SELECT FROM search_documents d WHERE {condition}"
        row = connection.execute(cast("LiteralString", sql), parameters).fetchone()
        assert row is not None
        return row["QUERY PLAN"][0]["Plan"]["Plan Rows"]

    @staticmethod
    def _walk(
        connection: Connection[Row], condition: str, parameters: dict[str, Any], limit: int, steps: int
    ) -> list[Hit]:
        breadth = min(max(_LEAST_BREADTH, round(_BREADTH_FOR_EACH * limit)), _EF_SEARCH_LIMIT)
        return _hits(
            connection,
            f"""
            WITH near AS MATERIALIZED (
                SELECT image_id, embedding <=> %(vector)s::halfvec AS distance FROM search_documents d
                 WHERE {condition} ORDER BY embedding <=> %(vector)s::halfvec LIMIT %(limit)s
            )
            SELECT image_id, 1 - distance AS score FROM near ORDER BY score DESC, image_id DESC
            """,
            parameters,
            # Without sorting the graph is the only way to the order; the planner thinks too well of
            # comparing everything, since it does not know what a vector costs.
            "SELECT set_config('enable_sort', 'off', true), set_config('work_mem', '32MB', true),"
            " set_config('hnsw.iterative_scan', 'relaxed_order', true),"
            f" set_config('hnsw.ef_search', '{breadth}', true),"
            f" set_config('hnsw.max_scan_tuples', '{max(steps, _STEPS_FOR_EACH * limit)}', true)",
        )

    def vector_of(self, image_id: UUID) -> tuple[str, Sequence[float]] | None:
        """See `VectorEngine.vector_of`."""
        row = self._database.fetch_one(
            "SELECT model_version, embedding::text AS embedding FROM search_documents"
            " WHERE image_id = %s AND listed AND embedding IS NOT NULL",
            (image_id,),
        )
        return None if row is None else (row["model_version"], json.loads(row["embedding"]))

    # --- pages -----------------------------------------------------------------------------------

    def documents(self, image_ids: Sequence[UUID]) -> list[SearchDocument]:
        """See `DocumentReader.documents`. One round trip, and one piece of JSON, which is validated as it is read."""
        row = self._database.fetch_one(_HYDRATE, (list(image_ids),))
        assert row is not None
        return _documents().validate_json(row["documents"])


@dataclass(frozen=True)
class PostgresRebuild:
    """The table itself: every row is written anew in its place, in transactions, so that searching goes on and
    nothing has to be switched."""

    index: PostgresSearch

    def switch(self) -> None:
        """See `Rebuild.switch`."""

    def abandon(self) -> None:
        """See `Rebuild.abandon`."""


@cache
def _documents() -> TypeAdapter[list[SearchDocument]]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[SearchDocument])


_LEXEME = re.compile(r"'(?:[^']|'')*'")
_CHAIN = re.compile(rf"{_LEXEME.pattern}(?: <(?:-|\d+)> {_LEXEME.pattern})+")


def _unordered(words: str) -> str:
    """A tsquery that asks for the words of phrases in any place, each once.

    Scores are taken by it: they reward words that are near by themselves, and would look for a phrase anew from every
    place of a document, so that one letter 200 times against a text of that letter took seconds a document.
    """
    return _CHAIN.sub(lambda chain: " & ".join(dict.fromkeys(_LEXEME.findall(chain[0]))), words)


@contextmanager
def _asking() -> Iterator[None]:
    """Tells what PostgreSQL does not take (data it cannot read, no query to it, beyond its limits such as the depth of
    its stack; "PostgreSQL Error Codes", classes 22, 42601 and 54) from its not answering."""
    from psycopg import DataError, OperationalError
    from psycopg.errors import SyntaxError as NoQuery

    try:
        yield
    except (DataError, NoQuery) as error:
        raise QueryRefused("The database does not take this question.") from error
    except DependencyUnavailable as error:
        reason = error.__cause__
        if isinstance(reason, OperationalError) and (reason.sqlstate or "").startswith("54"):
            raise QueryRefused("The database does not take this question.") from error
        raise


@dataclass(frozen=True)
class _Asked:
    """A query's words as SQL."""

    common_table: str
    """Gives `asked.words`, the tsquery."""
    parameters: dict[str, Any]

    @staticmethod
    def of(words: Words) -> _Asked:
        """Of the words, all of them wanted."""
        stemmed = [group for group in words.groups if not any(clause.phrase for clause in group)]
        parameters: dict[str, Any] = {"all": tsquery_of(stemmed), "very": tsquery_of(words.groups, _very)}
        phrases = ""
        for group in words.groups:
            if group in stemmed:
                continue
            alternatives: list[str] = []
            for clause in group:
                name = f"clause_{len(parameters)}"
                parameters[name] = _clause(clause, _very if clause.phrase else _lexeme)
                alternatives.append(
                    f"%({name})s::tsquery" if clause.phrase else f"to_tsquery('market_english', %({name})s)"
                )
            phrases += f" && ({' || '.join(alternatives)})"
        return _Asked(_ASKED.format(phrases=phrases), parameters)


def _lexeme(word: str) -> str:
    """Quoted, whatever is in it."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def _very(word: str) -> str:
    """A very word as the index has it."""
    return _lexeme(_VERY + word.lower()[:_LONGEST_WORD])


def tsquery_of(groups: Iterable[tuple[Clause, ...]], lexeme: Callable[[str], str] = _lexeme) -> str:
    """The words as `to_tsquery` reads them, or PostgreSQL a tsquery, where they are `_very` words: letters, digits and
    marks alone, so nothing in them is a command."""
    return " & ".join("(" + " | ".join(_clause(clause, lexeme) for clause in group) + ")" for group in groups)


def _clause(clause: Clause, lexeme: Callable[[str], str]) -> str:
    forms = [(" <-> " if form.side_by_side else " & ").join(map(lexeme, form.words)) for form in clause.forms]
    return ("!" if clause.excluded else "") + "(" + " | ".join(f"({form})" for form in forms) + ")"


def _typed(words: Words) -> str:
    """Any of the very words that were typed."""
    clauses = [clause for group in words.groups for clause in group if not clause.excluded and not clause.added]
    typed = {word for clause in clauses for form in clause.forms if not form.inflected for word in form.words}
    return " | ".join(_very(word) for word in sorted(typed) if word.lower() not in STOP_WORDS)


def columns_of(document: SearchDocument) -> dict[str, Any]:
    """The columns of a document's row, and the texts that its words are made of."""
    from psycopg.types.json import Jsonb

    return {
        **document.model_dump(exclude={"renditions", "embedding", "palette"}),
        "tags": list(document.tags),
        "categories": list(document.categories),
        "colours": list(document.colours),
        "image_type": document.image_type.value,
        "license_types": [license_type.value for license_type in document.license_types],
        "palette": Jsonb([{"hex": colour.hex, "percentage": colour.percentage} for colour in document.palette]),
        "palette_cells": list(cells_of(document.palette)),
        "place": place_of(document.image_id),
        "renditions": Jsonb([rendition.model_dump() for rendition in document.renditions]),
        "embedding": None if document.embedding is None else _Vector(document.embedding),
        "gap": _GAP,
        "very_words": _very_words(document),
        "title_words": searchable(document.title),
        "tag_words": " ".join(map(searchable, document.tags)),
        "category_words": " ".join(document.categories).replace("-", " "),
        "contributor_words": searchable(document.contributor_name),
        "description_words": searchable(document.description),
    }


def _very_words(document: SearchDocument) -> str:
    """A tsvector of a document's very words. A place that nothing stands at parts its texts, each tag one."""
    entries: list[str] = []
    place = 0
    for weight, texts in (
        ("A", [document.title]),
        ("B", document.tags),
        ("C", [*(category.replace("-", " ") for category in document.categories), document.contributor_name]),
        ("D", [document.description]),
    ):
        for text in texts:
            for word in searchable(text).split():
                place += 1
                entries.append(f"{_very(word)}:{min(place, _LAST_PLACE)}{weight}")
            place += 1
    return " ".join(entries)


@dataclass(frozen=True)
class _Vector:
    """A parameter that PostgreSQL reads as `halfvec`."""

    values: Sequence[float]


def _take_vectors(connection: Connection[Row]) -> None:
    """Lets the connection send `_Vector` in pgvector's binary form: writing 768 numbers out costs 20 times as much."""
    connection.adapters.register_dumper(_Vector, _vector_dumper())


@cache
def _vector_dumper() -> type[Dumper]:
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class HalfVector(Dumper):
        format = Format.BINARY

        def dump(self, obj: _Vector) -> bytes:
            return struct.pack(f">hh{len(obj.values)}e", len(obj.values), 0, *obj.values)

    return HalfVector


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


_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true)"


def _hits(connection: Connection[Row], sql: str, parameters: dict[str, Any], before: str = _BY_INDEX) -> list[Hit]:
    """What a statement finds, in its order, after `before`, which goes in the same round trip and transaction.

    It comes as two arrays in binary form: reading a thousand rows costs several times as much. Arrays are made in the
    order of a sorted subquery (PostgreSQL, "Aggregate Functions").
    """
    with connection.pipeline():
        connection.execute(cast("LiteralString", before))
        cursor = connection.execute(
            cast(
                "LiteralString",
                f"SELECT array_agg(image_id) AS ids, array_agg(score::float8) AS scores FROM ({sql}) found",
            ),
            parameters,
            binary=True,
        )
    row = cursor.fetchone()
    assert row is not None
    return list(map(Hit, row["ids"] or (), row["scores"] or ()))


def _tally(
    fetch: Callable[[str, Any], list[Row]],
    condition: str,
    parameters: dict[str, Any],
    widened: Mapping[str, str],
    facets: Collection[str] = (),
) -> FacetCounts:
    """Facets over what meets the condition, all or those named; those in `widened` over what meets theirs. Rows are
    taken once."""
    sources = {"matches": condition} | {f"without_{facet}": wider for facet, wider in widened.items()}
    taken = ", ".join(
        f"{name} AS MATERIALIZED (SELECT {_COUNTED} FROM search_documents d WHERE {each} LIMIT %(faceted)s)"
        for name, each in sources.items()
    )
    counting = [
        sql.format(facet=facet, source=f"without_{facet}" if facet in widened else "matches")
        for facet, sql in _FACETS.items()
        if not facets or facet in facets
    ]
    totals = [
        f"SELECT 'total' AS facet, '{name}' AS value, NULL AS label, count(*) AS number FROM {name}" for name in sources
    ]
    rows = fetch(
        f"WITH {taken} " + " UNION ALL ".join([*totals, *counting]),
        {**parameters, "faceted": FACET_SAMPLE, "contributors": MOST_CONTRIBUTORS},
    )
    seen: dict[str, int] = {}
    counts: dict[str, list[FacetCount]] = {}
    for row in rows:
        if row["facet"] == "total":
            seen[row["value"]] = row["number"]
        else:
            count = counted(row["facet"], row["value"], row["number"], row["label"])
            counts.setdefault(row["facet"], []).append(count)
    return FacetCounts(seen["matches"], ordered(counts), estimated=max(seen.values()) >= FACET_SAMPLE)
