"""Search under load: 100,000 documents, 167 requests a second for a minute, in process, with the cache and without.

    python -m benchmarks.search_load                # --documents 100000 --seconds 60

The queries are a Zipf mix of 2,000, as people ask them: few very often, most once. Requests come at their times
whatever became of those before (an open load), after 40 s at a quarter of the rate; each is validated, searched
and written as JSON. Server time is what that takes; what a request waited for one of 16 threads is said beside
it. The peer is the same load for a third of the time with no page kept. PostgreSQL and Valkey share the machine;
query vectors are made beforehand.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.material.catalogue import Catalogue
from benchmarks.material.postgres import filled
from benchmarks.road_search import Prepared
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.telemetry import logger
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.models import Filters, SearchQuery
from imagemarket.search.pages import PageCache
from imagemarket.search.postgres import PostgresSearch
from imagemarket.search.service import Search

DOCUMENTS = 100_000
RATE = 167
SECONDS = 60
WITHOUT_SECONDS = 20
WARM_UP_SECONDS = 40
QUERIES = 2000
GOAL_MS = 100
WORKERS = 16


@dataclass
class Outcome:
    """What one run saw."""

    served_ms: list[float] = field(default_factory=list)
    waited_ms: list[float] = field(default_factory=list)
    saw: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, saw: str, begun: float, due: float) -> None:
        """Notes one answer, which ends now."""
        self.served_ms.append((time.perf_counter() - begun) * 1000)
        self.waited_ms.append(max(0.0, begun - due) * 1000)
        self.saw[saw] += 1

    @property
    def not_whole(self) -> int:
        return sum(number for saw, number in self.saw.items() if saw != "whole")

    @property
    def p50(self) -> float:
        return statistics.median(self.served_ms)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.served_ms, n=100)[98]

    @property
    def waited(self) -> float:
        return statistics.quantiles(self.waited_ms, n=100)[98]

    @property
    def rate(self) -> float:
        return len(self.served_ms) / self.seconds


@contextmanager
def _valkey() -> Iterator[str]:
    from local.layout import REPOSITORY, Layout, free_port
    from local.processes import Supervisor
    from local.valkey import url_of, valkey_part

    with tempfile.TemporaryDirectory(prefix="imagemarket-bench-") as folder:
        part = valkey_part(Path(folder), free_port())
        supervisor = Supervisor(Layout(made=REPOSITORY / ".market", state=Path(folder), port=free_port()))
        supervisor.start(part)
        try:
            yield url_of(part.port)
        finally:
            supervisor.stop(part)


def _questions(catalogue: Catalogue, number: int) -> tuple[list[dict[str, Any]], dict[str, tuple[float, ...]]]:
    """Queries, the commonest first, every third with filters, and the vectors of their words."""
    questions = catalogue.questions(number)
    made: list[dict[str, Any]] = []
    for place, each in enumerate(questions):
        chosen = catalogue.filters(each.topic)[3 + place % 7] if place % 3 == 0 else Filters()
        made.append({"q": each.text, **chosen.model_dump(mode="json", by_alias=True, exclude_defaults=True)})
    return made, {each.text: each.vector for each in questions}


def _load(search: Search, queries: Sequence[dict[str, Any]], seconds: float, seed: int, rate: float = RATE) -> Outcome:
    """One request each 1/`rate` s, by Zipf's law over the queries."""
    numbers = random.Random(seed)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(queries))))
    outcome = Outcome()
    began = time.perf_counter()

    def request(asked: dict[str, Any], due: float) -> None:
        begun = time.perf_counter()
        try:
            page = search.search(SearchQuery.model_validate(asked))
            page.model_dump_json()
        except Exception as error:  # noqa: BLE001 - whatever it is, a buyer saw it
            outcome.add(type(error).__name__, begun, due)
        else:
            outcome.add("degraded" if page.degraded else "whole", begun, due)

    with ThreadPoolExecutor(WORKERS) as pool:
        for place in range(int(seconds * rate)):
            due = began + place / rate
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            (asked,) = numbers.choices(queries, cum_weights=weights)
            pool.submit(request, asked, due)
    outcome.seconds = time.perf_counter() - began
    return outcome


def measure(documents: int = DOCUMENTS, seconds: float = SECONDS) -> list[report.Row]:
    """p50 and p99 of server time with the cache and without, and what was no whole answer."""
    logger.setLevel("ERROR")
    with filled(documents) as (dsn, _, _), _valkey() as valkey_url, redirect_stdout(io.StringIO()):  # takes metrics
        database = Database(lambda: dsn, max_connections=8)
        try:
            queries, vectors = _questions(Catalogue(), QUERIES)
            gc.collect()
            gc.freeze()
            engine = PostgresSearch(database)
            with_cache, without = (
                _run(_search(engine, vectors, pages), queries, length, seed)
                for pages, length, seed in (
                    (PageCache(Cache(valkey_url), SystemClock()), seconds, 1),
                    (None, min(seconds, WITHOUT_SECONDS), 2),
                )
            )
        finally:
            database.close()
    size = f"{documents:,} documents, {RATE} requests/s for {seconds:g} s"
    return [
        report.at_most(
            f"{size}: p99 of server time, pages kept; the peer keeps none",
            ours=with_cache.p99, peer=without.p99, unit="ms", limit=GOAL_MS,
        ),
        report.at_most(
            f"{size}: p50 of server time, pages kept; the peer keeps none",
            ours=with_cache.p50, peer=without.p50, unit="ms", limit=GOAL_MS / 2,
        ),
        report.at_most(
            f"{size}: answers that were errors or lacked an engine, pages kept; the peer keeps none",
            ours=float(with_cache.not_whole), peer=float(without.not_whole), unit="answers", limit=0,
        ),
        report.at_least(
            f"{size}: answered a second, pages kept; the peer keeps none",
            ours=with_cache.rate, peer=without.rate, unit="1/s", limit=0.97 * RATE,
        ),
        report.at_most(
            f"{size}: p99 of waiting for a free thread, pages kept; the peer keeps none",
            ours=with_cache.waited, peer=without.waited, unit="ms", limit=GOAL_MS,
        ),
    ]  # fmt: skip


def _search(engine: PostgresSearch, vectors: dict[str, tuple[float, ...]], pages: PageCache | None) -> Search:
    return Search(
        keyword=engine,
        vector=engine,
        reader=engine,
        encoder=lambda: Prepared(vectors),
        cursors=CursorSigner(lambda: "bench", SystemClock()),
        pages=pages,
        media_base_url="https://media.example.com",
        public_base_url="https://api.example.com",
    )


def _run(search: Search, queries: Sequence[dict[str, Any]], seconds: float, seed: int) -> Outcome:
    _load(search, queries, WARM_UP_SECONDS, seed + 100, rate=RATE / 4)
    return _load(search, queries, seconds, seed)


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    ours, others = parser.parse_known_args()

    def measured() -> list[report.Row]:
        return measure(ours.documents, ours.seconds)

    measured.__module__ = measure.__module__
    return report.main(measured, others)


if __name__ == "__main__":
    sys.exit(main())
