"""Favourites, through their function and their listener, on a real PostgreSQL."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from functions.favourites_api.handler import handler
from functions.feed_popularity.handler import handler as feed_popularity
from imagemarket.favourites import service as favourites
from imagemarket.favourites.errors import TooManyFavourites
from imagemarket.favourites.events import ImageFavourited
from imagemarket.favourites.listener import PopularityFeed
from imagemarket.favourites.service import Favourites
from imagemarket.platform import events
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.database import Database
from imagemarket.platform.events import Envelope
from imagemarket.platform.http import Caller
from imagemarket.platform.ids import new_id
from imagemarket.platform.messages import FailureLog
from imagemarket.platform.roles import DatabaseRole
from tests.api.events import LambdaContext, http_event, json_of
from tests.integration.rows import a_contributor, an_image
from tests.provided import provide
from tests.roles import InRole

pytestmark = pytest.mark.engines


def _message(envelope: Envelope) -> dict[str, Any]:
    return {"detail-type": envelope.type, "detail": envelope.model_dump(mode="json")}


class Market:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.account = a_contributor(database, role="buyer")
        self.contributor = a_contributor(database)
        indexer = InRole(database, DatabaseRole.INDEXER)
        buyer = InRole(database, DatabaseRole.BUYER)
        self.favourites = Favourites(database=buyer, media_base_url="http://media.test")
        provide("favourites.service", self.favourites)
        provide("favourites.popularity_feed", PopularityFeed(database=indexer, clock=SystemClock()))
        provide("resources.failure_log", FailureLog(indexer))

    def an_image(self, title: str = "Hills", status: str = "approved") -> UUID:
        image = an_image(self.database, self.contributor, title=title, status=status)
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO image_renditions (image_id, kind, long_edge, format, width, height, bytes, key)"
                " VALUES (%s, 'preview', 1000, 'jpeg', 1000, 667, 1, %s)",
                (image, f"watermarked/{image}/1000.jpg"),
            )
        return image

    def ask(self, method: str, path: str = "", account: UUID | None = None, **query: str) -> dict[str, Any]:
        caller = Caller(account or self.account, "buyer")
        event = http_event(method, f"/v1/favourites{path}", caller=caller, query=urlencode(query))
        return handler(event, LambdaContext())

    def titles(self, **query: str) -> list[str]:
        return [each["title"] for each in json_of(self.ask("GET", "", None, **query))["items"]]

    def published(self, image: UUID) -> list[tuple[UUID, ImageFavourited]]:
        with self.database.transaction() as connection:
            return events.published(connection, ImageFavourited, image)

    def tell(self, image: UUID) -> dict[str, Any]:
        """Has the listener's queue bring every event of the image twice."""
        bodies = [
            json.dumps(_message(Envelope.of(event_id, event, datetime.now(UTC))))
            for event_id, event in self.published(image)
        ]
        records = [{"messageId": str(new_id()), "body": body, "attributes": {}} for body in bodies * 2]
        return feed_popularity({"Records": records}, LambdaContext())

    def popularity(self, image: UUID) -> float:
        row = self.database.fetch_one("SELECT popularity FROM image_popularity WHERE image_id = %s", (image,))
        return 0.0 if row is None else row["popularity"]


@pytest.fixture
def market(database: Database) -> Market:
    return Market(database)


def test_favourites_are_added_listed_and_removed(market: Market) -> None:
    first, second = market.an_image("Hills"), market.an_image("Sea")
    for image in (first, second, first):
        assert market.ask("PUT", f"/{image}")["statusCode"] == 204
    answer = market.ask("GET")
    assert answer["headers"]["cache-control"] == "no-store"
    page = json_of(answer)
    assert [each["title"] for each in page["items"]] == ["Sea", "Hills"]
    assert page["items"][1]["preview_url"] == f"http://media.test/watermarked/{first}/1000.jpg"
    assert page["next_cursor"] is None
    for _ in range(2):
        assert market.ask("DELETE", f"/{first}")["statusCode"] == 204
    assert market.titles() == ["Sea"]


def test_a_list_goes_on_behind_its_cursor_when_what_it_names_is_removed(market: Market) -> None:
    images = [market.an_image(f"Picture {number}") for number in range(5)]
    for image in images:
        market.ask("PUT", f"/{image}")
    page = json_of(market.ask("GET", limit="2"))
    assert [each["title"] for each in page["items"]] == ["Picture 4", "Picture 3"]
    market.ask("DELETE", f"/{images[3]}")
    assert market.titles(limit="2", cursor=page["next_cursor"]) == ["Picture 2", "Picture 1"]


def test_an_account_sees_and_changes_its_own_alone(market: Market) -> None:
    image, stranger = market.an_image(), a_contributor(market.database)
    market.ask("PUT", f"/{image}")
    assert json_of(market.ask("GET", account=stranger))["items"] == []
    assert market.ask("DELETE", f"/{image}", account=stranger)["statusCode"] == 204
    assert market.titles() == ["Hills"]


@pytest.mark.parametrize(("status", "refusal"), [("pending_review", 404), ("taken_down", 410)])
def test_what_the_public_does_not_get_is_no_favourite(market: Market, status: str, refusal: int) -> None:
    image = market.an_image(status=status)
    assert market.ask("PUT", f"/{image}")["statusCode"] == refusal
    assert market.ask("PUT", f"/{new_id()}")["statusCode"] == 404
    assert market.published(image) == []


def test_a_favourite_that_is_taken_down_is_left_out_until_it_is_back(market: Market) -> None:
    image = market.an_image()
    market.ask("PUT", f"/{image}")
    for status, titles in {"taken_down": [], "approved": ["Hills"]}.items():
        with market.database.transaction() as connection:
            connection.execute("UPDATE images SET status = %s WHERE id = %s", (status, image))
        assert market.titles() == titles


def test_the_limit_of_an_account_holds_also_for_requests_side_by_side(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(favourites, "MAX_FAVOURITES", 3)
    images = [market.an_image(f"Picture {number}") for number in range(8)]

    def add(image: UUID) -> bool:
        try:
            market.favourites.add(market.account, image)
        except TooManyFavourites:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(add, images))
    assert sum(added) == len(market.titles()) == 3
    refused = market.ask("PUT", f"/{images[added.index(False)]}")
    assert refused["statusCode"] == 409
    assert json_of(refused)["detail"] == "An account has at most 3 favourites; remove some, then add this one."
    kept = market.ask("PUT", f"/{images[added.index(True)]}")
    assert kept["statusCode"] == 204, "what is one already is no other"


def test_a_favourite_makes_an_image_more_popular_once_however_often_it_is_told(market: Market) -> None:
    image, other = market.an_image(), market.an_image()
    market.ask("PUT", f"/{image}")
    assert market.tell(image) == {"batchItemFailures": []}
    once = market.popularity(image)
    assert once > 0
    market.ask("DELETE", f"/{image}")
    market.ask("PUT", f"/{image}")
    assert len(market.published(image)) == 2
    market.tell(image)
    assert market.popularity(image) == once, "and once a day for one account"
    market.ask("PUT", f"/{image}", account=a_contributor(market.database))
    market.tell(image)
    assert market.popularity(image) > once
    assert market.popularity(other) == 0


def test_another_message_is_a_dead_letter(market: Market) -> None:
    record = {"messageId": "m", "body": json.dumps({"detail": {"type": "Nonsense"}}), "attributes": {}}
    answer = feed_popularity({"Records": [record]}, LambdaContext())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert market.database.fetch_one("SELECT 1 FROM message_failures WHERE message_id = 'm'") is not None
