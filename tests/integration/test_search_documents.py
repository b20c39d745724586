"""From the truth to the index: what a search document says, and that it is right whatever comes when."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from functions.index_images.handler import handler
from imagemarket.catalog.events import ImageListingChanged
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable
from imagemarket.platform.events import received
from imagemarket.platform.ids import new_id
from imagemarket.platform.roles import DatabaseRole
from imagemarket.schema import upgrade
from imagemarket.search.document import Removal
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.errors import IndexingIncomplete
from imagemarket.search.indexing.documents import DocumentBuilder, Indexer
from imagemarket.search.request import Filters, Sort
from local.postgres import make_database
from tests.fakes import message_with
from tests.golden import golden
from tests.integration.rows import a_contributor, an_image, an_image_in_one_row
from tests.provided import provide
from tests.roles import InRole
from tests.unit.search.kit import MemorySearch, document, pointing

pytestmark = pytest.mark.engines

PUBLISHED = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def an_approved_image(database: Database, contributor: UUID, **changes: Any) -> UUID:
    """An image as Publish leaves it."""
    columns: dict[str, Any] = {
        "title": "Golden sunset",
        "status": "approved",
        "version": 2,
        "license_types": ["standard", "enhanced"],
        "width": 3000,
        "height": 2000,
        "format": "jpeg",
        "file_size_bytes": 123456,
        "thumbhash": "aGVsbG8=",
        "color_palette": Jsonb([{"hex": "#ff8800", "percentage": 100.0}]),
        "colours": ["orange"],
        "technical_meta": Jsonb({"camera": "Box 1", "iso": 100}),
        "people": False,
        "ai_description": "A sunset over the sea.",
        "model_version": "lite-1",
        "published_at": PUBLISHED,
        **changes,
    }
    image = columns.setdefault("id", new_id())
    an_image(database, contributor, **columns)
    with database.transaction() as connection:
        for tag, confidence, source in [("ocean", 0.7, "ai"), ("sunset", 1, "contributor"), ("cloud", 0.4, "ai")]:
            connection.execute("INSERT INTO image_tags VALUES (%s, %s, %s, %s)", (image, tag, confidence, source))
        for category, source in [("backgrounds", "ai"), ("nature", "contributor")]:
            connection.execute("INSERT INTO image_categories VALUES (%s, %s, %s)", (image, category, source))
        for kind, edge, height in [("thumbnail", 450, 300), ("thumbnail", 150, 100), ("preview", 1000, 667)]:
            for form in ("webp", "jpeg", "avif"):
                connection.execute(
                    "INSERT INTO image_renditions VALUES (%s, %s, %s, %s, %s, %s, 10, %s)",
                    (image, kind, edge, form, edge, height, f"{kind}s/{image}/{edge}-0.{form}"),
                )
        connection.execute(
            "INSERT INTO image_embeddings VALUES (%s, 'lite-1', %s::halfvec), (%s, 'lite-0', %s::halfvec)",
            (image, json.dumps(pointing(30)), image, json.dumps(pointing(80))),
        )
    return image


def set_status(database: Database, image: UUID, status: str, version: int) -> None:
    with database.transaction() as connection:
        connection.execute("UPDATE images SET status = %s, version = %s WHERE id = %s", (status, version, image))


@pytest.fixture
def index(database: Database) -> Callable[..., list[str]]:
    """Sends messages through the handler; returns the ids of those that failed."""
    of_indexer = InRole(database, DatabaseRole.INDEXER)
    indexer = Indexer(DocumentBuilder(of_indexer), [PostgresSearch(of_indexer)])
    provide("search.indexer", indexer)

    def send(*messages: tuple[UUID, int] | str) -> list[str]:
        records = [
            {
                "messageId": str(place),
                "body": message
                if isinstance(message, str)
                else json.dumps(message_with(ImageListingChanged(image_id=message[0], version=message[1]))),
            }
            for place, message in enumerate(messages)
        ]
        return [failure["itemIdentifier"] for failure in handler({"Records": records}, None)["batchItemFailures"]]

    return send


def listed(database: Database) -> set[UUID]:
    hits = PostgresSearch(database).search_text("", Filters(), sort=Sort.NEWEST, limit=1000)
    return {hit.image_id for hit in hits}


def test_a_document_says_what_the_truth_says(database: Database) -> None:
    contributor = a_contributor(database)
    image = an_approved_image(database, contributor)
    (built,), removals = DocumentBuilder(database).build([image])
    assert removals == []
    assert built.model_dump(exclude={"embedding", "renditions"}, mode="json") == {
        "image_id": str(image),
        "version": 2,
        "title": "Golden sunset",
        "description": "A sunset over the sea.",
        "tags": ["sunset", "ocean", "cloud"],
        "categories": ["nature", "backgrounds"],
        "contributor_id": str(contributor),
        "contributor_name": "Ada",
        "image_type": "photo",
        "license_types": ["standard", "enhanced"],
        "orientation": "landscape",
        "colours": ["orange"],
        "palette": [{"hex": "#ff8800", "percentage": 100.0}],
        "width": 3000,
        "height": 2000,
        "people": False,
        "safe": True,
        "published_at": "2026-03-04T05:06:00Z",
        "popularity": 0.0,
        "thumbhash": "aGVsbG8=",
        "model_version": "lite-1",
    }
    assert built.embedding == pytest.approx(pointing(30), abs=1e-3)
    assert [(r.width, r.height, r.format) for r in built.renditions] == [
        *((150, 100, form) for form in ("avif", "jpeg", "webp")),
        *((450, 300, form) for form in ("avif", "jpeg", "webp")),
    ]


@pytest.mark.parametrize(("score", "safe"), [(None, True), (0.19, True), (0.2, False), (0.9, False)])
def test_a_score_decides_what_is_safe(database: Database, score: float | None, safe: bool) -> None:
    image = an_approved_image(database, a_contributor(database), nsfw_score=score)
    (built,), _ = DocumentBuilder(database).build([image])
    assert built.safe is safe


@pytest.mark.parametrize("name", ["0006_search_filters", "0014_vectors_in_rows", "0029_very_words"])
def test_a_revision_that_documents_lack_something_of_sends_every_approved_image_to_be_written_anew(
    postgres_server: Any, name: str
) -> None:
    revision = import_module(f"imagemarket.schema.versions.{name}")
    before = f"before_{revision.revision}"
    make_database(postgres_server.port, postgres_server.password, before)
    dsn = postgres_server.dsn(before)
    upgrade(dsn, revision.down_revision)
    database = Database(lambda: dsn)
    contributor = new_id()
    with database.transaction() as connection:  # as accounts were then
        connection.execute(
            "INSERT INTO users (id, email, password_hash, role, display_name)"
            " VALUES (%s, %s, '!', 'contributor', 'Ada')",
            (contributor, f"{contributor}@example.com"),
        )
    image = an_image_in_one_row(database, contributor, status="approved", version=7)
    an_image_in_one_row(database, contributor, status="rejected")
    upgrade(dsn, revision.revision)
    assert [row["payload"] for row in database.fetch_all("SELECT payload FROM outbox WHERE topic = 'index'")] == [
        {"image_id": str(image), "version": 7}
    ]
    database.close()


def test_what_the_contributor_wrote_stands_before_what_the_model_says(database: Database) -> None:
    image = an_approved_image(database, a_contributor(database), description="My own words")
    (built,), _ = DocumentBuilder(database).build([image])
    assert built.description == "My own words"


@pytest.mark.parametrize("status", ["processing", "rejected", "pending_review", "processing_failed"])
def test_only_approved_images_become_documents(database: Database, index: Any, status: str) -> None:
    image = an_approved_image(database, a_contributor(database), status=status)
    assert DocumentBuilder(database).build([image]) == ([], [Removal(image, 2)])
    assert index((image, 2)) == []
    assert listed(database) == set()


def test_a_bare_approved_image_is_listed_all_the_same(database: Database, index: Any) -> None:
    image = an_image(
        database, a_contributor(database), status="approved", width=5, height=5, published_at=PUBLISHED, version=2
    )
    assert index((image, 2)) == []
    assert listed(database) == {image}


def test_a_batch_is_written_whatever_is_twice_in_it(database: Database, index: Any) -> None:
    images = [an_approved_image(database, a_contributor(database), title=f"t{n}") for n in range(3)]
    assert index(*((image, 2) for image in images * 2)) == []
    assert listed(database) == set(images)
    assert index(*((image, 2) for image in images)) == []
    rows = database.fetch_all("SELECT image_id FROM search_documents")
    assert len(rows) == 3


@pytest.mark.parametrize("name", ["sqs/index.json", "sqs/index_before_the_bus.json"])
def test_the_golden_event_of_the_index_queue(database: Database, index: Any, name: str) -> None:
    """Also of a message that waited in the queue while the bus was deployed."""
    image = UUID("019af9c5-1d44-7a6b-8c21-5b7f0e9a4d10")
    an_approved_image(database, a_contributor(database), id=image)
    assert handler(golden(name), None) == {"batchItemFailures": []}
    assert listed(database) == {image}


def test_the_index_queue_carries_the_event_as_eventbridge_sends_it() -> None:
    bodies = [json.loads(record["body"]) for record in golden("sqs/index.json")["Records"]]
    assert bodies == [golden("eventbridge/image_listing_changed.json")] * 2
    _, event = received(bodies[0], ImageListingChanged)
    assert message_with(event).keys() == bodies[0].keys()
    assert message_with(event)["detail"].keys() == bodies[0]["detail"].keys()


def test_the_truth_decides_and_not_the_message(database: Database, index: Any) -> None:
    image = an_approved_image(database, a_contributor(database))
    index((image, 2))
    set_status(database, image, "rejected", 3)
    assert index((image, 2)) == [], "an old message about an image that is gone by now"
    assert listed(database) == set()
    set_status(database, image, "approved", 4)
    assert index((image, 4), (image, 3)) == []
    assert listed(database) == {image}


def test_an_image_without_a_row_is_taken_out(database: Database, index: Any) -> None:
    stray = document(version=2)
    PostgresSearch(database).write([stray], [])
    assert index((stray.image_id, 3), (new_id(), 1)) == []
    assert listed(database) == set()


def test_only_the_messages_at_fault_come_again(database: Database, index: Any) -> None:
    image = an_approved_image(database, a_contributor(database))
    strange = json.dumps(message_with(ImageListingChanged(image_id=image, version=2)) | {"detail": {"type": "Strange"}})
    assert index("not json", (image, 2), '{"image_id": "x", "version": 1}', "{}", strange) == ["0", "2", "3", "4"]
    assert listed(database) == {image}


def test_nothing_is_lost_while_the_database_is_away(index: Any) -> None:
    class Away:
        def index(self, told: Any) -> int:
            raise DependencyUnavailable("The database is not answering; try again.")

    provide("search.indexer", Away())
    assert index((new_id(), 1), (new_id(), 1)) == ["0", "1"]


def test_only_images_that_an_engine_did_not_take_come_again(database: Database) -> None:
    images = [an_approved_image(database, a_contributor(database)) for _ in range(3)]

    class Choosy(MemorySearch):
        def write(self, documents: Any, removals: Any) -> int:
            super().write([each for each in documents if each.image_id != images[1]], removals)
            raise IndexingIncomplete([images[1]])

    choosy, sound = Choosy(), MemorySearch()
    indexer = Indexer(DocumentBuilder(database), [choosy, sound])
    provide("search.indexer", indexer)
    records = [
        {"messageId": str(place), "body": json.dumps(message_with(ImageListingChanged(image_id=image, version=2)))}
        for place, image in enumerate([*images, images[1]])
    ]
    answer = handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}
    assert set(choosy.listed()) == {images[0], images[2]}
    assert set(sound.listed()) == set(images), "the other engine has what it can have"


def test_a_batch_is_not_tried_image_by_image_while_an_engine_is_away(database: Database) -> None:
    images = [an_approved_image(database, a_contributor(database)) for _ in range(3)]
    asked: list[int] = []

    class Away(MemorySearch):
        def write(self, documents: Any, removals: Any) -> int:
            asked.append(len(documents))
            raise DependencyUnavailable("away")

    indexer = Indexer(DocumentBuilder(database), [Away(), PostgresSearch(database)])
    provide("search.indexer", indexer)
    records = [
        {"messageId": str(place), "body": json.dumps({"image_id": str(image), "version": 2})}
        for place, image in enumerate(images)
    ]
    assert len(handler({"Records": records}, None)["batchItemFailures"]) == 3
    assert asked == [3]
    assert listed(database) == set(images)


def test_writers_side_by_side_leave_the_newest_and_never_block_each_other(database: Database) -> None:
    made = [document(f"t{n}") for n in range(20)]
    rounds = [
        [each.model_copy(update={"version": version, "title": f"v{version}"}) for each in made]
        for version in range(1, 7)
    ]
    failures: list[BaseException] = []

    def write(place: int) -> None:
        chosen = rounds[place] if place % 2 else rounds[place][::-1]
        try:
            PostgresSearch(database).write(chosen[:10], [Removal(d.image_id, d.version) for d in chosen[10:]])
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=write, args=(place,)) for place in (3, 5, 0, 4, 2, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = database.fetch_all("SELECT version, listed, title FROM search_documents")
    assert len(rows) == 20
    assert {row["version"] for row in rows} == {6}
    assert {row["title"] for row in rows if row["listed"]} <= {"v6"}
