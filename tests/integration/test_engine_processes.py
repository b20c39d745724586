"""OpenSearch, Qdrant and the text encoder, each a process that is killed by its pid: what a search says meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config

from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.search.cursor import CursorSigner
from imagemarket.search.encoding import FunctionEncoder
from imagemarket.search.engines.opensearch import OpenSearchEngine, connect
from imagemarket.search.engines.qdrant import QdrantEngine
from imagemarket.search.engines.qdrant import connect as connect_qdrant
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.pages import PageCache
from imagemarket.search.request import Mode, SearchQuery
from imagemarket.search.result import SearchPage
from imagemarket.search.run import Timeouts
from imagemarket.search.service import Search
from local import opensearch
from local.layout import LOOPBACK, REPOSITORY, Layout, free_port
from local.processes import Part, Supervisor
from tests.integration.engine_process import documents, write_patiently
from tests.unit.search.kit import MemorySearch

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

_WITHIN_SECONDS = 90.0
_PATIENCE = Timeouts(engine_seconds=5, first_seconds=30, request_seconds=30, retry_delays=(), open_seconds=0.5)


def _python(kind: str, folder: Path) -> Part:
    port = free_port()

    def ready() -> bool:
        try:
            urllib.request.urlopen(f"http://{LOOPBACK}:{port}/", timeout=1).close()
        except urllib.error.HTTPError:
            return True  # it answers, and knows no such path
        except OSError:
            return False
        return True

    return Part(
        name=kind,
        title=kind,
        port=port,
        command=[sys.executable, "-m", "tests.integration.engine_process", kind, str(port), str(folder)],
        environment={"PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "shared")))},
        ready=ready,
        patience_s=120,
    )


class Processes:
    """The processes of one test."""

    def __init__(self, folder: Path) -> None:
        layout = Layout(made=REPOSITORY / ".market", state=folder, port=free_port())
        layout.state.mkdir(parents=True, exist_ok=True)
        self._supervisor = Supervisor(layout)
        self._layout = layout
        self._parts: dict[str, Part] = {}

    def start_opensearch(self) -> str:
        if missing := opensearch.missing_tools():
            told = f"OPENSEARCH WAS NOT TESTED: this machine lacks {', '.join(missing)}"
            if os.environ.get("CI") == "true":
                pytest.fail(told)
            pytest.skip(told)
        installed = opensearch.install_opensearch(self._layout)
        data = self._layout.data / "opensearch"
        part = opensearch.opensearch_part(installed, data, free_port(), heap_mb=512, short_lived=True)
        return self._add("opensearch", part)

    def start_python(self, kind: str) -> str:
        return self._add(kind, _python(kind, self._layout.state))

    def _add(self, name: str, part: Part) -> str:
        self._parts[name] = part
        self.start(name)
        return f"http://{LOOPBACK}:{part.port}"

    def start(self, name: str) -> None:
        self._supervisor.start(self._parts[name])

    def kill(self, name: str) -> None:
        process = self._supervisor.process(self._parts[name].name)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs([process], timeout=20)

    def stop(self) -> None:
        for part in self._parts.values():
            self._supervisor.stop(part)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "state")
    yield made
    made.stop()


def _search(**parts: Any) -> Search:
    """Pages are kept for no time at all, so that every search asks the engines."""
    return Search(
        cursors=CursorSigner(lambda: "a secret", SystemClock()),
        media_base_url="https://cdn.test/media",
        public_base_url="https://api.test",
        timeouts=_PATIENCE,
        **parts,
    )


def _absent(page: SearchPage) -> set[str]:
    return {each.part for each in page.degraded}


def _until(ask: Callable[[], SearchPage], absent: set[str]) -> SearchPage:
    """The first page that names just those parts as absent."""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while True:
        try:
            page = ask()
        except SearchUnavailable:
            page = None
        if page is not None and _absent(page) == absent:
            return page
        assert time.monotonic() < deadline, "nothing" if page is None else page.degraded
        time.sleep(0.2)


def _titles(page: SearchPage) -> list[str]:
    return [hit.title for hit in page.results]


def _in_memory() -> MemorySearch:
    engine = MemorySearch()
    engine.write(documents(), [])
    return engine


def _encoder(url: str) -> FunctionEncoder:
    client = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=1, read_timeout=10, retries={"total_max_attempts": 1}),
    )
    version = documents()[0].model_version
    assert version is not None
    nothing_remembered = Cache(f"valkey://{LOOPBACK}:{free_port()}/0")
    return FunctionEncoder(version, client, "encode-text", nothing_remembered)


def test_with_the_text_encoder_killed_words_find_and_say_so_until_it_is_back(processes: Processes) -> None:
    encoder = _encoder(processes.start_python("encoder"))
    engine = _in_memory()
    search = _search(keyword=engine, vector=engine, reader=engine, encoder=lambda: encoder)

    def ask() -> SearchPage:
        return search.search(SearchQuery(q="boat"))

    assert _until(ask, set()).mode == "hybrid"
    processes.kill("encoder")
    page = _until(ask, {"encoder"})
    assert (page.mode, _titles(page)) == ("keyword", ["boat"])
    assert page.degraded[0].effect == "Pictures were not compared by meaning."
    processes.start("encoder")
    page = _until(ask, set())
    assert (page.mode, _titles(page)[0]) == ("hybrid", "boat")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_with_qdrant_killed_words_find_and_say_so_until_it_is_back(processes: Processes) -> None:
    encoder = _encoder(processes.start_python("encoder"))
    engine, vectors = _in_memory(), QdrantEngine(connect_qdrant(processes.start_python("qdrant")))
    search = _search(keyword=engine, vector=vectors, reader=engine, encoder=lambda: encoder)

    def ask() -> SearchPage:
        return search.search(SearchQuery(q="boat"))

    def by_meaning() -> SearchPage:
        return search.search(SearchQuery(q="boat", mode=Mode.SEMANTIC))

    assert _until(ask, set()).mode == "hybrid"
    assert _titles(_until(by_meaning, set()))[0] == "boat"
    processes.kill("qdrant")
    for question in (ask, by_meaning):
        page = _until(question, {"vector"})
        assert (page.mode, _titles(page)) == ("keyword", ["boat"])
    processes.start("qdrant")
    assert _until(ask, set()).mode == "hybrid"
    assert _titles(_until(by_meaning, set()))[0] == "boat"


def test_with_opensearch_killed_meaning_finds_where_the_other_engine_keeps_documents(
    processes: Processes, valkey_url: str
) -> None:
    words = OpenSearchEngine(connect(processes.start_opensearch()), vectors=False)
    write_patiently(words, documents())
    encoder = _encoder(processes.start_python("encoder"))
    other = _in_memory()
    search = _search(keyword=words, vector=other, reader=words, second_reader=other, encoder=lambda: encoder)
    alone = _search(
        keyword=words,
        vector=other,
        reader=words,
        encoder=lambda: encoder,
        pages=PageCache(Cache(valkey_url), Cache(valkey_url), SystemClock(), fresh_seconds=0.05),
    )

    def ask() -> SearchPage:
        return search.search(SearchQuery(q="boat"))

    deadline = time.monotonic() + _WITHIN_SECONDS
    while "boat" not in _titles(alone.search(SearchQuery(q="boat", mode=Mode.KEYWORD))):
        assert time.monotonic() < deadline  # it is found with the next refresh
        time.sleep(0.5)
    assert _until(ask, set()).mode == "hybrid"
    _until(lambda: alone.search(SearchQuery(q="boat")), set())
    good = _until(lambda: alone.search(SearchQuery(q="boat")), set())  # asked for again, and kept for a day

    processes.kill("opensearch")
    page = _until(ask, {"keyword", "facets"})
    assert (page.mode, _titles(page)[0]) == ("semantic", "boat")
    page = _until(lambda: alone.search(SearchQuery(q="boat")), {"keyword", "documents"})
    assert page.results == good.results, "the last good page"
    with pytest.raises(SearchUnavailable) as refused:
        alone.search(SearchQuery(q="bicycle"))
    assert int(refused.value.headers["Retry-After"]) >= 1

    processes.start("opensearch")
    assert _until(ask, set()).mode == "hybrid"
    assert _until(lambda: alone.search(SearchQuery(q="bicycle")), set()).mode == "hybrid"
