"""Going over to another model: resumable, beside live searches, and at one moment for all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from PIL import Image

from imagemarket.platform.database import Database
from imagemarket.platform.errors import Conflict, DependencyUnavailable, NotFound
from imagemarket.search.document import Removal
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.errors import PicturesMissing
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from imagemarket.search.indexing.reembedding import BATCH, Reembedding
from imagemarket.search.repository import models
from imagemarket.search.request import Filters
from imagemarket.vision.errors import ModelNotReady
from imagemarket.vision.models import AnalyseResponse, Analysis, Refusal
from tests.integration.rows import a_contributor, an_image
from tests.unit.search.kit import pointing
from tests.unit.vision.kit import jpeg

pytestmark = pytest.mark.engines

_ANGLES = {"one": 0.0, "two": 90.0}
"""The two models' vectors are at right angles: a comparison across them would have the likeness 0."""
_PICTURE = jpeg(Image.new("RGB", (400, 300), (30, 90, 160)))


class Endpoint:
    """Serves one model; `before` is called with each request's number."""

    def __init__(self, version: str = "two", before: Callable[[int], None] = lambda _number: None) -> None:
        self.version = version
        self.asked: list[int] = []
        self.refuses: set[int] = set()
        self._before = before

    def __call__(self, jpegs: Sequence[bytes]) -> AnalyseResponse:
        self._before(len(self.asked))
        self.asked.append(len(jpegs))
        analysis = Analysis(
            embedding=list(pointing(_ANGLES[self.version])),
            tags=[],
            categories=[],
            nsfw_score=0,
            description="A test.",
            people=None,
        )
        refusal = Refusal(type="ValidationError", message="broken")
        answers = [refusal if place in self.refuses else analysis for place in range(len(jpegs))]
        return AnalyseResponse(model_version=self.version, analyses=answers)


def _published(database: Database, number: int) -> list[UUID]:
    """Approved pictures with vectors of the model `one`, in use and indexed."""
    owner = a_contributor(database)
    images = [
        an_image(
            database,
            owner,
            status="approved",
            width=400,
            height=300,
            model_version="one",
            published_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for _ in range(number)
    ]
    with database.transaction() as connection:
        connection.execute("INSERT INTO model_in_use (version) VALUES ('one') ON CONFLICT DO NOTHING")
        for image in images:
            connection.execute(
                "INSERT INTO image_embeddings VALUES (%s, 'one', %s::halfvec)", (image, json.dumps(pointing(0)))
            )
            connection.execute(
                "INSERT INTO image_renditions VALUES (%s, 'clean', 1000, 'jpeg', 400, 300, 1, %s)",
                (image, f"clean/{image}"),
            )
    _indexer(database).index(Removal(image, 0) for image in images)
    return images


def _indexer(database: Database) -> Indexer:
    return Indexer(DocumentBuilder(database), [PostgresSearch(database)])


def _reembedding(
    database: Database, endpoint: Endpoint, read: Callable[[str], bytes] = lambda _key: _PICTURE
) -> Reembedding:
    return Reembedding(database=database, analyse=endpoint, read=read, pause=lambda _seconds: None)


def _found(database: Database, version: str) -> int:
    return len(PostgresSearch(database).nearest(pointing(_ANGLES[version]), version, Filters(), limit=100))


def test_all_pictures_go_over_at_once(database: Database) -> None:
    images = _published(database, BATCH + 3)
    endpoint = Endpoint()
    assert _reembedding(database, endpoint).run("two") == len(images)
    assert endpoint.asked == [BATCH, 3]
    assert models.in_use(database) == "two"
    assert (_found(database, "one"), _found(database, "two")) == (0, len(images))
    told = database.fetch_one("SELECT count(DISTINCT subject) AS n FROM outbox WHERE type = 'ImageListingChanged'")
    assert told is not None
    assert told["n"] == len(images)
    assert [(s.model_version, s.pictures, s.in_use) for s in _reembedding(database, endpoint).standings()] == [
        ("two", len(images), True),
        ("one", len(images), False),
    ]


def test_a_run_that_broke_off_goes_on_and_searches_stayed_with_the_old_model(database: Database) -> None:
    images = _published(database, 2 * BATCH)

    def breaks(number: int) -> None:
        if number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _reembedding(database, Endpoint(before=breaks)).run("two")
    assert models.in_use(database) == "one"
    assert (_found(database, "one"), _found(database, "two")) == (len(images), 0)
    again = Endpoint()
    assert _reembedding(database, again).run("two") == BATCH
    assert again.asked == [BATCH]
    assert _found(database, "two") == len(images)


@pytest.mark.parametrize("number", [1, BATCH])
def test_a_rendition_that_is_lost_or_broken_holds_up_no_other(database: Database, number: int) -> None:
    images = _published(database, BATCH + 2)
    broken = {f"clean/{image}" for image in images[:number]}

    def read(key: str) -> bytes:
        if key == f"clean/{images[0]}":
            raise NotFound("The stored object is not there.")
        return _PICTURE[:50] if key in broken else _PICTURE

    heard: list[tuple[int, int]] = []
    with pytest.raises(PicturesMissing, match=f"{number} approved pictures have no vector of two"):
        _reembedding(database, Endpoint(), read).run("two", lambda made, refused: heard.append((made, refused)))
    assert heard[-1] == (len(images) - number, number)
    assert models.in_use(database) == "one"
    assert _reembedding(database, Endpoint()).run("two") == number, "once the renditions are there again"


def test_a_store_that_is_away_ends_the_run(database: Database) -> None:
    _published(database, 1)

    def read(_key: str) -> bytes:
        raise DependencyUnavailable("The store is away.")

    with pytest.raises(DependencyUnavailable):
        _reembedding(database, Endpoint(), read).run("two")


def test_a_picture_that_cannot_be_looked_at_keeps_the_old_model_in_use(database: Database) -> None:
    images = _published(database, 3)
    endpoint = Endpoint()
    endpoint.refuses = {1}
    with pytest.raises(PicturesMissing, match="1 approved pictures have no vector of two"):
        _reembedding(database, endpoint).run("two")
    assert models.in_use(database) == "one"
    assert _found(database, "one") == len(images)


def test_an_endpoint_with_another_model_is_not_taken_at_its_word(database: Database) -> None:
    _published(database, 1)
    with pytest.raises(Conflict, match="serves one, not two"):
        _reembedding(database, Endpoint("one")).run("two")
    assert database.fetch_all("SELECT FROM image_embeddings WHERE model_version = 'two'") == []


def test_an_endpoint_that_is_not_ready_is_waited_for(database: Database) -> None:
    _published(database, 1)
    calls: list[int] = []

    def at_first_not(_number: int) -> None:
        calls.append(1)
        if len(calls) < 4:
            raise ModelNotReady("loading")

    assert _reembedding(database, Endpoint(before=at_first_not)).run("two") == 1


def test_a_picture_published_meanwhile_is_seen_to(database: Database) -> None:
    _published(database, 2)
    late: list[UUID] = []
    reembedding = _reembedding(database, Endpoint())
    reembedding.fill("two")
    reembedding.switch("two")
    late += _published(database, 1)
    assert _found(database, "two") == 2
    assert reembedding.fill("two") == 1
    _indexer(database).index([Removal(late[0], 0)])
    assert _found(database, "two") == 3


def test_a_document_made_before_the_switch_and_written_after_it_changes_nothing(database: Database) -> None:
    images = _published(database, 2)
    stale, _ = DocumentBuilder(database).build(images)
    _reembedding(database, Endpoint()).run("two")
    assert PostgresSearch(database).write(stale, []) == 0
    assert _found(database, "two") == len(images)


def test_no_search_beside_it_compares_across_models_or_misses_pictures(database: Database) -> None:
    images = _published(database, 40)
    engine = PostgresSearch(database)
    seen: list[tuple[str, int, float]] = []
    ended = threading.Event()

    def search() -> None:
        while not ended.is_set():
            version = models.in_use(database)
            assert version is not None
            hits = engine.nearest(pointing(_ANGLES[version]), version, Filters(), limit=100)
            if models.in_use(database) == version:  # else the switch came between the two
                seen.append((version, len(hits), min((hit.score for hit in hits), default=1.0)))

    searchers = [threading.Thread(target=search) for _ in range(2)]
    for searcher in searchers:
        searcher.start()
    try:
        _reembedding(database, Endpoint()).run("two")
        while sum(version == "two" for version, _, _ in seen) < 10:
            pass
    finally:
        ended.set()
        for searcher in searchers:
            searcher.join()
    assert {version for version, _, _ in seen} == {"one", "two"}
    assert {number for _, number, _ in seen} == {len(images)}
    assert min(score for _, _, score in seen) > 0.99
