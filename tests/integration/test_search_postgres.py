"""What PostgreSQL alone promises: phrases, exclusion, the graph in use, the indexes in use."""

from __future__ import annotations

import random
from typing import Any

import pytest

from imagemarket.platform.database import Database
from imagemarket.search import postgres
from imagemarket.search.models import Filters, Sort
from imagemarket.search.postgres import PostgresSearch
from tests.unit.search.kit import MODEL, MemorySearch, document, random_documents, random_unit

pytestmark = pytest.mark.engines


@pytest.fixture
def engine(database: Database) -> PostgresSearch:
    return PostgresSearch(database)


def plans(database: Database, engine: PostgresSearch, monkeypatch: pytest.MonkeyPatch, ask: Any) -> list[str]:
    """The plans of the statements that a question runs."""
    seen: list[str] = []
    original = postgres._hits
    monkeypatch.setattr(postgres, "WIDE_EXACT_UP_TO", 0)  # few documents are enough here

    def explained(connection: Any, sql: str, parameters: dict[str, Any]) -> Any:
        rows = connection.execute(f"EXPLAIN {sql}", parameters).fetchall()
        seen.append("\n".join(row["QUERY PLAN"] for row in rows))
        return original(connection, sql, parameters)

    monkeypatch.setattr(postgres, "_hits", explained)
    ask()
    return seen


def test_indexes_are_used(database: Database, engine: PostgresSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.write(random_documents(1500), [])
    vector = random_unit(random.Random(2))
    for ask, index in [
        (lambda: engine.match("boat lake", Filters(), sort=Sort.RELEVANCE, limit=1000), "search_documents_words"),
        (lambda: engine.match("", Filters(), sort=Sort.NEWEST, limit=20), "search_documents_newest"),
        (lambda: engine.match("", Filters(), sort=Sort.POPULAR, limit=20), "search_documents_popular"),
        (lambda: engine.nearest(vector, MODEL, Filters(), limit=1000), "search_documents_vectors"),
    ]:
        (plan,) = plans(database, engine, monkeypatch, ask)
        assert index in plan, plan
        monkeypatch.undo()


def test_vectors_and_words_lie_in_their_rows(database: Database, engine: PostgresSearch) -> None:
    """Outside of them they cost several pages each to read."""
    engine.write(random_documents(20), [])
    numbers = random.Random(3)
    long = " ".join(numbers.randbytes(6).hex() for _ in range(100))
    engine.write([document(description=long, model_version=MODEL, embedding=random_unit(numbers))], [])
    row = database.fetch_one(
        "SELECT count(pg_column_toast_chunk_id(embedding)) AS vectors, count(pg_column_toast_chunk_id(words)) AS words,"
        " count(pg_column_toast_chunk_id(description)) AS descriptions FROM search_documents"
    )
    assert row == {"vectors": 0, "words": 0, "descriptions": 1}


@pytest.mark.parametrize("exact_up_to", [0, 10_000])
def test_the_graph_and_comparing_all_find_the_true_nearest(
    engine: PostgresSearch, monkeypatch: pytest.MonkeyPatch, exact_up_to: int
) -> None:
    monkeypatch.setattr(postgres, "WIDE_EXACT_UP_TO", exact_up_to)
    made = random_documents(1500, seed=9)
    engine.write(made, [])
    memory = MemorySearch()
    memory.write(made, [])
    numbers = random.Random(5)
    found = 0
    for _ in range(10):
        vector = random_unit(numbers)
        true = {hit.image_id for hit in memory.nearest(vector, MODEL, Filters(), limit=10)}
        found += len(true & {hit.image_id for hit in engine.nearest(vector, MODEL, Filters(), limit=1000)[:10]})
    assert found >= 95
