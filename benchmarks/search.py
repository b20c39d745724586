"""Search engines over 10,000 to 1,000,000 documents: time by question and by how much a filter keeps, and recall.

    python -m benchmarks.search [--engine postgres|opensearch|qdrant] [--documents 10000,100000] [--plot FILE]

The engines are asked directly, as `Search` asks them; the documents are those of `benchmarks.material.catalogue`.
Vector questions ask for the nearest 100, with filters that keep from all to nearly nothing, half of them about
something else than the question. Their peers, in the same run and over the same documents, beside every engine:
pgvector as it comes (an HNSW index, its own settings, the filter beside it), and comparing everything. Recall is
counted against comparing everything in NumPy.
`MARKET_BENCH_DSN` names a PostgreSQL to use; one that holds so many documents already is used as it is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, cast

from benchmarks import report
from benchmarks.material.catalogue import MODEL, Catalogue, Question
from benchmarks.material.postgres import SERVER, filled, own_database
from imagemarket.platform.database import Database
from imagemarket.schema import upgrade
from imagemarket.search.document import DIMENSIONS
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.engines.postgres_query import condition_of
from imagemarket.search.request import MAX_RESULTS, Filters, Sort
from local.arguments import file_to_write

if TYPE_CHECKING:
    import numpy as np

QUESTIONS = 20
EXACT_QUESTIONS = 3
_CHECKED = 8  # questions to an engine whose filters are checked in Python
LIMIT = 100
GOAL_MS, GOAL_RECALL = 50, 0.98
_BANDS = ((1.01, "all"), (0.9, "10 to 90 %"), (0.1, "1 to 10 %"), (0.01, "0.1 to 1 %"), (0.001, "below 0.1 %"))
"""How much a filter keeps: below so much, down to the next."""


@dataclass
class Band:
    """What was measured of the filters that keep alike."""

    ours: list[float] = field(default_factory=list)
    defaults: list[float] = field(default_factory=list)
    exact: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    default_recall: list[float] = field(default_factory=list)
    short: int = 0
    """Lists that were not full although enough passes."""
    default_short: int = 0


def band_of(kept: float) -> str:
    """The band of a filter that keeps this share."""
    return [name for below, name in _BANDS if kept < below][-1]


def percentile(taken: Sequence[float], percent: int) -> float:
    """By linear interpolation between the two nearest."""
    return statistics.quantiles(taken, n=100, method="inclusive")[percent - 1] if len(taken) > 1 else taken[0]


def milliseconds(ask: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = ask()
    return (time.perf_counter() - began) * 1000, answer


# --- PostgreSQL ----------------------------------------------------------------------------------


def _one(database: Database, sql: str) -> Any:
    row = database.fetch_one(sql)
    assert row is not None
    return row["value"]


class Truth:
    """All vectors in memory, compared one by one."""

    def __init__(self, database: Database) -> None:
        import numpy as np

        row = np.dtype(
            [
                *(("fields", ">i2"), ("id_bytes", ">i4"), ("id", "V16"), ("vector_bytes", ">i4")),
                *(("length", ">i2"), ("unused", ">i2"), ("vector", ">f2", (DIMENSIONS,))),
            ]
        )
        with database.transaction() as connection, connection.cursor() as cursor:
            copied = "COPY (SELECT image_id, embedding FROM search_documents) TO STDOUT (FORMAT binary)"
            with cursor.copy(cast("LiteralString", copied)) as copy:
                data = b"".join(copy)
        rows = np.frombuffer(data, row, offset=19, count=(len(data) - 21) // row.itemsize)
        self._places = {bytes(each): place for place, each in enumerate(rows["id"])}
        self._vectors = rows["vector"]

    def similarities(self, vector: Sequence[float]) -> np.ndarray:
        """The cosine of every picture with the vector."""
        import numpy as np

        wanted = np.asarray(vector, dtype=np.float32)
        step = 50_000
        parts = [
            self._vectors[begin : begin + step].astype(np.float32) @ wanted
            for begin in range(0, len(self._vectors), step)
        ]
        return np.concatenate(parts)

    def places(self, ids: Sequence[bytes]) -> np.ndarray:
        import numpy as np

        return np.fromiter((self._places[each] for each in ids), dtype=np.int64, count=len(ids))


def _recall(found: Sequence[bytes], truth: Truth, similarities: np.ndarray, passing: np.ndarray, n: int = 10) -> float:
    """The share of the nearest `n` among the first `n` found; equally near ones count as found."""
    if not len(passing):
        return 1.0
    import numpy as np

    among = similarities[passing]
    wanted = min(n, len(among))
    least = np.partition(among, len(among) - wanted)[len(among) - wanted]
    given = similarities[truth.places(found[:wanted])]
    return float((given >= least - 1e-3).sum()) / wanted


def measure_postgres(documents: int) -> Iterator[report.Row]:
    """Every claim about PostgreSQL with so many documents."""
    size = f"{documents:,} documents in PostgreSQL"
    with filled(documents) as (_, database, took):
        engine, catalogue = PostgresSearch(database), Catalogue(part=1000)
        questions = catalogue.questions(QUESTIONS)
        yield from _by_words(engine, catalogue, questions, size)
        bands = _by_vector(database, engine, catalogue, questions, documents)
        yield from _rows_of(bands, size)
        whole = [
            milliseconds(partial(engine.nearest, q.vector, MODEL, Filters(), limit=MAX_RESULTS))[0] for q in questions
        ]
        yield report.at_most(
            f"nearest {MAX_RESULTS:,}, {size}: p50", ours=statistics.median(whole), unit="ms", limit=100
        )
        for name, seconds in took.items():
            yield report.at_most(f"making {name}, {size}", ours=seconds, unit="s", limit=3600)
        yield from _sizes(database, documents, size)


def _by_words(engine: Any, catalogue: Catalogue, questions: Sequence[Question], size: str) -> Iterator[report.Row]:
    asked = [(question.text, filters) for question in questions for filters in catalogue.filters(question.topic)[::3]]
    for name, ask in (
        ("words", lambda text, filters: engine.search_text(text, filters, sort=Sort.RELEVANCE, limit=MAX_RESULTS)),
        (
            "words, newest first",
            lambda text, filters: engine.search_text(text, filters, sort=Sort.NEWEST, limit=MAX_RESULTS),
        ),
        ("browsing", lambda _, filters: engine.search_text("", filters, sort=Sort.NEWEST, limit=MAX_RESULTS)),
        ("facets", engine.count_facets),
    ):
        for text, filters in asked[:10]:
            ask(text, filters)
        taken = [milliseconds(partial(ask, text, filters))[0] for text, filters in asked]
        for percent in (50, 95, 99):
            yield report.at_most(f"{name}, {size}: p{percent}", ours=percentile(taken, percent), unit="ms", limit=200)


_NEAREST = "SELECT image_id FROM search_documents d WHERE {condition} ORDER BY {order} LIMIT 100"
_DEFAULTS = _NEAREST.replace("{order}", "embedding <=> %(vector)s::halfvec")
_EXACT = _NEAREST.replace("{order}", "(embedding <=> %(vector)s::halfvec) + 0")  # "+ 0" keeps the planner off the graph


def _by_vector(
    database: Database, engine: PostgresSearch, catalogue: Catalogue, questions: Sequence[Question], documents: int
) -> dict[str, Band]:
    truth = Truth(database)
    bands = {name: Band() for _, name in _BANDS}
    for question in questions[:3]:  # warms up
        engine.nearest(question.vector, MODEL, Filters(), limit=LIMIT)
    for number, question in enumerate(questions):
        similarities = truth.similarities(question.vector)
        for filters in catalogue.filters(question.topic):
            taken, hits = milliseconds(partial(engine.nearest, question.vector, MODEL, filters, limit=LIMIT))
            condition, parameters = condition_of(filters)
            parameters["vector"] = json.dumps([round(each, 6) for each in question.vector])
            rows = database.fetch_all(f"SELECT image_id FROM search_documents d WHERE {condition}", parameters)
            passing = truth.places([row["image_id"].bytes for row in rows])
            band = bands[band_of(len(passing) / documents)]
            band.ours.append(taken)
            band.recall.append(_recall([hit.image_id.bytes for hit in hits], truth, similarities, passing))
            band.short += len(hits) < min(LIMIT, len(passing))
            taken, rows = milliseconds(partial(database.fetch_all, _DEFAULTS.format(condition=condition), parameters))
            band.defaults.append(taken)
            band.default_recall.append(_recall([row["image_id"].bytes for row in rows], truth, similarities, passing))
            band.default_short += len(rows) < min(LIMIT, len(passing))
            if number < EXACT_QUESTIONS:
                exact = partial(database.fetch_all, _EXACT.format(condition=condition), parameters)
                band.exact.append(milliseconds(exact)[0])
    return bands


def _rows_of(bands: dict[str, Band], size: str) -> Iterator[report.Row]:
    everything = [taken for band in bands.values() for taken in band.ours]
    for name, band in bands.items():
        if not band.ours:
            continue
        title = f"nearest {LIMIT}, filters keep {name}, {size}"
        for percent in (50, 95, 99):
            peer = percentile(band.defaults, percent) if band.defaults else None
            row = report.at_most(
                f"{title}: p{percent}", ours=percentile(band.ours, percent), unit="ms", limit=GOAL_MS, peer=peer
            )
            yield row
        if band.exact:
            yield report.at_most(
                f"{title}: p50 beside comparing everything",
                ours=statistics.median(band.ours),
                unit="ms",
                limit=GOAL_MS,
                peer=statistics.median(band.exact),
            )
        peer = statistics.mean(band.default_recall) if band.default_recall else None
        yield report.at_least(
            f"{title}: recall of the first 10",
            ours=statistics.mean(band.recall),
            unit="share",
            limit=GOAL_RECALL,
            peer=peer,
        )
        yield report.at_most(
            f"{title}: lists that are not full",
            ours=band.short,
            unit=f"of {len(band.ours)}",
            limit=0,
            peer=band.default_short if band.defaults else None,
        )
    yield report.at_most(
        f"nearest {LIMIT}, all filters, {size}: p99", ours=percentile(everything, 99), unit="ms", limit=GOAL_MS
    )


def _sizes(database: Database, documents: int, size: str) -> Iterator[report.Row]:
    per_million = 1_000_000 / documents / 2**30
    for name, what in (
        ("search_documents_vectors", "vector index"),
        ("search_documents_words", "word index"),
    ):
        stored = _one(database, f"SELECT pg_relation_size('{name}') AS value")
        yield report.at_most(f"{what}, {size}, for a million", ours=stored * per_million, unit="GiB", limit=10)
    everything = _one(database, "SELECT pg_total_relation_size('search_documents') AS value")
    yield report.at_most(
        f"table and indexes, {size}, for a million", ours=everything * per_million, unit="GiB", limit=20
    )


# --- the others ----------------------------------------------------------------------------------


def measure_opensearch(documents: int) -> Iterator[report.Row]:
    """OpenSearch over so many documents, each with its vector; brute force is NumPy's."""
    from imagemarket.search.engines.opensearch import OpenSearchEngine, connect
    from local import opensearch
    from local.layout import REPOSITORY, Layout, free_port
    from local.processes import Supervisor

    size = f"{documents:,} documents in OpenSearch"
    with tempfile.TemporaryDirectory(prefix="imagemarket-bench-") as folder:
        layout = Layout(made=REPOSITORY / ".market", state=Path(folder), port=free_port())
        installed = opensearch.install_opensearch(layout)
        part = opensearch.opensearch_part(installed, layout.state / "data", free_port(), heap_mb=2048)
        supervisor = Supervisor(layout)
        supervisor.start(part)
        try:
            client = connect(opensearch.url_of(part.port))
            engine = OpenSearchEngine(client, vectors=True)
            catalogue, held = Catalogue(part=1), _Held()
            yield report.at_most(f"writing {size}", ours=held.fill(engine, catalogue, documents), unit="s", limit=3600)
            client.indices.refresh(index="images")
            client.indices.forcemerge(index="images", params={"max_num_segments": "1", "request_timeout": 1800})
            questions = Catalogue(part=1000).questions(QUESTIONS)
            yield from _by_words(engine, catalogue, questions, size)
            bands = _by_vector_alone(engine, catalogue, questions, held)
            _beside_pgvector(bands, catalogue, questions, held)
            yield from _rows_of(bands, size)
            stored = client.indices.stats(index="images")["_all"]["total"]["store"]["size_in_bytes"]
            yield report.at_most(
                f"index, {size}, for a million", ours=stored * 1e6 / documents / 2**30, unit="GiB", limit=20
            )
            memory = supervisor.standing(part).memory_mib
            yield report.at_most(f"memory of the node, {size}", ours=memory / 1024, unit="GiB", limit=8)
        finally:
            supervisor.stop(part)


def measure_qdrant(documents: int) -> Iterator[report.Row]:
    """Qdrant's own engine, in this process, as the product lays out and asks a cluster; brute force is NumPy's."""
    from benchmarks.material.edge import EdgeClient
    from imagemarket.search.engines.qdrant import ALIAS, Placement, QdrantEngine

    size = f"{documents:,} documents in Qdrant"
    with tempfile.TemporaryDirectory(prefix="imagemarket-bench-") as folder:
        client = EdgeClient(Path(folder))
        engine = QdrantEngine(cast("Any", client), placement=Placement(quantised=True))
        catalogue, held = Catalogue(part=1), _Held()
        yield report.at_most(f"writing {size}", ours=held.fill(engine, catalogue, documents), unit="s", limit=3600)
        began = time.perf_counter()
        client.shard(ALIAS).optimize()
        yield report.at_most(f"making the index, {size}", ours=time.perf_counter() - began, unit="s", limit=3600)
        questions = Catalogue(part=1000).questions(QUESTIONS)
        bands = _by_vector_alone(engine, catalogue, questions, held)
        _beside_pgvector(bands, catalogue, questions, held)
        yield from _rows_of(bands, size)
        indexed = client.shard(ALIAS).info().indexed_vectors_count
        yield report.at_least(f"vectors in the graph, {size}", ours=indexed, unit="vectors", limit=documents)
        client.shard(ALIAS).flush()
        stored = sum(each.stat().st_blocks * 512 for each in Path(folder).rglob("*") if each.is_file())
        yield report.at_most(
            f"index, {size}, for a million", ours=stored * 1e6 / documents / 2**30, unit="GiB", limit=20
        )
        client.close()


class _Held:
    """The documents of a run: vectors for comparing everything, the rest for the filters."""

    def __init__(self) -> None:
        self.documents: list[Any] = []
        self.vectors: list[Any] = []

    def fill(self, engine: Any, catalogue: Catalogue, number: int) -> float:
        """Write so many documents of the catalogue into an engine and keep them; the seconds it took."""
        import numpy as np

        began = time.perf_counter()
        waiting = catalogue.documents(number)
        while batch := list(islice(waiting, 500)):
            engine.write(batch, [])
            self.vectors += [np.asarray(each.embedding, dtype=np.float16) for each in batch]
            self.documents += [each.model_copy(update={"embedding": None}) for each in batch]
        return time.perf_counter() - began


def _by_vector_alone(engine: Any, catalogue: Catalogue, questions: Sequence[Question], held: _Held) -> dict[str, Band]:
    """As for PostgreSQL, without pgvector beside it."""
    import numpy as np

    from tests.unit.search.kit import passes  # the filters, said a second time and plainly

    matrix = np.stack(held.vectors).astype(np.float32)
    places = {each.image_id: place for place, each in enumerate(held.documents)}
    bands = {name: Band() for _, name in _BANDS}
    for question in questions[:3]:
        engine.nearest(question.vector, MODEL, Filters(), limit=LIMIT)
    for question in questions[:_CHECKED]:
        similarities = matrix @ np.asarray(question.vector, dtype=np.float32)
        for filters in catalogue.filters(question.topic):
            passing = np.flatnonzero([passes(each, filters) for each in held.documents])
            taken, hits = milliseconds(partial(engine.nearest, question.vector, MODEL, filters, limit=LIMIT))
            band = bands[band_of(len(passing) / len(places))]
            band.ours.append(taken)
            band.exact.append(milliseconds(partial(_compare_all, matrix[passing], question.vector))[0])
            band.short += len(hits) < min(LIMIT, len(passing))
            wanted = min(10, len(passing))
            if wanted:
                among = similarities[passing]
                least = np.partition(among, len(among) - wanted)[len(among) - wanted]
                given = similarities[[places[hit.image_id] for hit in hits[:wanted]]]
                band.recall.append(float((given >= least - 1e-3).sum()) / wanted)
            else:
                band.recall.append(1.0)
    return bands


def _beside_pgvector(bands: dict[str, Band], catalogue: Catalogue, questions: Sequence[Question], held: _Held) -> None:
    """Adds what pgvector does with the same documents and questions, in a PostgreSQL of its own."""
    with own_database(SERVER) as dsn:
        upgrade(dsn)
        database = Database(lambda: dsn, statement_timeout_ms=0)
        try:
            engine = PostgresSearch(database)
            for begin in range(0, len(held.documents), 500):
                pairs = zip(held.documents[begin : begin + 500], held.vectors[begin : begin + 500], strict=True)
                engine.write([each.model_copy(update={"embedding": tuple(map(float, row))}) for each, row in pairs], [])
            with database.transaction() as connection:
                connection.execute("ANALYZE search_documents")
            ours = _by_vector(database, engine, catalogue, questions[:_CHECKED], len(held.documents))
        finally:
            database.close()
    for name, band in ours.items():
        bands[name].defaults = band.defaults
        bands[name].default_recall = band.default_recall
        bands[name].default_short = band.default_short


def _compare_all(vectors: np.ndarray, wanted: Sequence[float]) -> Any:
    """The nearest `LIMIT` of vectors that lie in memory and are known to pass."""
    import numpy as np

    similarities = vectors @ np.asarray(wanted, dtype=np.float32)
    return np.argsort(-similarities)[:LIMIT]


ENGINES = {
    "postgres": measure_postgres,
    "opensearch": measure_opensearch,
    "qdrant": measure_qdrant,
}


def plot(rows: Sequence[report.Row], file: Path) -> None:
    """How time grows with the number of documents: the p50 and p99 of each question, on logarithmic axes."""
    import re

    import matplotlib as mpl  # pyright: ignore[reportMissingImports] - from requirements/plots.txt alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # pyright: ignore[reportMissingImports]

    lines: dict[str, dict[int, float]] = {}
    for row in rows:
        found = re.fullmatch(r"(.+), ([\d,]+) documents in PostgreSQL: (p50|p99)", row["claim"])
        if found and row["unit"] == "ms":
            lines.setdefault(f"{found[1]}: {found[3]}", {})[int(found[2].replace(",", ""))] = row["ours"]
    figure, axes = plt.subplots(1, 2, figsize=(13, 5.5), sharey=True)
    for name, points in lines.items():
        if len(points) > 1:
            by_vector = int(name.startswith("nearest"))
            style = "-" if name.endswith("p50") else "--"
            axes[by_vector].plot(*zip(*sorted(points.items()), strict=True), style, marker="o", ms=3, lw=1, label=name)
    for axis, title in zip(axes, ("by words", "by meaning"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="documents", title=title)
        axis.grid(visible=True, which="both", alpha=0.2)
        axis.legend(fontsize=6)
    axes[0].set_ylabel("ms")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> int:
    """The command line; the status is 1 when a claim does not hold."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--engine", choices=list(ENGINES), default="postgres")
    parser.add_argument("--documents", default="10000,100000", help="how many, one run each")
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="also write the rows here")
    parser.add_argument(
        "--plot", type=file_to_write, metavar="FILE", help="draw how time grows, from the rows of every --from"
    )
    parser.add_argument("--from", type=Path, action="append", default=[], dest="earlier", help="rows of earlier runs")
    options = parser.parse_args()
    rows = [row for file in options.earlier for row in json.loads(file.read_text(encoding="utf-8"))]
    if not options.earlier:
        rows = [row for number in options.documents.split(",") for row in ENGINES[options.engine](int(number))]
    if options.plot:
        plot(rows, options.plot)
    return report.finish(rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
