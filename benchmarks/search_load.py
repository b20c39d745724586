"""Search under load: 100,000 documents, 167 requests a second for a minute, with the cache and without.

    python -m benchmarks.search_load                # --documents 100000 --seconds 60

The queries are a Zipf mix of 2,000, as people ask them: few very often, most once. Requests come at their times
whatever became of those before (an open load), after 40 s at a quarter of the rate. As on Lambda, processes answer
them, each one at a time: it is validated, searched and written as JSON. Server time is what that takes; what a
request waited for one of 8 processes is said beside it. The peer is the same load for a third of the time with no
page kept. PostgreSQL and Valkey share the machine; query vectors are made beforehand.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from benchmarks.material.catalogue import Catalogue
from benchmarks.material.postgres import filled
from benchmarks.pipeline_search import Prepared
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.telemetry import logger
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.pages import PageCache
from imagemarket.search.request import Filters, SearchQuery
from imagemarket.search.service import Search

DOCUMENTS = 100_000
RATE = 167
SECONDS = 60
WITHOUT_SECONDS = 20
WARM_UP_SECONDS = 40
QUERIES = 2000
GOAL_MS = 100
PROCESSES = 8


class Seen(NamedTuple):
    """One answer; times in seconds on the monotonic clock."""

    what: str
    due: float
    begun: float
    ended: float


@dataclass(frozen=True)
class Outcome:
    """What one run saw, from a time on."""

    seen: Sequence[Seen]
    since: float

    @property
    def not_whole(self) -> int:
        return sum(each.what != "whole" for each in self.seen)

    @property
    def p50(self) -> float:
        return statistics.median(self._served_ms())

    @property
    def p99(self) -> float:
        return statistics.quantiles(self._served_ms(), n=100)[98]

    @property
    def waited(self) -> float:
        return statistics.quantiles([1000 * (each.begun - each.due) for each in self.seen], n=100)[98]

    @property
    def rate(self) -> float:
        return len(self.seen) / (max(each.ended for each in self.seen) - self.since)

    def _served_ms(self) -> list[float]:
        return [1000 * (each.ended - each.begun) for each in self.seen]


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


@dataclass(frozen=True)
class Setup:
    """What a process needs for answering."""

    dsn: str
    valkey_url: str | None
    queries: Sequence[dict[str, Any]]
    vectors: Mapping[str, tuple[float, ...]]


Request = tuple[int, float]
"""The place of a query and when it is due."""


def _answer(setup: Setup, requests: SimpleQueue[Request | None], seen: SimpleQueue[list[Seen]]) -> None:
    """One process: says that it is ready, answers what comes until that is None, and says what was seen."""
    logger.setLevel("ERROR")
    database = Database(lambda: setup.dsn)
    pages = None
    if setup.valkey_url is not None:
        pages = PageCache(Cache(setup.valkey_url), Cache(setup.valkey_url), SystemClock())
    search = _search(PostgresSearch(database), setup.vectors, pages)
    gc.collect()
    gc.freeze()
    answers: list[Seen] = []
    seen.put(answers)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # takes metrics
        while (request := requests.get()) is not None:
            place, due = request
            begun = time.monotonic()
            try:
                page = search.search(SearchQuery.model_validate(setup.queries[place]))
                page.model_dump_json()
                what = "degraded" if page.degraded else "whole"
            except Exception as error:  # noqa: BLE001 - whatever it is, a buyer saw it
                what = type(error).__name__
            answers.append(Seen(what, due, begun, time.monotonic()))
    database.close()
    seen.put(answers)


def _load(setup: Setup, seconds: float, seed: int) -> Outcome:
    """One request each 1/`RATE` s, by Zipf's law over the queries, after a slower while that is not counted."""
    numbers = random.Random(seed)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(setup.queries))))
    context = get_context("spawn")
    requests: SimpleQueue[Request | None] = context.SimpleQueue()
    seen: SimpleQueue[list[Seen]] = context.SimpleQueue()
    processes = [context.Process(target=_answer, args=(setup, requests, seen)) for _ in range(PROCESSES)]

    def send(seconds: float, rate: float) -> None:
        began = time.monotonic()
        for number in range(int(seconds * rate)):
            due = began + number / rate
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            (asked,) = numbers.choices(range(len(weights)), cum_weights=weights)
            requests.put((asked, due))

    for process in processes:
        process.start()
    try:
        for _ in processes:
            seen.get()
        send(WARM_UP_SECONDS, RATE / 4)
        while not requests.empty():
            time.sleep(0.1)
        since = time.monotonic()
        send(seconds, RATE)
    finally:
        for _ in processes:
            requests.put(None)
    answers = [answer for _ in processes for answer in seen.get() if answer.due >= since]
    for process in processes:
        process.join()
    return Outcome(answers, since)


def measure(documents: int = DOCUMENTS, seconds: float = SECONDS) -> list[report.Row]:
    """p50 and p99 of server time with the cache and without, and what was no whole answer."""
    queries, vectors = _questions(Catalogue(), QUERIES)
    with filled(documents) as (dsn, _, _), _valkey() as valkey_url:
        with_cache = _load(Setup(dsn, valkey_url, queries, vectors), seconds, 1)
        without = _load(Setup(dsn, None, queries, vectors), min(seconds, WITHOUT_SECONDS), 2)
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
            f"{size}: p99 of waiting for a free process, pages kept; the peer keeps none",
            ours=with_cache.waited, peer=without.waited, unit="ms", limit=GOAL_MS,
        ),
    ]  # fmt: skip


def _search(engine: PostgresSearch, vectors: Mapping[str, tuple[float, ...]], pages: PageCache | None) -> Search:
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


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    ours, others = parser.parse_known_args()

    def measured() -> list[report.Row]:
        return measure(ours.documents, ours.seconds)

    measured.__module__ = measure.__module__
    return report.main(measured, others)


if __name__ == "__main__":
    sys.exit(main())
