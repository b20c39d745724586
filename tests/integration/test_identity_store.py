"""Accounts and sessions on PostgreSQL: what the use cases do on it is what they do on the store in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from imagemarket.identity.attempts import STRANGERS_PER_ACCOUNT, neighbourhood_of
from imagemarket.identity.errors import EmailTaken, InvalidCredentials, InvalidRefreshToken
from imagemarket.identity.memory import MemoryIdentityStore
from imagemarket.identity.ports import IdentityStore
from imagemarket.identity.repository import PostgresIdentityStore
from imagemarket.identity.service import MAX_LIVE_IN_FAMILY, REFRESH_GRACE
from imagemarket.platform.database import Database
from imagemarket.platform.errors import TooManyRequests
from imagemarket.platform.roles import DatabaseRole
from tests.roles import InRole
from tests.unit.identity.kit import ADDRESS, EMAIL, PASSWORD, Kit

pytestmark = pytest.mark.engines

NEW = "eleven purple bicycles at dawn"


@pytest.fixture(params=["memory", "postgres"])
def kit(request: pytest.FixtureRequest) -> Kit:
    store: IdentityStore = MemoryIdentityStore()
    if request.param == "postgres":
        database: Database = request.getfixturevalue("database")
        store = PostgresIdentityStore(InRole(database, DatabaseRole.IDENTITY))
    kit = Kit(store=store)
    kit.registered()
    return kit


def refused(kit: Kit, token: str) -> bool:
    try:
        kit.identity.refresh(token)
    except InvalidRefreshToken:
        return True
    return False


def test_an_account_is_kept_once(kit: Kit) -> None:
    with pytest.raises(EmailTaken):
        kit.registered()
    account = kit.login().account
    assert kit.identity.account(account.id) == account


def test_a_doubled_request_is_forgiven_and_a_copy_is_found_out_at_once(kit: Kit) -> None:
    token = kit.login().refresh_token
    owners, thiefs = (kit.identity.refresh(token).refresh_token for _ in range(2))
    owners = kit.identity.refresh(owners).refresh_token
    assert refused(kit, thiefs)
    assert refused(kit, owners)


def test_reuse_after_the_grace_ends_the_session_and_no_other(kit: Kit) -> None:
    stolen, other = kit.login().refresh_token, kit.login().refresh_token
    owners = kit.identity.refresh(stolen).refresh_token
    kit.clock.advance(REFRESH_GRACE + timedelta(seconds=1))
    assert refused(kit, stolen)
    assert refused(kit, owners)
    assert not refused(kit, other)


def test_a_token_sent_over_and_over_ends_its_session(kit: Kit) -> None:
    token = kit.login().refresh_token
    given = [kit.identity.refresh(token).refresh_token for _ in range(MAX_LIVE_IN_FAMILY)]
    assert refused(kit, token)
    assert all(refused(kit, each) for each in given)


def test_a_sign_out_ends_all_of_the_session(kit: Kit) -> None:
    token = kit.login().refresh_token
    kit.identity.logout(kit.identity.refresh(token).refresh_token)
    assert refused(kit, token)


def test_where_the_owner_was_before_strangers_count_for_nothing(kit: Kit) -> None:
    kit.login()
    for n in range(40):
        with pytest.raises((InvalidCredentials, TooManyRequests)):
            kit.login(password="not the password", address=f"198.51.{n}.1")
    with pytest.raises(TooManyRequests):
        kit.login(address="198.51.99.1")
    assert kit.login(address=ADDRESS.rpartition(".")[0] + ".250").account.email == EMAIL


def test_a_password_that_is_set_by_mail_makes_the_networks_of_before_strangers(kit: Kit) -> None:
    """Whoever opened an account in another's name may not guess on from there."""
    kit.login(address="198.51.100.7")
    home = "192.0.2.99"
    kit.identity.reset_password(kit.mails.token("reset_password", EMAIL), NEW, address=home)
    for n in range(STRANGERS_PER_ACCOUNT.attempts):
        with pytest.raises((InvalidCredentials, TooManyRequests)):
            kit.login(password="not the password", address=f"{(ADDRESS, '198.51.100.7')[n % 2].rpartition('.')[0]}.{n}")
    for closed in (ADDRESS, "198.51.100.7"):
        with pytest.raises(TooManyRequests):
            kit.login(password=NEW, address=closed)
    assert kit.login(password=NEW, address=home).account.email == EMAIL


def test_a_network_is_the_owners_again_once_the_new_password_was_known_there(kit: Kit) -> None:
    account = kit.login().account
    kit.identity.reset_password(kit.mails.token("reset_password", EMAIL), NEW, address="192.0.2.99")
    network = neighbourhood_of(ADDRESS)
    assert not kit.store.knows_network(account.id, network)
    kit.login(password=NEW)
    assert kit.store.knows_network(account.id, network)


def test_a_password_that_is_changed_leaves_the_networks_known_and_makes_its_own_so(kit: Kit) -> None:
    account = kit.login().account
    kit.identity.change_password(account.id, current=PASSWORD, new=NEW, address="192.0.2.99")
    for address in (ADDRESS, "192.0.2.99"):
        assert kit.store.knows_network(account.id, neighbourhood_of(address))


def test_who_signs_in_with_the_old_password_while_it_is_set_anew_stays_a_stranger(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = kit.login().account
    verify = kit.hasher.verify

    def slowly(password: str, kept: str | None) -> bool:
        matches = verify(password, kept)
        kit.identity.reset_password(kit.mails.token("reset_password", EMAIL), NEW, address="192.0.2.99")
        return matches

    monkeypatch.setattr(kit.hasher, "verify", slowly)
    with pytest.raises(InvalidCredentials):
        kit.login()
    assert not kit.store.knows_network(account.id, neighbourhood_of(ADDRESS))
