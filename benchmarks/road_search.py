"""Search over 10,000 documents in a real PostgreSQL, in process, by mode, against SQL without search indexes.

    python -m benchmarks.road_search

Each query goes through `Search.search`: engines, fusion, facets, the page, the cursor. The queries are
the same on both sides; every other one has filters. The peer asks the table as one does without search
indexes: ILIKE over title, tags and description, an exact sort by cosine, both fetched and fused alike,
without facets. `MARKET_BENCH_DSN` names an empty database to use; without it one is started here. The
encoder is not part of it: query vectors are made beforehand.
"""

from __future__ import annotations

import gc
import io
import itertools
import json
import math
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import report
from imagemarket.catalog.models import ImageType, LicenseType
from imagemarket.catalog.taxonomy import CATEGORIES
from imagemarket.imaging.hashes import COLOUR_NAMES
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.platform.migrations import upgrade
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.fusion import fuse
from imagemarket.search.models import (
    DIMENSIONS,
    REACH,
    DocumentRendition,
    Filters,
    Hit,
    Mode,
    SearchDocument,
    SearchQuery,
)
from imagemarket.search.postgres import PostgresSearch
from imagemarket.search.service import Search

DOCUMENTS = 10_000
QUERIES = 200
PEER_QUERIES = 30
GOAL_MS = 200
MODEL = "bench"

_TOPICS = 60
_DIMENSIONS_USED = 384  # of the local bundle's text tower; the rest is padding
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "zu")
_VOCABULARY = ["".join(parts) for parts in itertools.product(_SYLLABLES, repeat=3)]
# Zipf: the commonest word stands in about every third document, most words in a few.
_WEIGHTS = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(_VOCABULARY))))


def _unit(values: Sequence[float]) -> tuple[float, ...]:
    length = math.sqrt(sum(value * value for value in values))
    return (*(round(value / length, 6) for value in values), *([0.0] * (DIMENSIONS - len(values))))


class _Catalogue:
    """Synthetic pictures around topics, as embeddings of real ones lie in clusters; seeded."""

    def __init__(self, seed: int = 20260101) -> None:
        self._numbers = random.Random(seed)
        self._topics = [[self._numbers.gauss(0, 1) for _ in range(_DIMENSIONS_USED)] for _ in range(_TOPICS)]
        self._contributors = [(new_id(), f"Contributor {number}") for number in range(100)]

    def vector(self) -> tuple[float, ...]:
        topic = self._numbers.choice(self._topics)
        return _unit([value + self._numbers.gauss(0, 0.8) for value in topic])

    def words(self, number: int = 2) -> str:
        return " ".join(self._numbers.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=number))

    def document(self) -> SearchDocument:
        numbers = self._numbers
        contributor_id, name = numbers.choice(self._contributors)
        image_id = new_id()
        return SearchDocument(
            image_id=image_id,
            version=1,
            title=self.words(5).capitalize(),
            description=f"The {self.words(6)} beside a {self.words(6)}.",
            tags=tuple(dict.fromkeys(self.words(30).split())),
            categories=tuple(sorted({numbers.choice(CATEGORIES).slug for _ in range(2)})),
            contributor_id=contributor_id,
            contributor_name=name,
            image_type=numbers.choices(list(ImageType), [8, 1, 1])[0],
            license_types=tuple(sorted(set(numbers.choices(list(LicenseType), k=2)))),
            orientation=numbers.choices(["landscape", "portrait", "square"], [6, 3, 1])[0],
            colours=tuple(sorted(set(numbers.choices(COLOUR_NAMES, k=3)))),
            width=6000,
            height=4000,
            people=numbers.random() < 0.3,
            published_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=numbers.randrange(200_000)),
            thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI",
            renditions=tuple(
                DocumentRendition(
                    width=edge, height=edge * 2 // 3, format=form, key=f"thumbnails/{image_id}/{edge}-0000.{form}"
                )
                for edge in (150, 450)
                for form in ("avif", "jpeg", "webp")
            ),
            model_version=MODEL,
            embedding=self.vector(),
        )

    def filters(self) -> dict[str, Any]:
        numbers = self._numbers
        return numbers.choice(
            [
                {"category": [numbers.choice(CATEGORIES).slug]},
                {"orientation": ["portrait"], "color": [numbers.choice(COLOUR_NAMES)]},
                {"people": True, "type": ["photo"]},
                {"contributor": numbers.choice(self._contributors)[0]},
            ]
        )


class _Prepared:
    """An encoder whose vectors were made beforehand."""

    model_version = MODEL

    def __init__(self, vectors: dict[str, tuple[float, ...]]) -> None:
        self._vectors = vectors

    def encode(self, text: str) -> Sequence[float]:
        return self._vectors[text]


@contextmanager
def _database() -> Iterator[str]:
    """The DSN of an empty database."""
    given = os.environ.get("MARKET_BENCH_DSN")
    if given:
        yield given
        return
    from local.layout import REPOSITORY, Layout, free_port
    from local.postgres import dsn_of, make_cluster, make_database, postgres_part
    from local.processes import Supervisor

    with tempfile.TemporaryDirectory(prefix="imagemarket-bench-") as folder:
        state = Path(folder)
        state.chmod(0o755)  # the server runs unprivileged
        password, port = secrets.token_urlsafe(12), free_port()
        make_cluster(state / "postgres", password)
        part = postgres_part(state / "postgres", port, password)
        supervisor = Supervisor(Layout(made=REPOSITORY / ".market", state=state, port=free_port()))
        supervisor.start(part)
        try:
            make_database(port, password, "bench")
            yield dsn_of(port, password, "bench")
        finally:
            supervisor.stop(part)


_ALL_OF = "concat_ws(' ', d.title, d.description, array_to_string(d.tags, ' '))"


def _naive(database: Database, mode: Mode, text: str, vector: Sequence[float], filters: Filters) -> list[Any]:
    """The peer: one page of results by plain SQL."""
    from imagemarket.search.postgres import _condition  # the same filters, so that both answer alike

    condition, parameters = _condition(filters)
    rankings: list[list[Hit]] = []
    if mode is not Mode.SEMANTIC:
        words = text.split()
        likes = " AND ".join(f"{_ALL_OF} ILIKE %(word{place})s" for place in range(len(words)))
        rows = database.fetch_all(
            f"SELECT d.image_id FROM search_documents d WHERE {condition} AND {likes}"
            f" ORDER BY d.image_id LIMIT {REACH}",
            parameters | {f"word{place}": f"%{word}%" for place, word in enumerate(words)},
        )
        rankings.append([Hit(row["image_id"], 0) for row in rows])
    if mode is not Mode.KEYWORD:
        rows = database.fetch_all(
            # "+ 0" keeps the planner off the vector index.
            f"SELECT d.image_id FROM search_documents d WHERE {condition}"
            f" ORDER BY (d.embedding <=> %(vector)s::halfvec) + 0 LIMIT {REACH}",
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


def _recall(engine: PostgresSearch, database: Database, catalogue: _Catalogue, rounds: int = 40) -> float:
    """Share of the true ten nearest among the ten that the engine gives."""
    found = 0
    for place in range(rounds):
        vector = catalogue.vector()
        filters = Filters(**(catalogue.filters() if place % 2 else {}))
        exact = _exact(database, vector, filters)
        given: set[UUID] = {hit.image_id for hit in engine.nearest(vector, MODEL, filters, limit=REACH)[: len(exact)]}
        found += len(given & exact) / len(exact) if exact else 1
    return found / rounds


def _exact(database: Database, vector: Sequence[float], filters: Filters) -> set[UUID]:
    from imagemarket.search.postgres import _condition

    condition, parameters = _condition(filters)
    rows = database.fetch_all(
        f"SELECT d.image_id FROM search_documents d WHERE {condition}"
        " ORDER BY (d.embedding <=> %(vector)s::halfvec) + 0 LIMIT 10",
        parameters | {"vector": json.dumps(list(vector))},
    )
    return {row["image_id"] for row in rows}


def measure(documents: int = DOCUMENTS) -> list[report.Row]:
    """p50 and p99 of each mode, the share of true nearest found, and how long indexing takes."""
    catalogue = _Catalogue()
    with _database() as dsn:
        upgrade(dsn)
        database = Database(lambda: dsn)
        try:
            with redirect_stdout(io.StringIO()):  # metrics are written there
                return list(_measure(database, catalogue, documents))
        finally:
            database.close()


def _measure(database: Database, catalogue: _Catalogue, documents: int) -> Iterator[report.Row]:
    engine = PostgresSearch(database)
    written = 0.0
    for _ in range(0, documents, 100):
        batch = [catalogue.document() for _ in range(100)]
        began = time.perf_counter()
        engine.write(batch, [])
        written += time.perf_counter() - began
    with database.transaction() as connection:
        connection.execute("ANALYZE search_documents")
    gc.freeze()  # what making them left behind is nothing a search has to look through
    asked = [
        (catalogue.words(1 + number % 3), Filters(**(catalogue.filters() if number % 2 else {})))
        for number in range(QUERIES)
    ]
    vectors = {text: catalogue.vector() for text, _ in asked}
    search = Search(
        keyword=engine,
        vector=engine,
        reader=engine,
        encoder=lambda: _Prepared(vectors),
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
        yield report.at_most(f"{mode} search, {size}: p99", ours=p99, unit="ms", limit=GOAL_MS, peer=max(peer))
    browse = [partial(search.search, SearchQuery(**filters.model_dump())) for _, filters in asked]
    _milliseconds(browse[:10])
    yield report.at_most(f"browsing, {size}: p99", ours=_p99(_milliseconds(browse)), unit="ms", limit=GOAL_MS)
    yield report.at_least(
        f"true ten nearest found, {size}", ours=_recall(engine, database, catalogue), unit="share", limit=0.95
    )
    yield report.at_most(f"indexing {size}", ours=written, unit="s", limit=120)


if __name__ == "__main__":
    sys.exit(report.main(measure))
