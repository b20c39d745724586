"""Limits in a real Valkey: true to the last place under concurrency, and told truly in headers."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from uuid import uuid4

import pytest
from fastapi import APIRouter

from functions.auth_api.handler import handler as auth_handler
from functions.image_search_api.handler import handler as picture_handler
from functions.search_api.handler import handler as search_handler
from imagemarket.identity.models import NEW_PASSWORD_COST
from imagemarket.platform.cache import Cache
from imagemarket.platform.clock import SystemClock
from imagemarket.platform.http import Caller, create_api, lambda_handler
from imagemarket.platform.ratelimits import Policy, RateLimiter
from imagemarket.platform.resources import Resources
from imagemarket.search.by_image import ImageSearch
from imagemarket.search.pages import PageCache
from imagemarket.search.request import BY_IMAGE_COST, COMPUTED_COST
from local.layout import free_port
from local.valkey import url_of
from tests.api.events import LOOPBACK, LambdaContext, http_event, json_of
from tests.fakes import MemoryObjectStore
from tests.provided import provide
from tests.unit.identity.kit import EMAIL, PASSWORD, Kit
from tests.unit.search.kit import MemorySearch, random_documents
from tests.unit.search.test_service import service

pytestmark = pytest.mark.engines

STRANGER = "203.0.113.7"


@pytest.fixture
def limiter(valkey_url: str) -> RateLimiter:
    cache = Cache(valkey_url)
    return RateLimiter(lambda: cache, address=Policy("address", 50, 600), account=Policy("account", 20, 600))


def test_no_place_is_given_twice_however_many_ask_at_once(limiter: RateLimiter) -> None:
    with ThreadPoolExecutor(16) as pool:
        decisions = list(pool.map(lambda _: limiter.acquire(address=STRANGER, account=None), range(120)))
    allowed = [each for each in decisions if each.allowed]
    # One place comes back each 12 s, which a slow machine may see once.
    assert 50 <= len(allowed) <= 51
    assert len({each.limits[0].remaining for each in allowed}) == 50, "each was told another number"
    assert all(each.limits[0].remaining == 0 and each.retry_after >= 1 for each in decisions if not each.allowed)


def test_what_is_told_is_what_happens(valkey_url: str) -> None:
    cache = Cache(valkey_url)
    limiter = RateLimiter(lambda: cache, address=Policy("address", 5, 5))
    told = [limiter.acquire(address=STRANGER, account=None) for _ in range(5)]
    assert [each.limits[0].remaining for each in told] == [4, 3, 2, 1, 0]
    assert told[-1].headers == {"RateLimit-Policy": '"address";q=5;w=5', "RateLimit": '"address";r=0;t=5'}
    refused = limiter.acquire(address=STRANGER, account=None)
    assert not refused.allowed
    time.sleep(refused.retry_after)
    assert limiter.acquire(address=STRANGER, account=None).allowed


def test_each_address_and_each_account_has_its_own(limiter: RateLimiter) -> None:
    ada, bob = str(uuid4()), str(uuid4())
    for _ in range(20):
        assert limiter.acquire(address=STRANGER, account=ada).allowed
    refused = limiter.acquire(address=STRANGER, account=ada)
    assert not refused.allowed
    assert [each.remaining for each in refused.limits] == [30, 0], "a refusal takes no place anywhere"
    assert limiter.acquire(address=STRANGER, account=bob).allowed
    assert limiter.acquire(address=STRANGER, account=None).limits[0].remaining == 28
    assert limiter.acquire(address="2001:db8::1", account=None).limits[0].remaining == 49
    assert limiter.acquire(address="2001:db8::2", account=None).limits[0].remaining == 48, "one host has a /64"
    assert limiter.acquire(address="127.0.0.1", account=ada).limits == ()


def test_a_request_counts_as_much_as_it_costs(limiter: RateLimiter) -> None:
    ada = str(uuid4())
    assert [each.remaining for each in limiter.acquire(address=STRANGER, account=ada, cost=15).limits] == [35, 5]
    refused = limiter.acquire(address=STRANGER, account=ada, cost=6)
    assert (refused.allowed, [each.remaining for each in refused.limits]) == (False, [35, 5])
    assert 1 <= refused.retry_after <= 30, "one place of the account's comes back in 30 seconds"
    assert limiter.acquire(address=STRANGER, account=ada, cost=5).allowed
    assert limiter.acquire(address="203.0.113.8", account=None, cost=1000).allowed, (
        "once in a window, where it is above all"
    )
    assert not limiter.acquire(address="203.0.113.8", account=None).allowed


def _left(answer: Any) -> int:
    found = re.match(r'"address";r=(\d+);', answer["headers"]["ratelimit"])
    assert found
    return int(found[1])


def test_a_search_that_is_computed_costs_more_than_a_kept_page(valkey_url: str) -> None:
    cache = Cache(valkey_url)
    limiter = RateLimiter(lambda: cache, address=Policy("address", 2 * COMPUTED_COST, 6000))
    engine = MemorySearch()
    engine.write(random_documents(20), [])
    search = service(engine, pages=PageCache(cache, cache, SystemClock()))
    provide("resources.rate_limiter", limiter)
    provide("search.service", search)

    def ask(path: str, query: str) -> Any:
        return search_handler(http_event("GET", path, query=query, address=STRANGER), LambdaContext())

    assert _left(ask("/v1/search", "q=boat")) == COMPUTED_COST
    assert _left(ask("/v1/search", "q=boat")) == COMPUTED_COST - 1
    refused = ask("/v1/search", "q=lake")
    assert (refused["statusCode"], json_of(refused)["type"]) == (429, "/v1/problems/too-many-requests")
    assert f"counts as {COMPUTED_COST - 1} more" in json_of(refused)["detail"]
    assert _left(refused) == COMPUTED_COST - 2, "what was refused cost no more than any request"
    assert 1 <= int(refused["headers"]["retry-after"]) <= 6000 // (2 * COMPUTED_COST)
    assert ask("/v1/search", "q=boat")["statusCode"] == 200, "what is kept is still to be had"
    assert ask("/v1/search", "q=lake&limit=3")["statusCode"] == 429


class _NobodyNeedsToLook:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError("nobody needs to look")


def test_a_search_by_a_picture_costs_most_whatever_becomes_of_it(valkey_url: str) -> None:
    cache = Cache(valkey_url)
    limiter = RateLimiter(lambda: cache, address=Policy("address", 2 * BY_IMAGE_COST + 3, 6000))
    provide("resources.rate_limiter", limiter)
    provide("search.by_image", _NobodyNeedsToLook())
    nothing = http_event("POST", "/v1/search/by-image", b"", {"content-type": "image/jpeg"}, address=STRANGER)
    first = picture_handler(nothing, LambdaContext())
    assert (first["statusCode"], _left(first)) == (422, BY_IMAGE_COST + 3)
    assert _left(picture_handler(nothing, LambdaContext())) == 3
    assert picture_handler(nothing, LambdaContext())["statusCode"] == 429


@pytest.mark.parametrize("asked", ["register", "password/reset", "password"])
def test_what_sets_a_password_costs_more_than_a_request_whatever_becomes_of_it(asked: str, valkey_url: str) -> None:
    cache, kit = Cache(valkey_url), Kit()
    kit.registered()
    account = kit.login().account
    weak = "password12"
    bodies = {
        "register": {"email": "bob@example.com", "password": weak, "role": "buyer", "display_name": "Bob"},
        "password/reset": {"token": kit.mails.token("reset_password", EMAIL), "password": weak},
        "password": {"current_password": PASSWORD, "new_password": weak},
    }
    signed_in = Caller(account_id=account.id, role="contributor") if asked == "password" else None
    policy = Policy("address", 2 * NEW_PASSWORD_COST + 3, 6000)
    limiter = RateLimiter(lambda: cache, address=policy, account=policy)
    provide("resources.rate_limiter", limiter)
    provide("identity.service", kit.identity)

    def ask() -> Any:
        event = http_event("POST", f"/v1/auth/{asked}", bodies[asked], address=STRANGER, caller=signed_in)
        return auth_handler(event, LambdaContext())

    first = ask()
    assert (first["statusCode"], _left(first)) == (422, NEW_PASSWORD_COST + 3)
    assert _left(ask()) == 3
    assert ask()["statusCode"] == 429


def test_forms_for_pictures_are_bounded_for_a_network_and_for_all(valkey_url: str) -> None:
    cache = Cache(valkey_url)
    forms = RateLimiter(lambda: cache, address=Policy("forms", 20, 600), account=Policy("all-forms", 50, 600))
    none = cast("Any", None)
    search = ImageSearch(search=none, work=MemoryObjectStore("work"), decoder=none, model=none, forms=forms)
    provide("resources.rate_limiter", RateLimiter(lambda: cache))
    provide("search.by_image", search)

    def ask(megabytes: float, address: str) -> Any:
        body = {"content_type": "image/jpeg", "size_bytes": int(megabytes * 1_000_000)}
        event = http_event("POST", "/v1/search/by-image/upload", body, address=address)
        return picture_handler(event, LambdaContext())

    assert [ask(9.5, "203.0.113.7")["statusCode"] for _ in range(3)] == [201, 201, 429]
    refused = ask(9.5, "203.0.113.7")
    assert 1 <= int(refused["headers"]["retry-after"]) <= 300
    assert "to one network" in json_of(refused)["detail"]
    assert "4194304 bytes as the body" in json_of(refused)["detail"]
    assert [ask(10, f"203.0.113.{host}")["statusCode"] for host in (8, 9, 10, 11)] == [201, 201, 201, 429]
    assert ask(10, LOOPBACK)["statusCode"] == 201, "no gateway reports it of a stranger"


def test_without_a_cache_requests_go_through() -> None:
    cache = Cache(url_of(free_port()))
    decision = RateLimiter(lambda: cache).acquire(address=STRANGER, account=None)
    assert (decision.allowed, decision.headers) == (True, {})


def test_answers_carry_the_state_and_a_refusal_says_when_to_return(valkey_url: str) -> None:
    router = APIRouter()

    @router.get("/here")
    def here() -> str:
        return "here"

    cache = Cache(valkey_url)
    limiter = RateLimiter(lambda: cache, address=Policy("address", 3, 300), account=Policy("account", 9, 300))
    handler = lambda_handler(lambda: create_api("test", router, limiter=lambda: limiter))

    def send(who: Caller | None = None) -> Any:
        return handler(http_event("GET", "/here", caller=who, address=STRANGER), LambdaContext())

    first = send(Caller(uuid4(), "buyer"))
    assert first["headers"]["ratelimit-policy"] == '"address";q=3;w=300, "account";q=9;w=300'
    assert re.fullmatch(r'"address";r=2;t=\d+, "account";r=8;t=\d+', first["headers"]["ratelimit"])
    assert [send()["statusCode"] for _ in range(3)] == [200, 200, 429]
    refused = send()
    problem = json_of(refused)
    assert problem["type"] == "/v1/problems/too-many-requests"
    assert "3 requests per address in 300 seconds" in problem["detail"]
    assert 1 <= int(refused["headers"]["retry-after"]) <= 100
    assert refused["headers"]["ratelimit"].startswith('"address";r=0;')


def test_pages_that_strangers_fill_the_cache_with_push_no_counter_out(
    valkey_url: str, counters_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two instances: an instance has one policy, and only the cache's may evict."""
    import valkey

    monkeypatch.setenv("MARKET_CACHE_URL", valkey_url)
    monkeypatch.setenv("MARKET_COUNTERS_URL", counters_url)
    resources = Resources()
    with valkey.Valkey.from_url(counters_url) as counters, valkey.Valkey.from_url(valkey_url) as pages:
        assert counters.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert pages.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
    resources.counters.count("attempts:somebody", window_seconds=60)
    assert resources.counters.count("attempts:somebody", window_seconds=60)[0] == 2
    assert resources.cache.get("attempts:somebody") == [None], "counted apart from the pages"
