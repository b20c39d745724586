"""PostgreSQL as keyword engine and vector engine: full text and pgvector over one table of documents."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, LiteralString, cast
from uuid import UUID

from imagemarket.platform.database import Connection, Database, Row, half_vector
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.search.document import Removal, SearchDocument
from imagemarket.search.engines.ports import Hit, QueryRefused
from imagemarket.search.engines.postgres_facets import count_facets
from imagemarket.search.engines.postgres_query import LEXEME, TermsSql, condition_of, tsquery_of, typed_words, unordered
from imagemarket.search.engines.postgres_rows import DIFFERING, REMOVE, WRITE, columns_of
from imagemarket.search.engines.shuffle import beginning_of, shuffled
from imagemarket.search.facets import FACET_SAMPLE, FacetCounts
from imagemarket.search.query.syntax import Words, read
from imagemarket.search.request import MAX_RESULTS, Filters, Sort

if TYPE_CHECKING:
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

_MOST_NEAR = 8
"""Of more words than these it does not count how near they stand to one another, which took a second for 10,000
documents that have many of twenty words; a tenth of that goes by without."""

_VERY_WORD = 2
"""How much more than a word's stem the very word counts."""


class PostgresSearch:
    """One table of documents that answers for both engines and gives the documents back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- writing ---------------------------------------------------------------------------------

    def write(self, documents: Sequence[SearchDocument], removals: Sequence[Removal]) -> int:
        """See `SearchIndex.write`. All of it in one transaction, rows in the order of their ids so
        that two writers cannot wait for one another in a circle."""
        changes: list[tuple[UUID, str, dict[str, Any]]] = [
            *((document.image_id, WRITE, columns_of(document)) for document in documents),
            *((gone.image_id, REMOVE, {"image_id": gone.image_id, "version": gone.version}) for gone in removals),
        ]
        with self._database.transaction() as connection, connection.pipeline():
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
            cursors = [
                connection.execute(cast("LiteralString", DIFFERING), columns_of(document)) for document in documents
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
    def _circle(connection: Connection, condition: str, parameters: dict[str, Any], score: str, seed: int) -> list[Hit]:
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

            return count_facets(fetch, condition, parameters, widened)

    def facets_of(self, image_ids: Sequence[UUID], *facets: str) -> FacetCounts:
        """See `KeywordEngine.facets_of`."""
        wanted = {"ids": list(image_ids)}
        return count_facets(self._database.fetch_all, "d.listed AND d.image_id = ANY(%(ids)b)", wanted, {}, facets)

    def filter_by_terms(self, text: str | Words, image_ids: Sequence[UUID]) -> set[UUID]:
        """See `KeywordEngine.filter_by_terms`."""
        asked = TermsSql.of(read(text))
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
        connection: Connection, text: str | Words, condition: str, parameters: dict[str, Any]
    ) -> tuple[str, str]:
        """SQL of what matches a text, and of its score: all its words, or any of them when nothing has them all. Adds
        its values to the `parameters` of the filters' `condition`."""
        words = read(text)
        if words.image_id is not None:
            parameters["wanted_id"] = words.image_id
            return "d.image_id = %(wanted_id)s", "1"
        asked = TermsSql.of(words)
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
        parameters["ranked"] = unordered(parameters["words"])
        rank = "ts_rank_cd" if len(LEXEME.findall(parameters["ranked"])) <= _MOST_NEAR else "ts_rank"
        score = f"{rank}(words, %(ranked)s::tsquery, 1)"
        typed = typed_words(words)
        if set(LEXEME.findall(typed)) - set(LEXEME.findall(found)):
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
        parameters |= {"model_version": model_version, "vector": half_vector(vector), "limit": limit}
        if exclude is not None:
            condition += " AND d.image_id <> %(exclude)s"
            parameters["exclude"] = exclude
        with _asking(), self._database.session() as connection:
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
    def _expected(connection: Connection, condition: str, parameters: dict[str, Any]) -> float:
        """How many the planner expects to pass the filters; counting them would take longer than most answers. It
        decides which way is tried first, and never what is found."""
        sql = f"EXPLAIN (FORMAT JSON) SELECT FROM search_documents d WHERE {condition}"
        row = connection.execute(cast("LiteralString", sql), parameters).fetchone()
        assert row is not None
        return row["QUERY PLAN"][0]["Plan"]["Plan Rows"]

    @staticmethod
    def _walk(connection: Connection, condition: str, parameters: dict[str, Any], limit: int, steps: int) -> list[Hit]:
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


_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true)"


def _hits(connection: Connection, sql: str, parameters: dict[str, Any], before: str = _BY_INDEX) -> list[Hit]:
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
