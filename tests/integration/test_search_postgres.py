"""What PostgreSQL alone promises: phrases, exclusion, the graph in use, the indexes in use."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imagemarket.platform import resilience
from imagemarket.platform.database import Database
from imagemarket.search.engines import postgres
from imagemarket.search.engines.ports import Hit
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.errors import SearchUnavailable
from imagemarket.search.query.parser import QueryParser
from imagemarket.search.request import Filters, Mode, SearchQuery, Sort
from imagemarket.search.run import Timeouts
from tests.unit.search.kit import MODEL, MemorySearch, document, random_documents, random_unit
from tests.unit.search.test_service import service

pytestmark = pytest.mark.engines


@pytest.fixture
def engine(database: Database) -> PostgresSearch:
    return PostgresSearch(database)


def plans(database: Database, engine: PostgresSearch, monkeypatch: pytest.MonkeyPatch, ask: Any) -> list[str]:
    """The plans of the statements that a question runs."""
    seen: list[str] = []
    original = postgres._hits
    monkeypatch.setattr(postgres, "WIDE_EXACT_UP_TO", 0)  # few documents are enough here

    def explained(connection: Any, sql: str, parameters: dict[str, Any], before: str = postgres._BY_INDEX) -> Any:
        with connection.pipeline():
            connection.execute(before)
            cursor = connection.execute(f"EXPLAIN {sql}", parameters)
        rows = cursor.fetchall()
        seen.append("\n".join(row["QUERY PLAN"] for row in rows))
        return original(connection, sql, parameters, before)

    monkeypatch.setattr(postgres, "_hits", explained)
    ask()
    return seen


def test_indexes_are_used(database: Database, engine: PostgresSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.write(random_documents(1500), [])
    vector = random_unit(random.Random(2))
    for ask, index in [
        (lambda: engine.search_text("boat lake", Filters(), sort=Sort.RELEVANCE, limit=1000), "search_documents_words"),
        (
            lambda: engine.search_text('"boat and lake"', Filters(), sort=Sort.RELEVANCE, limit=9),
            "search_documents_words",
        ),
        (lambda: engine.search_text("", Filters(), sort=Sort.NEWEST, limit=20), "search_documents_newest"),
        (lambda: engine.search_text("-boat", Filters(), sort=Sort.RELEVANCE, limit=20), "search_documents_newest"),
        (lambda: engine.search_text("", Filters(), sort=Sort.POPULAR, limit=20), "search_documents_popular"),
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


class Turns:
    """A way to a server that counts how often the client speaks and then waits."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.number = 0
        self._counting = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client, socket.create_connection(self._to)), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        answered = True
        said = b""
        with client, server, contextlib.suppress(ConnectionError):  # either may be closed with data on its way
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    if ready is client:
                        turns, said = self._turns(said + data, answered)
                        with self._counting:  # a search has several connections in use at once
                            self.number += turns
                    answered = ready is server
                    (server if ready is client else client).sendall(data)

    def _turns(self, said: bytes, answered: bool) -> tuple[int, bytes]:
        """How often the client waits for what it said, and what of it has to be seen together with what follows.
        `answered` is whether the server spoke last."""
        return int(answered), b""

    def close(self) -> None:
        self._server.close()


class PostgresTurns(Turns):
    """Counts the messages that PostgreSQL's client waits for (PostgreSQL, "Message Formats"): Sync and Query. Bytes
    alone would tell otherwise by chance: a pipeline is sent in pieces, answered from 8 KiB on before it is whole, and
    followed by a Flush that nobody waits for."""

    def _turns(self, said: bytes, answered: bool) -> tuple[int, bytes]:
        turns = 0
        while len(said) > 4:
            typed = said[0] != 0  # what opens a connection has no type, and begins with its length
            length = typed + int.from_bytes(said[typed : typed + 4], "big")
            if len(said) < length:
                break
            turns += said[:1] in {b"S", b"Q"}
            said = said[length:]
        return turns, said


@pytest.fixture
def turns(database_url: str) -> Iterator[tuple[PostgresSearch, Turns]]:
    told = conninfo_to_dict(database_url)
    turns = PostgresTurns(str(told.get("host", "127.0.0.1")), int(told.get("port", 5432) or 5432))
    database = Database(lambda: make_conninfo(database_url, host="127.0.0.1", port=turns.port))
    yield PostgresSearch(database), turns
    database.close()
    turns.close()


@pytest.mark.parametrize("wide", [True, False])
def test_round_trips_are_few(turns: tuple[PostgresSearch, Turns], monkeypatch: pytest.MonkeyPatch, wide: bool) -> None:
    """Each is as long as the way to the database; a search makes those of words, meaning and facets side by side."""
    engine, counted = turns
    made = random_documents(300)
    engine.write(made, [])
    if wide:
        monkeypatch.setattr(postgres, "WIDE_EXACT_UP_TO", -1)  # the graph is walked
    vector, ids = random_unit(random.Random(2)), [each.image_id for each in made[:20]]
    for bound, ask in (
        (2, lambda: engine.search_text("boat lake", Filters(), sort=Sort.RELEVANCE, limit=100)),
        (1, lambda: engine.search_text("", Filters(), sort=Sort.NEWEST, limit=100)),
        (2, lambda: engine.nearest(vector, MODEL, Filters(), limit=100)),
        (2, lambda: engine.count_facets("boat", Filters(people=True))),
        (1, lambda: engine.facets_of(ids)),
        (1, lambda: engine.filter_by_terms('"boat"', ids)),
        (1, lambda: engine.present(["boat", "lake", "zeppelin", "kayak"])),
        (1, lambda: engine.documents(ids)),
        (1, lambda: engine.vector_of(ids[0])),
    ):
        trips: list[int] = []
        for _ in range(8):  # as often as would have had statements prepared
            before = counted.number
            assert ask()
            trips.append(counted.number - before)
        assert max(trips[1:]) <= bound, trips


_SAID = (
    *("Pain and gain", "No pain no gain", "Forget me not flower", "Flower", "Image not available", "Image"),
    *("No strings attached", "Strings attached to a puppet", "No man's land", "No kings protest", "Kings at a protest"),
    *("Protest in the city", "Temperature minus 20", "Temperature at the sea", "Beach", "Beach with umbrellas"),
    *("Beach without an umbrella", "Beach, no umbrellas", "Dogs at the beach", "Cats at the beach"),
    *("Cars in the city", "Trucks in the city", "404 not found", "Red cars", "No dogs and cats at the beach"),
)


_NEGATED = (
    ("no pain no gain", ["No pain no gain"], []),
    ("forget me not flower", ["Forget me not flower"], []),
    ("image not available", ["Image not available", "Image"], []),
    ("no strings attached", ["No strings attached"], ["Strings attached to a puppet"]),
    ("no man's land", ["No man's land"], []),
    ("no kings protest", ["No kings protest", "Protest in the city"], ["Kings at a protest"]),
    ("protest without kings", ["Protest in the city", "No kings protest"], ["Kings at a protest"]),
    ("protest -kings", ["Protest in the city"], ["Kings at a protest", "No kings protest"]),
    ("protest NOT kings", ["Protest in the city"], ["Kings at a protest", "No kings protest"]),
    ("temperature minus 20", ["Temperature minus 20"], []),
    ("404 not found", ["404 not found"], []),
    ("beach no umbrellas", ["Beach", "Beach, no umbrellas"], ["Beach with umbrellas", "Beach without an umbrella"]),
    ("beach no umbrella", ["Beach", "Beach, no umbrellas"], ["Beach with umbrellas"]),
    ("beach without an umbrella", ["Beach", "Beach without an umbrella"], ["Beach with umbrellas"]),
    ("beach -umbrella", ["Beach"], ["Beach with umbrellas", "Beach, no umbrellas"]),
    ("beach without dogs and cats", ["Beach"], ["Dogs at the beach", "Cats at the beach"]),
    ("beach without dogs & cats", ["Beach"], ["Dogs at the beach", "Cats at the beach"]),
    ("beach no dogs, no cats", ["Beach"], ["Dogs at the beach", "Cats at the beach"]),
    ("beach no dogs and cats", ["No dogs and cats at the beach", "Beach"], ["Cats at the beach"]),
    ("no dogs, no cats", ["Beach"], ["Dogs at the beach", "Cats at the beach"]),
    ("beach zero dogs", ["Beach", "Cats at the beach"], ["Dogs at the beach"]),
    ("beach other than dogs", ["Beach"], ["Dogs at the beach"]),
    ("everything but dogs", ["Beach", "Flower"], ["Dogs at the beach"]),
    ('city -"cars","trucks"', ["Protest in the city"], ["Cars in the city", "Trucks in the city"]),
    ("city NOT (cars OR trucks)", ["Protest in the city"], ["Cars in the city", "Trucks in the city"]),
    ("city -(cars trucks)", ["Protest in the city"], ["Cars in the city", "Trucks in the city"]),
    ("cars -'red cars'", ["Cars in the city"], ["Red cars"]),
    ("cars -\u300ared cars\u300b", ["Cars in the city"], ["Red cars"]),
    ("city \u2796cars", ["Trucks in the city"], ["Cars in the city"]),
    ("city - no cars", ["Trucks in the city"], ["Cars in the city"]),
)
"""Queries of negations, what they find of these titles and what not."""


def test_what_is_not_wanted_is_left_out_unless_the_picture_says_the_same(engine: PostgresSearch) -> None:
    documents = [document(title) for title in _SAID]
    engine.write(documents, [])
    memory = MemorySearch()
    memory.write(documents, [])
    titles = {each.image_id: each.title for each in documents}
    for asked, found, not_found in _NEGATED:
        understood = QueryParser().parse(SearchQuery(q=asked), engine.present)
        for each in (engine, memory):
            hits = each.search_text(understood.words, understood.filters, sort=Sort.RELEVANCE, limit=100)
            shown = {titles[hit.image_id] for hit in hits}
            assert set(found) <= shown, asked
            assert not set(not_found) & shown, asked
            assert understood.words.plain or shown == {
                titles[i] for i in each.filter_by_terms(understood.words, list(titles))
            }


class Costly(PostgresSearch):
    """Every question about words takes the database a second."""

    def search_text(self, *_: Any, **__: Any) -> list[Hit]:
        self._database.fetch_all("SELECT pg_sleep(1)")
        return []


def test_costly_questions_close_the_database_to_nobody(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilience, "PROBE_SECONDS", 60)
    timeouts = Timeouts(engine_seconds=0.05, first_seconds=0.05, retry_delays=())
    search = service(Costly(database), timeouts=timeouts)
    for _ in range(9):  # more than open a breaker
        with contextlib.suppress(SearchUnavailable):
            search.search(SearchQuery(q="boat", mode=Mode.KEYWORD))
    assert search._dependencies._parts["keyword"].breaker.allows()


def test_of_many_words_who_has_more_comes_first(engine: PostgresSearch) -> None:
    """Ranked without regard to how near they stand, which costs more the more there are."""
    words = [f"word{letter}" for letter in "abcdefghijklmnopqrst"]
    few, many = document(" ".join(words[:2])), document(" ".join(words[2:12]))
    tagged = document("Tagged", tags=tuple(words[:2]))
    engine.write([few, many, tagged, document("Lake")], [])
    found = engine.search_text(" ".join(words), Filters(), sort=Sort.RELEVANCE, limit=9)
    assert [hit.image_id for hit in found] == [many.image_id, few.image_id, tagged.image_id]
    without = engine.search_text(" ".join(f"-{word}" for word in words), Filters(), sort=Sort.RELEVANCE, limit=9)
    assert [hit.score for hit in without] == [0], "what is only not wanted tells nothing apart"
