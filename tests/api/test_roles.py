"""Every route against everyone who may come: whom it lets through and how it refuses the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagemarket.platform.http import Role
from tests.api.events import caller, json_of
from tests.api.routes import Route, break_every_engine, every_route

ROLES: tuple[Role, ...] = ("admin", "buyer", "contributor")
SIGNED_IN: dict[str, set[Role]] = {
    operation: set(roles)
    for path in sorted(Path(__file__).with_name("roles").glob("*.json"))
    for operation, roles in json.loads(path.read_text(encoding="utf-8")).items()
}
"""Who may call what, by function; every other route is public. Written down apart from the code that decides it."""


@pytest.fixture(autouse=True)
def _no_engines() -> None:
    """A request that gets past the roles ends in 500, or is answered without any engine."""
    break_every_engine()


@pytest.mark.parametrize("route", every_route())
def test_the_document_says_who_may_call(route: Route) -> None:
    assert set(route.operation.get("x-roles", [])) == SIGNED_IN.get(route.name, set())


@pytest.mark.parametrize("route", every_route())
def test_nobody_gets_past_without_a_token(route: Route) -> None:
    answer = route.call()
    if route.name in SIGNED_IN:
        assert (answer["statusCode"], json_of(answer)["type"]) == (401, "/v1/problems/unauthenticated")
        assert answer["headers"]["www-authenticate"].startswith("Bearer")
    else:
        assert answer["statusCode"] not in {401, 403}


@pytest.mark.parametrize("route", every_route())
def test_an_expired_token_is_told_so(route: Route) -> None:
    answer = route.call({"denied": "expired"})
    if route.name in SIGNED_IN:
        assert (answer["statusCode"], json_of(answer)["type"]) == (401, "/v1/problems/token-expired")
    else:
        assert answer["statusCode"] not in {401, 403}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", every_route())
def test_a_role_gets_what_is_its_own(route: Route, role: Role) -> None:
    answer = route.call(caller(role))
    if route.name in SIGNED_IN and role not in SIGNED_IN[route.name]:
        assert (answer["statusCode"], json_of(answer)["type"]) == (403, "/v1/problems/forbidden")
    else:
        assert answer["statusCode"] not in {401, 403}
