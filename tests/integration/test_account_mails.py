"""Mail about an account: from the request to the file it is written to, and what its token is good for."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from imagemarket.identity.errors import InvalidMailToken
from imagemarket.identity.events import AccountMailRequested
from imagemarket.identity.mails import AccountMailRequests, MailTokens
from imagemarket.identity.repository import PostgresIdentityStore
from imagemarket.notifications.account_mails import MAILBOX_PER_DAY, PER_DAY, PER_HOUR, AccountMails
from imagemarket.notifications.files import FileMailer
from imagemarket.notifications.ports import Mail
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable, InvalidRequest
from imagemarket.platform.events import received
from imagemarket.platform.roles import DatabaseRole
from tests.fakes import MemoryBus
from tests.roles import InRole
from tests.unit.identity.kit import ADDRESS, EMAIL, PASSWORD, Kit

pytestmark = pytest.mark.engines

NEW = "eleven purple bicycles at dawn"


class Post:
    """Identity on a real database, the bus to the one who sends, and the folder that mails are written to."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        identity, notifier = InRole(database, DatabaseRole.IDENTITY), InRole(database, DatabaseRole.NOTIFIER)
        self.kit = Kit(store=PostgresIdentityStore(identity))
        self.bus = MemoryBus()
        self.requests = AccountMailRequests(database=identity, bus=self.bus, clock=self.kit.clock)
        self.identity = self.kit.identity
        self.identity._mails = self.requests
        self.sender = AccountMails(
            database=notifier,
            mailer=FileMailer(folder),
            issue_token=MailTokens(PostgresIdentityStore(notifier), self.kit.clock).issue,
            clock=self.kit.clock,
            public_base_url="https://market.test",
        )

    def deliver(self) -> list[Any]:
        """Sends what was asked for; the mails that came of it."""
        before = set(self.folder.glob("*"))
        for request in self.requested():
            self.sender.send(request)
        new = set(self.folder.glob("*")) - before
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in new]

    def requested(self) -> list[UUID]:
        """The mails that were asked for since the last call."""
        messages = self.bus.take(AccountMailRequested)
        return [received(message, AccountMailRequested)[1].account_mail_id for message in messages]


@pytest.fixture
def post(database: Database, tmp_path: Path) -> Post:
    return Post(database, tmp_path / "mail")


def token_in(mail: Any) -> str:
    found = re.search(r'"token": "([^"]+)"', mail.get_content())
    assert found
    return found[1]


def test_a_registration_is_confirmed_by_the_token_of_its_mail(post: Post) -> None:
    account = post.identity.register(
        email=EMAIL, password=PASSWORD, role="buyer", display_name="WIN A PRIZE at evil.example", address=ADDRESS
    )
    (mail,) = post.deliver()
    assert (mail["To"], mail["Subject"]) == (EMAIL, "Confirm your e-mail address")
    assert "PRIZE" not in mail.as_string(), "it may go to a stranger"
    token = token_in(mail)
    rows = post.database.fetch_all("SELECT encode(token_sha256, 'escape') AS kept FROM account_tokens")
    assert len(rows) == 1
    assert token not in rows[0]["kept"]
    post.identity.confirm_email(token)
    assert post.identity.account(account.id).email_confirmed_at is not None
    with pytest.raises(InvalidMailToken):
        post.identity.confirm_email(token)


def test_a_forgotten_password_is_set_anew_and_nobody_learns_who_has_an_account(post: Post) -> None:
    post.kit.registered()
    post.deliver()
    for email in ("nobody@example.com", "nobody", EMAIL):
        post.identity.forgot_password(email, address=ADDRESS)
    rows = post.database.fetch_all("SELECT user_id FROM account_mails WHERE purpose = 'reset_password' ORDER BY id")
    assert len(rows) == len(post.bus.client.entries) == 3, "the same is done for each"
    assert [row["user_id"] is None for row in rows] == [True, True, False]
    (mail,) = post.deliver()
    post.identity.reset_password(token_in(mail), NEW, address=ADDRESS)
    (told,) = post.deliver()
    assert told["Subject"] == "Your password was changed"
    assert post.kit.login(password=NEW).account.email_confirmed_at is not None


def test_a_stranger_is_mailed_three_times_a_day_at_most_of_each_kind(post: Post) -> None:
    account = post.identity.register(email=EMAIL, password=PASSWORD, role="buyer", display_name="Ann", address=ADDRESS)
    subjects: Counter[str] = Counter()
    for number in range(24):
        post.identity.request_confirmation(account.id, address=f"198.51.100.{number}")
        post.identity.forgot_password(EMAIL, address=f"198.51.100.{number}")
        subjects.update(str(mail["Subject"]) for mail in post.deliver())
        post.kit.clock.advance(timedelta(minutes=59))
    assert subjects == {"Confirm your e-mail address": 3, "Set a new password": 3}
    post.kit.clock.advance(timedelta(days=1))
    post.identity.request_confirmation(account.id, address=ADDRESS)
    assert len(post.deliver()) == 1


def test_a_mailbox_is_mailed_a_few_times_a_day_whatever_stands_behind_a_plus(post: Post) -> None:
    def opened(number: int, mailbox: str) -> int:
        email = f"{mailbox}+{number}@example.com"
        post.identity.register(
            email=email, password=PASSWORD, role="buyer", display_name="A", address=f"198.51.{number}.7"
        )
        return len(post.deliver())

    assert sum(opened(number, "ann") for number in range(MAILBOX_PER_DAY + 3)) == MAILBOX_PER_DAY
    assert opened(50, "anne") == 1, "another mailbox"
    post.kit.clock.advance(timedelta(days=1))
    assert opened(51, "ann") == 1


def test_a_stranger_who_asks_for_passwords_leaves_the_mails_that_confirm(post: Post) -> None:
    account = post.identity.register(email=EMAIL, password=PASSWORD, role="buyer", display_name="Ann", address=ADDRESS)
    post.deliver()
    for n in range(5):
        post.identity.forgot_password(EMAIL, address=f"198.51.100.{n}")
    assert len(post.deliver()) == 1
    post.identity.request_confirmation(account.id, address=ADDRESS)
    (mail,) = post.deliver()
    post.identity.confirm_email(token_in(mail))


def test_an_owner_is_mailed_a_few_times_an_hour_and_some_a_day(post: Post) -> None:
    post.kit.registered()
    (mail,) = post.deliver()
    post.identity.confirm_email(token_in(mail))
    sent = []
    for hour in range(24):
        for n in range(PER_HOUR + 1):
            post.identity.forgot_password(EMAIL, address=f"198.51.{hour}.{n}")
        sent.append(len(post.deliver()))
        post.kit.clock.advance(timedelta(minutes=59))
    assert max(sent) == PER_HOUR
    assert sum(sent[:8]) == PER_DAY
    assert sent[8:] == [1, 0] * 8, "once the last one's token is over"


@pytest.mark.parametrize("confirmed", [False, True])
def test_whoever_asks_for_mails_in_the_owners_name_leaves_a_good_one_at_any_time(
    post: Post, *, confirmed: bool
) -> None:
    post.kit.registered()
    (mail,) = post.deliver()
    if confirmed:
        post.identity.confirm_email(token_in(mail))
    tokens: list[str] = []
    for minutes in range(0, 36 * 60, 20):
        post.identity.forgot_password(EMAIL, address=f"198.51.{minutes // 256}.{minutes % 256}")
        tokens += [token_in(mail) for mail in post.deliver()]
        # good until right before the next request could be
        with pytest.raises(InvalidRequest, match="too easy"):
            post.identity.reset_password(tokens[-1], "qwertyuiop", address=ADDRESS)
        post.kit.clock.advance(timedelta(minutes=20))


def test_who_has_taken_an_account_over_does_not_close_its_owners_way_back(post: Post) -> None:
    """The address is not confirmed, and the password is the thief's."""
    account = post.identity.register(email=EMAIL, password=PASSWORD, role="buyer", display_name="Ann", address=ADDRESS)
    post.deliver()
    thief, known, others = "192.0.2.66", PASSWORD, [f"number {each} of purple bicycles" for each in range(5)]
    tokens: list[str] = []
    told = 0
    for other in others:
        post.identity.change_password(account.id, current=known, new=other, address=thief)
        post.identity.forgot_password(EMAIL, address=thief)
        known = other
        for mail in post.deliver():
            told += mail["Subject"] == "Your password was changed"
            tokens += [token_in(mail)] if mail["Subject"] == "Set a new password" else []
    assert (told, len(tokens)) == (1, 1)
    post.identity.reset_password(tokens[0], NEW, address=ADDRESS)
    assert post.kit.login(password=NEW).account.email_confirmed_at is not None


def test_a_request_whose_event_was_lost_is_made_up_for_and_one_that_comes_twice_sends_once(post: Post) -> None:
    post.bus.client.broken = True
    post.kit.registered()
    post.bus.client.broken = False
    assert post.requests.wake() == 0
    post.kit.clock.advance(timedelta(minutes=1))
    assert post.requests.wake() == 1
    assert post.requests.wake() == 1
    assert len(post.deliver()) == 1
    assert post.requests.wake() == 0


def test_a_mail_that_cannot_be_sent_is_tried_again(post: Post) -> None:
    post.kit.registered()
    (request,) = post.requested()
    post.folder.write_text("no folder")
    with pytest.raises(DependencyUnavailable):
        post.sender.send(request)
    post.folder.unlink()
    post.sender.send(request)
    assert len(list(post.folder.iterdir())) == 1


def test_a_mail_that_nobody_can_be_sent_is_written_off(post: Post) -> None:
    """An account of before its address was looked at as a header would read it."""
    post.kit.registered()
    with post.database.transaction() as connection:
        connection.execute("UPDATE users SET email = '=?utf-8?q?x=0d=0abcc=3a_v?=@e.example'")
    assert post.deliver() == []
    post.kit.clock.advance(timedelta(minutes=1))
    assert post.requests.wake() == 0


def test_what_waits_longest_is_sent_first_and_what_nobody_waits_for_any_more_not_at_all(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagemarket.identity.mails._AT_ONCE", 1)
    post.kit.registered()
    (first,) = post.requested()
    post.kit.clock.advance(timedelta(minutes=1))
    post.kit.registered(email="bob@example.com")
    post.requested()
    post.kit.clock.advance(timedelta(minutes=1))
    assert post.requests.wake() == 1
    assert post.requested() == [first]
    post.kit.clock.advance(timedelta(days=1))
    assert post.requests.wake() == 0


def test_a_mail_that_takes_long_keeps_nobody_from_signing_in(post: Post) -> None:
    """Nor from anything else that locks the account's row."""
    post.kit.registered()
    signed_in: list[str] = []

    class SlowMailer:
        def send(self, mail: Mail) -> None:
            signed_in.append(post.kit.login().account.email)

    post.sender._mailer = SlowMailer()
    (request,) = post.requested()
    post.sender.send(request)
    assert signed_in == [EMAIL]
