"""Mail about an account: from the request to the file it is written to, and what its token is good for."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from imagemarket.identity.mails import AccountMailRequests, MailTokens
from imagemarket.identity.postgres import PostgresIdentityStore
from imagemarket.notifications.account_mails import PER_DAY, PER_HOUR, UNCONFIRMED_PER_DAY, AccountMails
from imagemarket.notifications.files import FileMailer
from imagemarket.platform.database import Database
from imagemarket.platform.errors import DependencyUnavailable, InvalidMailToken
from imagemarket.platform.roles import DatabaseRole
from tests.integration.test_notifications import MemoryQueue
from tests.roles import InRole
from tests.unit.identity.kit import ADDRESS, EMAIL, PASSWORD, Kit

pytestmark = pytest.mark.engines

NEW = "eleven purple bicycles at dawn"


class Post:
    """Identity on a real database, the queue to the one who sends, and the folder that mails are written to."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        identity, notifier = InRole(database, DatabaseRole.IDENTITY), InRole(database, DatabaseRole.NOTIFIER)
        self.kit = Kit(store=PostgresIdentityStore(identity))
        self.queue = MemoryQueue()
        self.requests = AccountMailRequests(database=identity, queue=self.queue, clock=self.kit.clock)
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
        for message in self.queue.take():
            self.sender.send(UUID(message["account_mail_id"]))
        new = set(self.folder.glob("*")) - before
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in new]


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
    assert len(rows) == len(post.queue.messages) == 3, "the same is done for each"
    assert [row["user_id"] is None for row in rows] == [True, True, False]
    (mail,) = post.deliver()
    post.identity.reset_password(token_in(mail), NEW, address=ADDRESS)
    (told,) = post.deliver()
    assert told["Subject"] == "Your password was changed"
    assert post.kit.login(password=NEW).account.email_confirmed_at is not None


def test_a_stranger_is_mailed_three_times_a_day_at_most(post: Post) -> None:
    account = post.identity.register(email=EMAIL, password=PASSWORD, role="buyer", display_name="Ann", address=ADDRESS)
    sent = 0
    for _ in range(5):
        post.identity.request_confirmation(account.id, address=ADDRESS)
        post.identity.forgot_password(EMAIL, address=ADDRESS)
        sent += len(post.deliver())
    assert sent == UNCONFIRMED_PER_DAY
    post.kit.clock.advance(timedelta(days=1))
    post.identity.request_confirmation(account.id, address=ADDRESS)
    assert len(post.deliver()) == 1


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
    assert sum(sent) == PER_DAY


def test_a_request_whose_message_was_lost_is_made_up_for_and_one_that_comes_twice_sends_once(post: Post) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise DependencyUnavailable("The queue is not answering.")

    post.queue.send, kept = down, post.queue.send
    post.kit.registered()
    post.queue.send = kept
    assert post.requests.wake() == 0
    post.kit.clock.advance(timedelta(minutes=1))
    assert post.requests.wake() == 1
    assert post.requests.wake() == 1
    assert len(post.deliver()) == 1
    assert post.requests.wake() == 0


def test_a_mail_that_cannot_be_sent_is_tried_again(post: Post) -> None:
    post.kit.registered()
    (message,) = post.queue.messages
    post.folder.write_text("no folder")
    with pytest.raises(DependencyUnavailable):
        post.sender.send(UUID(message["account_mail_id"]))
    post.folder.unlink()
    assert len(post.deliver()) == 1
