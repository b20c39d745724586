"""`imagemarket users create-admin`."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from imagemarket.cli.users import app
from tests.provided import provide
from tests.unit.identity.kit import EMAIL, PASSWORD, Kit

run = CliRunner().invoke


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Kit:
    kit = Kit()
    provide("identity.service", kit.identity)
    monkeypatch.setenv("MARKET_DATABASE_SECRET_ARN", "given")
    monkeypatch.delenv("MARKET_PASSWORD", raising=False)
    return kit


def test_the_password_comes_from_the_environment(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PASSWORD", PASSWORD)
    result = run(app, ["create-admin", EMAIL])
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert kit.login().account.role == "admin"


def test_or_is_asked_for_twice_and_not_shown(kit: Kit) -> None:
    result = run(app, ["create-admin", EMAIL, "--name", "Root"], input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    account = kit.login().account
    assert (account.role, account.display_name) == ("admin", "Root")


def test_an_address_is_confirmed_and_an_unknown_one_is_said_to_be(kit: Kit) -> None:
    kit.registered()
    result = run(app, ["confirm", EMAIL])
    assert (result.exit_code, result.output) == (0, f"{EMAIL} is confirmed.\n")
    assert kit.login().account.email_confirmed_at is not None
    unknown = run(app, ["confirm", "nobody@example.com"])
    assert unknown.exit_code == 1
    assert "There is no account with this e-mail." in str(unknown.exception)


def test_a_short_password_is_refused_with_its_limits(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PASSWORD", "short")
    result = run(app, ["create-admin", EMAIL])
    assert result.exit_code == 1
    assert "10 to 256 characters" in str(result.exception)
    assert kit.store.credentials(EMAIL) is None


def test_an_existing_account_is_left_alone_unless_it_is_to_be_promoted(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.registered()
    monkeypatch.setenv("MARKET_PASSWORD", "another password")
    refused = run(app, ["create-admin", EMAIL])
    assert refused.exit_code == 1
    assert "--promote" in str(refused.exception)
    assert kit.login().account.role == "contributor"

    monkeypatch.delenv("MARKET_PASSWORD")
    promoted = run(app, ["create-admin", EMAIL, "--promote"])
    assert promoted.exit_code == 0, promoted.output
    assert kit.login().account.role == "admin"


def test_if_missing_leaves_an_admin_as_it_is_and_does_not_take_a_buyer_for_one(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKET_PASSWORD", PASSWORD)
    assert run(app, ["create-admin", EMAIL, "--if-missing"]).exit_code == 0
    monkeypatch.setenv("MARKET_PASSWORD", "another password")
    again = run(app, ["create-admin", EMAIL, "--if-missing"])
    assert again.exit_code == 0, again.output
    assert kit.login().account.role == "admin"

    kit.registered(email="buyer@example.com")
    assert run(app, ["create-admin", "buyer@example.com", "--if-missing"]).exit_code == 1
