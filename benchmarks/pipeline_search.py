"""Search over 10,000 documents in a real PostgreSQL, in process, by mode, against SQL without search indexes.

    python -m benchmarks.pipeline_search

Each query goes through `Search.search`: engines, fusion, facets, the page, the cursor. The queries are
the same on both sides; every other one has filters. The peer asks the table as one does without search
indexes: ILIKE over title, tags and description, an exact sort by cosine, both fetched and fused alike,
without facets. `MARKET_BENCH_DSN` names an empty database to use; without it one is started here. The
encoder is not part of it: query vectors are made beforehand.
"""

from __future__ import annotations

import gc
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any
from uuid import UUID

from benchmarks import report
from benchmarks.material.catalogue import MODEL, Catalogue, Question
from benchmarks.material.postgres import own_database
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.schema import upgrade
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.engines.ports import EncodedQuery, Hit
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.engines.postgres_query import condition_of
from imagemarket.search.query.spelling import MOST_WORDS, Speller
from imagemarket.search.ranking.fusion import fuse
from imagemarket.search.request import MAX_RESULTS, Filters, Mode, SearchQuery
from imagemarket.search.service import Search
from imagemarket.search.suggestions import Suggestions, SuggestionTable, SuggestQuery

DOCUMENTS = 10_000
QUERIES = 200
PEER_QUERIES = 30
GOAL_MS = 200
SUGGEST_GOAL_MS = 20


class Prepared:
    """An encoder whose vectors were made beforehand."""

    model_version = MODEL

    def __init__(self, vectors: Mapping[str, tuple[float, ...]]) -> None:
        self._vectors = vectors

    def encode(self, text: str) -> EncodedQuery:
        return EncodedQuery(self._vectors[text])


_ALL_BEGINNING = """
    SELECT phrase, count(*) AS images
      FROM (SELECT lower(title) AS phrase FROM search_documents
            UNION ALL SELECT unnest(tags) FROM search_documents) phrases
     WHERE phrase LIKE %s GROUP BY phrase ORDER BY images DESC LIMIT 8
"""
_ALL_OF = "concat_ws(' ', d.title, d.description, array_to_string(d.tags, ' '))"


def _naive(database: Database, mode: Mode, text: str, vector: Sequence[float], filters: Filters) -> list[Any]:
    """The peer: one page of results by plain SQL."""
    condition, parameters = condition_of(filters)
    rankings: list[list[Hit]] = []
    if mode is not Mode.SEMANTIC:
        words = text.split()
        likes = " AND ".join(f"{_ALL_OF} ILIKE %(word{place})s" for place in range(len(words)))
        rows = database.fetch_all(
            f"SELECT d.image_id FROM search_documents d WHERE {condition} AND {likes}"
            f" ORDER BY d.image_id LIMIT {MAX_RESULTS}",
            parameters | {f"word{place}": f"%{word}%" for place, word in enumerate(words)},
        )
        rankings.append([Hit(row["image_id"], 0) for row in rows])
    if mode is not Mode.KEYWORD:
        rows = database.fetch_all(
            # "+ 0" keeps the planner off the vector index.
            f"SELECT d.image_id FROM search_documents d WHERE {condition}"
            f" ORDER BY (d.embedding <=> %(vector)s::halfvec) + 0 LIMIT {MAX_RESULTS}",
            parameters | {"vector": json.dumps(list(vector))},
        )
        rankings.append([Hit(row["image_id"], 0) for row in rows])
    page = [hit.image_id for hit in fuse(rankings)[:20]]
    return database.fetch_all("SELECT * FROM search_documents WHERE image_id = ANY(%s)", (page,))


def _milliseconds(asked: Sequence[Callable[[], Any]]) -> list[float]:
    taken = []
    for ask in asked:
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _p99(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]


def _p95(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[94]


def _filters(catalogue: Catalogue, question: Question, place: int) -> Filters:
    """None for every other question, else one of the catalogue's that keep from a quarter to few."""
    return catalogue.filters(question.topic)[3 + place % 7] if place % 2 else Filters()


def _recall(engine: PostgresSearch, database: Database, catalogue: Catalogue, rounds: int = 40) -> float:
    """Share of the true ten nearest among the ten that the engine gives."""
    found = 0
    for place, question in enumerate(catalogue.questions(rounds)):
        vector, filters = question.vector, _filters(catalogue, question, place)
        exact = _exact(database, vector, filters)
        given: set[UUID] = {
            hit.image_id for hit in engine.nearest(vector, MODEL, filters, limit=MAX_RESULTS)[: len(exact)]
        }
        found += len(given & exact) / len(exact) if exact else 1
    return found / rounds


def _exact(database: Database, vector: Sequence[float], filters: Filters) -> set[UUID]:
    condition, parameters = condition_of(filters)
    rows = database.fetch_all(
        f"SELECT d.image_id FROM search_documents d WHERE {condition}"
        " ORDER BY (d.embedding <=> %(vector)s::halfvec) + 0 LIMIT 10",
        parameters | {"vector": json.dumps(list(vector))},
    )
    return {row["image_id"] for row in rows}


def measure(documents: int = DOCUMENTS) -> list[report.Row]:
    """p50, p95 and p99 of each mode, the share of true nearest found, and how long indexing takes."""
    catalogue = Catalogue()
    with own_database() as dsn:
        upgrade(dsn)
        database = Database(lambda: dsn)
        try:
            with redirect_stdout(io.StringIO()):  # metrics are written there
                return list(_measure(database, catalogue, documents))
        finally:
            database.close()


def _measure(database: Database, catalogue: Catalogue, documents: int) -> Iterator[report.Row]:
    engine, table = PostgresSearch(database), SuggestionTable(database)
    written = 0.0
    for _ in range(0, documents, 100):
        batch = list(catalogue.documents(100))
        began = time.perf_counter()
        engine.write(batch, [])
        written += time.perf_counter() - began
        table.write(batch, [])
    with database.transaction() as connection:
        connection.execute("ANALYZE search_documents, suggestions")
    gc.freeze()  # what making them left behind is nothing a search has to look through
    questions = catalogue.questions(QUERIES)
    asked = [(each.text, _filters(catalogue, each, place)) for place, each in enumerate(questions)]
    vectors = {each.text: each.vector for each in questions}
    search = Search(
        keyword=engine,
        vector=engine,
        reader=engine,
        encoder=lambda: Prepared(vectors),
        cursors=CursorSigner(lambda: "bench", SystemClock()),
        media_base_url="https://media.example.com",
        public_base_url="https://api.example.com",
    )
    size = f"{documents:,} documents"
    for mode in Mode:
        ours = [
            partial(search.search, SearchQuery(**filters.model_dump(), q=text, mode=mode)) for text, filters in asked
        ]
        peers = [
            partial(_naive, database, mode, text, vectors[text], filters) for text, filters in asked[:PEER_QUERIES]
        ]
        degraded = sum(bool(ask().degraded) for ask in ours[:20])  # and warms up
        _milliseconds(peers[:4])
        taken, peer = _milliseconds(ours), _milliseconds(peers)
        if degraded:
            yield report.unmeasured(
                f"{mode} search, {size}", unit="ms", goal=f"≤ {GOAL_MS}", reason="an engine did not answer"
            )
            continue
        p50, p99 = statistics.median(taken), _p99(taken)
        yield report.at_most(
            f"{mode} search, {size}: p50", ours=p50, unit="ms", limit=GOAL_MS / 2, peer=statistics.median(peer)
        )
        yield report.at_most(f"{mode} search, {size}: p95", ours=_p95(taken), unit="ms", limit=GOAL_MS, peer=_p95(peer))
        yield report.at_most(f"{mode} search, {size}: p99", ours=p99, unit="ms", limit=GOAL_MS, peer=max(peer))
    browse = [partial(search.search, SearchQuery(**filters.model_dump())) for _, filters in asked]
    _milliseconds(browse[:10])
    yield report.at_most(f"browsing, {size}: p99", ours=_p99(_milliseconds(browse)), unit="ms", limit=GOAL_MS)
    yield report.at_least(
        f"true ten nearest found, {size}", ours=_recall(engine, database, catalogue), unit="share", limit=0.95
    )
    yield report.at_most(f"indexing {size}", ours=written, unit="s", limit=120)
    yield _suggesting(database, table, [each.text for each in questions], size)


def _suggesting(database: Database, table: SuggestionTable, texts: Sequence[str], size: str) -> report.Row:
    """Every beginning of each text, as somebody types it; in every other text the second letter is left out."""
    speller = Speller(table.words(MOST_WORDS))
    suggestions = Suggestions(table, lambda: speller)
    typed = [text[:1] + text[2:] if place % 2 else text for place, text in enumerate(texts)]
    beginnings = [text[:letters] for text in typed for letters in range(1, min(len(text), 12) + 1)]
    ours = [partial(suggestions.suggest, SuggestQuery(q=beginning)) for beginning in beginnings]
    peers = [partial(database.fetch_all, _ALL_BEGINNING, (f"{beginning}%",)) for beginning in beginnings[:PEER_QUERIES]]
    _milliseconds(ours[:10])
    return report.at_most(
        f"suggesting while somebody types, {size}: p99",
        ours=_p99(_milliseconds(ours)),
        unit="ms",
        limit=SUGGEST_GOAL_MS,
        peer=max(_milliseconds(peers)),
    )


if __name__ == "__main__":
    sys.exit(report.main(measure))
