"""What buyers see while engines die: each is killed for real, by its pid, in the middle of a load.

    python -m pytest tests/integration/test_search_outages.py -s      # prints the table

Three PostgreSQL servers stand for the keyword engine, the vector engine and the reader of documents, so that
each can die alone; a Valkey keeps the pages.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.resilience import Breaker
from imagemarket.schema import upgrade
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.engines.ports import EncodedQuery
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.pages import PageCache
from imagemarket.search.request import Mode, SearchQuery
from imagemarket.search.run import Timeouts
from imagemarket.search.service import Search
from local.layout import REPOSITORY, Layout, free_port
from local.postgres import dsn_of, make_cluster, make_database, postgres_part
from local.processes import Part, Supervisor
from local.valkey import url_of, valkey_part
from tests.unit.search.kit import MODEL, pointing, random_documents

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

_OPEN_SECONDS = 1.0
# On a busy machine a healthy engine may take longer than buyers are given in production, and each second of that keeps
# its breaker open for another one.
_ENGINE_SECONDS = 3.0
_CHANGES_WITHIN_SECONDS = 60.0
_BUYERS = 4
_THINKING_SECONDS = 0.05
_QUESTIONS = [
    SearchQuery(q="boat"),
    SearchQuery(q="lake", color=["blue"]),
    SearchQuery(q="tower", mode=Mode.KEYWORD),
    SearchQuery(q="forest", mode=Mode.SEMANTIC),
    SearchQuery(),
]


class Engines:
    """The processes of this test alone."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)  # the servers run unprivileged
        self._password = secrets.token_urlsafe(12)
        self._supervisors: dict[str, Supervisor] = {}
        self._parts: dict[str, Part] = {}
        self.databases: dict[str, Database] = {}
        for name in ("keyword", "vector", "reader"):
            port, state = free_port(), folder / name
            make_cluster(state / "postgres", self._password)
            part = postgres_part(
                state / "postgres", port, self._password, {"shared_buffers": "32MB", "max_connections": "40"}
            )
            self._add(name, part, state)
            make_database(port, self._password, "market")
            dsn = dsn_of(port, self._password, "market")
            upgrade(dsn)
            self.databases[name] = Database(lambda dsn=dsn: dsn)
        port = free_port()
        self.valkey_url = url_of(port)
        (folder / "valkey").mkdir()
        self._add("valkey", valkey_part(folder / "valkey", port), folder / "valkey")

    def _add(self, name: str, part: Part, state: Path) -> None:
        self._parts[name] = part
        self._supervisors[name] = Supervisor(Layout(made=REPOSITORY / ".market", state=state, port=free_port()))
        self.start(name)

    def start(self, *names: str) -> None:
        for name in names:
            self._supervisors[name].start(self._parts[name])

    def kill(self, *names: str) -> None:
        """SIGKILL to the process itself; its children find that out and go."""
        for name in names:
            process = self._supervisors[name].process(self._parts[name].name)
            assert process is not None
            children = process.children(recursive=True)
            os.kill(process.pid, signal.SIGKILL)
            psutil.wait_procs([process, *children], timeout=20)

    def stop(self) -> None:
        for database in self.databases.values():
            database.close()
        for name, part in self._parts.items():
            self._supervisors[name].stop(part)


@pytest.fixture
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    made = Engines(tmp_path_factory.mktemp("outages"))
    yield made
    made.stop()


class Encoder:
    model_version = MODEL
    broken = False

    def encode(self, text: str) -> EncodedQuery:
        if self.broken:
            raise RuntimeError("the model is gone")
        return EncodedQuery(pointing(len(text)))


class Buyers:
    """Ask all the time, and note what they see under the name of the moment."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.moment = ""
        self.seen: dict[str, Counter[str]] = {}
        self.slowest: dict[str, float] = {}
        self._over = threading.Event()

    def ask(self, number: int) -> None:
        while not self._over.is_set():
            for question in _QUESTIONS[number % 2 :] + _QUESTIONS[: number % 2]:
                moment, began = self.moment, time.monotonic()
                saw = self._outcome(question)
                if moment != self.moment:
                    continue  # begun before the change
                self.seen.setdefault(moment, Counter())[saw] += 1
                self.slowest[moment] = max(self.slowest.get(moment, 0), time.monotonic() - began)
                time.sleep(_THINKING_SECONDS)

    def _outcome(self, question: SearchQuery) -> str:
        try:
            page = self._search.search(question)
        except SearchUnavailable as refused:
            return "503" if int(refused.headers.get("Retry-After", "0")) >= 1 else "503 without Retry-After"
        except Exception as error:  # noqa: BLE001 - whatever it is, buyers saw it
            return f"error {type(error).__name__}"
        if not page.results:
            return "empty"
        if any("ago" in each.effect for each in page.degraded):
            return "last good page"
        missing = sorted({each.part for each in page.degraded})
        return f"without {' and '.join(missing)}" if missing else "whole"

    def forget(self) -> None:
        """What was seen in this moment counts as seen while it changed."""
        now, self.moment = self.moment, f"{self.moment}: the change"
        self.seen[self.moment] = self.seen.get(self.moment, Counter()) + self.seen.pop(now, Counter())
        self.slowest[self.moment] = max(self.slowest.get(self.moment, 0), self.slowest.pop(now, 0))

    def stop(self) -> None:
        self._over.set()


def test_buyers_are_served_while_engines_die(engines: Engines) -> None:
    made = random_documents(200)
    for database in engines.databases.values():
        PostgresSearch(database).write(made, [])
    encoder = Encoder()
    cache = Cache(engines.valkey_url, Breaker(open_seconds=_OPEN_SECONDS))
    search = Search(
        keyword=PostgresSearch(engines.databases["keyword"]),
        vector=PostgresSearch(engines.databases["vector"]),
        reader=PostgresSearch(engines.databases["reader"]),
        encoder=lambda: encoder,
        cursors=CursorSigner(lambda: "a secret", SystemClock()),
        # Kept for no time at all, so that every search asks the engines.
        pages=PageCache(cache, cache, SystemClock(), fresh_seconds=0.05),
        media_base_url="https://cdn.test/media",
        public_base_url="https://api.test",
        timeouts=Timeouts(engine_seconds=_ENGINE_SECONDS, first_seconds=5, retry_delays=(), open_seconds=_OPEN_SECONDS),
    )
    for question in _QUESTIONS:
        search.search(question)
    buyers = Buyers(search)

    def moment(
        name: str,
        change: Callable[[], None],
        *,
        settle: float = 1.5,
        until: frozenset[str] = frozenset(),
        only: set[str] | None = None,
    ) -> None:
        """`change` happens under load; then breakers get the time to notice, and buyers are watched, on a busy
        machine until they have seen what they have to. With `only`, until a while in which they saw just that: what
        they saw before belongs to the change."""
        buyers.moment = f"{name}: the change"
        change()
        time.sleep(settle)
        deadline = time.monotonic() + _CHANGES_WITHIN_SECONDS
        while True:
            buyers.moment = name
            time.sleep(1.5)
            seen = buyers.seen.get(name, Counter())
            if (until <= set(seen) and only in (None, set(seen))) or time.monotonic() > deadline:
                return
            if only is not None:
                buyers.forget()

    def encoder_breaks(broken: bool) -> None:
        encoder.broken = broken

    whole = {"whole"}
    without_words = frozenset({"last good page", "without facets and keyword"})
    with ThreadPoolExecutor(_BUYERS) as pool:
        try:
            asking = [pool.submit(buyers.ask, number) for number in range(_BUYERS)]
            moment("all is well", lambda: None, settle=0.5, only=whole)
            moment("vector engine killed", lambda: engines.kill("vector"), until=frozenset({"without vector"}))
            moment("vector engine back", lambda: engines.start("vector"), only=whole)
            moment("keyword engine killed", lambda: engines.kill("keyword"), until=without_words)
            moment("keyword engine back", lambda: engines.start("keyword"), only=whole)
            moment("text encoder broken", lambda: encoder_breaks(True), only={"whole", "without encoder"})
            moment("text encoder whole", lambda: encoder_breaks(False), only=whole)
            moment("Valkey killed", lambda: engines.kill("valkey"), only={"without cache"})
            moment("Valkey back, empty", lambda: engines.start("valkey"), only=whole)
            moment(
                "all engines killed",
                lambda: engines.kill("keyword", "vector", "reader"),
                until=frozenset({"last good page"}),
            )
            moment("and Valkey killed", lambda: engines.kill("valkey"), only={"503"})
            moment("all back", lambda: engines.start("keyword", "vector", "reader", "valkey"), only=whole)
        finally:
            buyers.stop()
        for each in asking:
            each.result(30)

    _print(buyers)
    seen = {name: set(counted) for name, counted in buyers.seen.items() if not name.endswith("the change")}
    for name in ("all is well", "vector engine back", "keyword engine back", "text encoder whole", "all back"):
        assert seen[name] == whole, name
    # Keyword search and browsing need no vectors. On a busy machine facets may take longer than they have.
    assert "without vector" in seen["vector engine killed"]
    assert seen["vector engine killed"] <= {*whole, "without vector", "without facets and vector"}
    # Browsing needs the keyword engine: its last page serves. Facets are the keyword engine's as well.
    # So does, while one asks in vain, a page that is two minutes old at most.
    assert seen["keyword engine killed"] <= {*whole, "last good page", "without facets", "without facets and keyword"}
    assert without_words <= seen["keyword engine killed"]
    assert seen["text encoder broken"] == {"whole", "without encoder"}
    assert seen["Valkey killed"] == {"without cache"}
    assert seen["Valkey back, empty"] == whole
    assert seen["all engines killed"] - whole == {"last good page"}
    assert seen["and Valkey killed"] == {"503"}
    everything = set().union(*(set(counted) for counted in buyers.seen.values()))
    assert not {each for each in everything if each.startswith("error") or each == "empty"}


def _print(buyers: Buyers) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("moment", "what buyers saw", "slowest", title="searches while engines die", show_edge=False)
    for name, counted in buyers.seen.items():
        told = ", ".join(f"{number} {saw}" for saw, number in counted.most_common())
        table.add_row(name, told, f"{1000 * buyers.slowest[name]:.0f} ms")
    Console(width=150).print(table)
