"""Events through a real Valkey into a real PostgreSQL: once each, in nobody's name, and never in a buyer's way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from functions.collect_search_events.handler import handler
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import ManualClock
from imagemarket.platform.database import Database
from imagemarket.platform.ids import new_id
from imagemarket.platform.roles import DatabaseRole
from imagemarket.search.engines.postgres import PostgresSearch
from imagemarket.search.events import SearchEventCollector, ValkeyStream, Visitors, impersonal
from imagemarket.search.indexing.documents import DocumentBuilder
from imagemarket.search.popularity import HALF_LIFE_DAYS, looks
from imagemarket.search.request import Filters, Mode, SearchQuery, Sort
from imagemarket.search.service import Search
from imagemarket.search.suggestions import OFTEN, SuggestionTable
from local.layout import free_port
from local.valkey import url_of
from tests.api.events import LambdaContext
from tests.golden import golden
from tests.integration.rows import a_contributor
from tests.integration.test_search_documents import an_approved_image
from tests.provided import provide
from tests.roles import InRole
from tests.unit.search.kit import MemorySearch, random_documents
from tests.unit.search.test_service import service

pytestmark = pytest.mark.engines


@pytest.fixture
def collector(valkey_url: str, database: Database) -> SearchEventCollector:
    indexer = InRole(database, DatabaseRole.INDEXER)
    return SearchEventCollector(Cache(valkey_url), indexer, SuggestionTable(indexer))


def test_a_search_and_a_look_are_told_by_the_search_id(
    valkey_url: str, database: Database, collector: SearchEventCollector
) -> None:
    engine = MemorySearch()
    engine.write(random_documents(60), [])
    search = service(engine, events=ValkeyStream(Cache(valkey_url)))
    page = search.search(SearchQuery(q=" Boat ", mode=Mode.KEYWORD, color=["red"], limit=3))
    following = search.search(SearchQuery(q="boat", mode=Mode.KEYWORD, color=["red"], limit=3, cursor=page.next_cursor))
    search.viewed(page.results[1].id, page.search_id)
    provide("search.events", collector)
    assert handler(golden("scheduler/every_minute.json"), LambdaContext()) == {"collected": 3}
    assert collector.drain() == 0
    rows = database.fetch_all("SELECT kind, search_id, event FROM search_events ORDER BY place")
    assert [(row["kind"], row["search_id"]) for row in rows] == [
        ("searched", page.search_id),
        ("searched", following.search_id),
        ("viewed", page.search_id),
    ]
    told = rows[0]["event"]
    assert told == {
        "words": "boat",
        "mode": "keyword",
        "filters": {"color": ["red"]},
        "first": 0,
        "total": page.estimated_total,
        "images": [str(hit.id) for hit in page.results],
        "degraded": [],
    }
    assert rows[1]["event"]["first"] == 3
    assert rows[2]["event"]["images"] == [str(page.results[1].id)]


CLOCK = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))


def asking(valkey_url: str) -> Search:
    engine = MemorySearch()
    engine.write(random_documents(60), [])
    visitors = Visitors(lambda: "a secret", CLOCK)
    return service(engine, events=ValkeyStream(Cache(valkey_url)), visitors=visitors, clock=CLOCK)


def suggested(database: Database, beginning: str) -> list[str]:
    return [each.text for each in SuggestionTable(database).beginning_with([beginning], 5)]


def test_what_many_networks_search_becomes_a_suggestion_and_what_finds_nothing_does_not(
    valkey_url: str, database: Database, collector: SearchEventCollector
) -> None:
    search = asking(valkey_url)
    for number in range(OFTEN):
        address = f"203.0.{number}.7"
        search.search(SearchQuery(q="Forest lake", mode=Mode.KEYWORD), address=address)
        search.search(SearchQuery(q="forest zzzz", mode=Mode.KEYWORD, color=["purple"]), address=address)
    collector.drain()
    assert suggested(database, "fore") == ["forest lake"]


@pytest.mark.parametrize(
    ("asked", "addresses"),
    [
        ("forest lake", ["203.0.113.1"] * 30),
        ("forest lake", [f"203.0.113.{number}" for number in range(30)]),  # one network
        ("forest lake", [f"2001:db8:0:{number}::1" for number in range(30)]),
        ("forest lake", [""] * 30),
        ("forest acmecorpsucks", [f"203.0.{number}.7" for number in range(30)]),  # no word of anybody's
        ("forest faggot", [f"203.0.{number}.7" for number in range(30)]),
        ("forest elephant", [f"203.0.{number}.7" for number in range(30)]),  # English, and no picture has it
    ],
)
def test_one_visitor_or_odd_words_write_into_nobodys_suggestions(
    valkey_url: str, database: Database, collector: SearchEventCollector, asked: str, addresses: list[str]
) -> None:
    search = asking(valkey_url)
    for address in addresses:
        search.search(SearchQuery(q=asked, mode=Mode.KEYWORD), address=address)
    collector.drain()
    assert suggested(database, "fore") == []


def test_a_visitors_name_lasts_a_day_and_says_no_address() -> None:
    clock = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))
    visitors = Visitors(lambda: "a secret", clock)
    today = visitors.name("203.0.113.7")
    assert today == visitors.name("203.0.113.8") == visitors.name("::ffff:203.0.113.9") != visitors.name("203.0.114.7")
    assert visitors.name("2001:db8:1::1") == visitors.name("2001:db8:1:2::1") != visitors.name("2001:db8:2::1")
    assert today != Visitors(lambda: "another", clock).name("203.0.113.7")
    clock.advance(timedelta(days=1))
    assert today != visitors.name("203.0.113.7")


def test_looks_make_pictures_popular_once_a_network_and_day(
    valkey_url: str, database: Database, collector: SearchEventCollector
) -> None:
    search, often, seldom, never = (
        asking(valkey_url),
        *(an_approved_image(database, a_contributor(database)) for _ in range(3)),
    )
    for number in range(8):
        search.viewed(often, None, address=f"203.0.{number}.7")
    for _ in range(30):
        search.viewed(seldom, new_id(), address="203.0.113.1")
        search.viewed(new_id(), None, address="203.0.113.1")
    collector.drain()
    with database.transaction() as connection:
        connection.execute("DELETE FROM outbox")
    search.viewed(seldom, None, address="203.0.113.2")
    collector.drain()
    assert database.fetch_all("SELECT subject FROM outbox") == [], "nothing new, nothing indexed"
    documents, _ = DocumentBuilder(database).build([often, seldom, never])
    by_id = {each.image_id: each.popularity for each in documents}
    now = CLOCK.now()
    assert looks(by_id[often], now) == pytest.approx(8)
    assert looks(by_id[seldom], now) == pytest.approx(1)
    assert by_id[never] == 0
    assert looks(by_id[often], now + timedelta(days=HALF_LIFE_DAYS)) == pytest.approx(4)
    engine = PostgresSearch(database)
    engine.write(documents, [])
    popular = [hit.image_id for hit in engine.search_text("", Filters(), sort=Sort.POPULAR, limit=5)]
    assert popular == [often, seldom, never]
    assert database.fetch_one("SELECT count(*) AS number FROM image_looks") == {"number": 9}


def test_a_picture_that_gains_looks_is_indexed_again(
    valkey_url: str, database: Database, collector: SearchEventCollector
) -> None:
    search, image = asking(valkey_url), an_approved_image(database, a_contributor(database))
    with database.transaction() as connection:
        connection.execute("DELETE FROM outbox")
    search.viewed(image, None, address="203.0.113.1")
    collector.drain()
    assert [
        row["subject"] for row in database.fetch_all("SELECT subject FROM outbox WHERE type = 'ImageListingChanged'")
    ] == [image]


def test_an_event_that_comes_again_counts_once(
    valkey_url: str, database: Database, collector: SearchEventCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    image = an_approved_image(database, a_contributor(database))
    search = service(
        engine, events=ValkeyStream(Cache(valkey_url)), visitors=Visitors(lambda: "a secret", CLOCK), clock=CLOCK
    )
    search.viewed(image, new_id(), address="203.0.113.1")
    with monkeypatch.context() as broken:
        # Taken into the table, and then the stream could not be told.
        broken.setattr(Cache, "remove", _away)
        assert collector.drain() == 1
    assert collector.drain() == 0
    assert database.fetch_one("SELECT count(*) AS number FROM search_events") == {"number": 1}
    (document,) = DocumentBuilder(database).build([image])[0]
    assert looks(document.popularity, CLOCK.now()) == pytest.approx(1)


def _away(*_: object) -> None:
    from imagemarket.platform.errors import DependencyUnavailable

    raise DependencyUnavailable("away")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("  Red  BOAT ", "red boat"),
        ("ada@example.com", ""),
        ("call 030 / 123 45 67", ""),
        ("https://example.com/ada", ""),
        ("olympics 2024", "olympics 2024"),
        ("4111 1111 1111 1111", ""),
        ("DE89370400440532013000", ""),
        ("sk_live_abcdefghijklm", ""),
        ("AKIAIOSFODNN7EXAMPLE", ""),
        ("my key d41d8cd98f00b204e9800998ecf8427e", ""),
        ("skateboarding", "skateboarding"),
        ("donaudampfschifffahrtsgesellschaft", "donaudampfschifffahrtsgesellschaft"),
        ("1920s jazz club", "1920s jazz club"),
        ("-----BEGIN PRIVATE KEY-----", ""),
        ("BEGIN OPENSSH PRIVATE KEY -----", ""),
        ("ssh-rsa AAAAB3", ""),
        ("api_key=abcd1234", ""),
        ("apikey abcd1234", ""),
        ("AWS_SECRET_ACCESS_KEY: abc", ""),
        ('"token": "abc"', ""),
        ("pin=1234", ""),
        ("Basic dXNlcjpwYXNz", ""),
        ("authorization: basic abcd", ""),
        ("bearer abc123", ""),
        ("dXNlcjpwYXNz", ""),
        ("password hunter2", ""),
        ("hunter2 is my password", ""),
        ("password: hunter", ""),
        ("Passwort qwzx", ""),
        ("pin code 4711", ""),
        ("password protection icon", "password protection icon"),
        ("api key & password", "api key & password"),
        ("private keys", "private keys"),
        ("key west beach", "key west beach"),
        ("secret garden", "secret garden"),
        ("basic training", "basic training"),
        ("ring bearer", "ring bearer"),
        ("the beginning of the end", "the beginning of the end"),
        ("iPhone and YouTube on a MacBook", "iphone and youtube on a macbook"),
        ("user: icon", ""),
    ],
)
def test_what_could_be_somebodys_contact_or_secret_is_not_told(asked: str, told: str) -> None:
    assert impersonal(asked) == told


SECRETS = (
    "my pin is 4711",
    "pin 4711",
    "4711 is my pin",
    "pin: 4711",
    "pin 4 7 1 1",
    "pin code 4711",
    "pass hunter2zz",
    "token abc123zz",
    "secret xk29dd",
    "secret qwzxv",
    "verification code 9021",
    "code is 902144",
    "security code 1984",
    "sk-proj-abcDEFghi",
    "sk-ant-api03-abcdefgh",
    "john (at) example.com",
    "john[at]example[dot]com",
    "john at example dot com",
    "john at example.com",
    "ada\uff20example\uff0ecom",
    "\uff41\uff44\uff41\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d",
    "ada at gmail com",
    "ada \ufe6b example",
    "my password is hunter",
    "password is swordfish",
    "the passcode is tango",
    "pass word hunter2",
    "1n 4711 pin",
    "login ada hunter2",
    "username ada99xx",
    "eyJhbGciOiJIUzI1NiJ9",
    "AIzaSyDabcdefghijk",
    "ghp_abcdefgh1234",
    "hf_abcdefghij",
    "a1b2c3d4",
    "x7Kq9Lm2Zz",
    "my key is blue42",
    "\uff14\uff17\uff11\uff11 pin",
    "pin \uff14\uff17\uff11\uff11",
    "4\ufe0f\u20e37\ufe0f\u20e31\ufe0f\u20e31\ufe0f\u20e3 pin",
    "\u043f\u0430\u0440\u043e\u043b\u044c qwerty1",
    "\u5bc6\u7801 hunter",
    "otp 123456",
    "cvv 123",
    "ssn 123-45-6789",
    "kennwort geheim",
    "my secret is 9921",
    "door code 4471",
    "token\u200b abc123zz",
    "pa\xadss hunter2zz",
    "2fa 912 441",
    "wifi password swordfish42",
    "my pin was 1984",
    "pin 1984",
    "code 2580",
    "pin number 7812",
    "xoxb-123456789-abc",
    "ASIAIOSFODNN7EXAMPL",
    "auth 88abc77x",
    "iban DE89 3704",
    "bearer abc123",
)
ORDINARY = (
    "pin up girl",
    "secret garden",
    "token ring",
    "boarding pass",
    "key west beach",
    "dress code",
    "qr code",
    "secret base 1945",
    "pin up 1950s",
    "mountain pass 2024",
    "area 51 secret base",
    "code of conduct",
    "barcode scanner",
    "golden key",
    "token of love",
    "pass the ball",
    "secret santa 2023",
    "login screen icon",
    "user interface",
    "pin cushion",
    "pine cone",
    "rolling pin",
    "bowling pins",
    "password protection icon",
    "api key & password",
    "private keys",
    "the key is lost",
    "the secret is out",
    "olympics 2024",
    "zip code map",
    "code review",
    "source code",
    "morse code",
    "key lime pie",
    "1080p60fps",
    "1920x1080 wallpaper",
    "35mm film",
    "canon 5d mark iv",
    "mp3 player",
    "iphone 15 pro",
    "b2b meeting",
    "4x4 truck",
    "cat at home",
    "look at me",
    "dog at the beach",
    "meeting at dot matrix printer",
    "pass stelvio",
    "khyber pass",
    "secret agent 007",
    "key visual",
    "access control",
    "room key card",
    "piano key",
    "erc20 token",
    "python code",
    "boeing 747",
    "house number 1234",
    "apollo 11",
    "ps5 controller",
    "token economy",
    "passport photo",
    "1920s jazz club",
    "user icon",
    "code 39",
    "author portrait",
    "authentic italian food",
    "pass 4k video",
    "monkeys",
    "hockey pass",
    "cat at 5 pm",
    "authority",
)


@pytest.mark.parametrize("asked", SECRETS)
def test_a_secret_that_is_announced_or_looks_like_one_is_never_kept(asked: str) -> None:
    assert impersonal(asked) == ""


@pytest.mark.parametrize("asked", ORDINARY)
def test_a_word_that_may_announce_a_secret_is_kept_where_it_does_not(asked: str) -> None:
    assert impersonal(asked) == asked


def test_no_buyer_waits_for_an_event(database: Database) -> None:
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    away = Cache(url_of(free_port()))
    page = service(engine, events=ValkeyStream(away)).search(SearchQuery(q="boat"))
    assert page.results
    assert page.degraded == []
    assert SearchEventCollector(away, database, SuggestionTable(database)).drain() == 0


def test_an_event_knows_no_account(valkey_url: str) -> None:
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    service(engine, events=ValkeyStream(Cache(valkey_url))).search(SearchQuery(q="boat"))
    ((_, raw),) = Cache(valkey_url).waiting("{search}:events", most=5)
    assert set(json.loads(raw)) <= {
        *("kind", "search_id", "at", "words", "mode", "filters", "first", "total", "images", "degraded"),
        "all_words",
    }
