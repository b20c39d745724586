"""Signatures as the reference library verifies them, and what e-mails say."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from imagemarket.identity.emails import normalise
from imagemarket.notifications.account_mails import account_mail_of
from imagemarket.notifications.mailing import sent_or_written_off
from imagemarket.notifications.messages import as_message, digest_of, mail_of, webhook_body
from imagemarket.notifications.models import MAILED_TYPES, RETRY_SCHEDULE
from imagemarket.notifications.ports import Mail, UndeliverableMail
from imagemarket.notifications.ses import SesMailer
from imagemarket.notifications.signing import new_secret, signed_headers
from imagemarket.platform.errors import DependencyUnavailable, InvalidRequest
from tests.fakes import client_error

DATA = {"image_id": str(uuid4()), "title": "Ünder\nthe sea", "status": "rejected", "version": 2}


def test_the_reference_library_accepts_a_signature_and_nothing_changed() -> None:
    secret, other = new_secret(), new_secret()
    body = webhook_body("image.rejected", datetime.now(UTC), DATA)
    headers = signed_headers([secret], "msg_1", datetime.now(UTC), body)
    assert Webhook(secret).verify(body, headers)["data"]["title"] == DATA["title"]
    for tampered, key in [(body + b" ", secret), (body, other)]:
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(tampered, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-id": "msg_2"})
    old = signed_headers([secret], "msg_1", datetime.now(UTC) - timedelta(minutes=6), body)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, old)


def test_two_secrets_are_both_good_during_a_rotation() -> None:
    new, old = new_secret(), new_secret()
    body = webhook_body("image.approved", datetime.now(UTC), DATA)
    headers = signed_headers([new, old], "msg_1", datetime.now(UTC), body)
    assert Webhook(new).verify(body, headers) == Webhook(old).verify(body, headers)


def test_the_waits_are_those_of_the_specification() -> None:
    hour = 3600
    assert [wait.total_seconds() for wait in RETRY_SCHEDULE] == [
        *(0, 5, 5 * 60, 30 * 60, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour)
    ]


@pytest.mark.parametrize("type_", sorted(MAILED_TYPES))
def test_an_email_says_what_happened_in_one_line_of_subject(type_: str) -> None:
    data: dict[str, Any] = DATA | {
        "reason": {"code": "duplicate-image", "detail": "The picture is in the catalogue already."},
        "url": "https://hooks.example.com",
        "because": "it answered 410 Gone",
        "webhook_id": str(uuid4()),
    }
    mail = mail_of(uuid4(), type_, data, to="ann@example.com", base_url="https://market.test")
    message = as_message(mail, "imagemarket <no-reply@market.test>")
    assert "\n" not in mail.subject
    assert message["To"] == "ann@example.com"
    assert message["Message-ID"] == f"<{mail.message_id}>"
    for words in (DATA["title"], "sea", data["url"], data["because"]):
        assert words not in str(message["Subject"]), "nobody's words are in a subject"
    if type_.startswith("image."):
        assert "“Ünder the sea”" in mail.text.splitlines(), "in one line, whatever it holds"
        assert "The picture is in the catalogue already." in mail.text
    else:
        assert "410 Gone" in mail.text


def test_a_mail_names_the_one_address_it_is_for_whatever_is_taken_as_one() -> None:
    @given(st.emails(), st.text("ab=?q_.+'!#{|", max_size=20))
    def check(written: str, odd: str) -> None:
        for address in (written, f"{odd}@example.com", f"={odd}?=@example.com"):
            try:
                to = normalise(address)
            except InvalidRequest:
                continue
            mail = account_mail_of(uuid4(), "confirm_email", "t", to=to, base_url="https://market.test")
            sent = message_from_bytes(as_message(mail, "a <b@market.test>").as_bytes(), policy=policy.default)
            assert [each.addr_spec for each in sent["To"].addresses] == [to]

    check()


@pytest.mark.parametrize(
    "to", ["=?utf-8?q?victim=40other.example=2cme?=@evil.example", "a@b.example, c@d.example", "a\nb@c.d"]
)
def test_a_mail_to_what_a_header_reads_as_another_address_is_not_made(to: str) -> None:
    mail = Mail(to=to, subject="s", text="t", message_id="m")
    with pytest.raises(UndeliverableMail):
        as_message(mail, "a <b@market.test>")


class Ses:
    """boto3's client of SES version 2, as far as it is used."""

    def __init__(self, error: str | None = None, message: str = "no") -> None:
        self.sent: list[dict[str, Any]] = []
        self._error, self._message = error, message

    def send_email(self, **request: Any) -> None:
        if self._error is not None:
            raise client_error(self._error, "SendEmail", self._message)
        self.sent.append(request)


def test_ses_is_told_whom_a_mail_is_for() -> None:
    client = Ses()
    SesMailer(client, "imagemarket <no-reply@market.test>").send(
        Mail(to="ann@example.com", subject="s", text="t", message_id="m")
    )
    (request,) = client.sent
    assert request["Destination"] == {"ToAddresses": ["ann@example.com"]}
    assert message_from_bytes(request["Content"]["Raw"]["Data"])["To"] == "ann@example.com"


def test_a_request_as_ses_takes_it() -> None:
    """By the model of the service that its own client has."""
    client: Any = boto3.client("sesv2", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as answers:
        answers.add_response("send_email", {"MessageId": "1"})
        SesMailer(client, "a@market.test").send(Mail(to="ann@example.com", subject="s", text="t", message_id="m"))


def test_what_ses_does_not_take_is_tried_again() -> None:
    """Be it called malformed: a sender that is no address of ours is mended in the settings."""
    mail = Mail(to="ann@example.com", subject="s", text="t", message_id="m")
    for code in ("TooManyRequestsException", "BadRequestException"):
        with pytest.raises(DependencyUnavailable):
            SesMailer(Ses(code), "a@market.test").send(mail)


def test_what_ses_refuses_for_good_is_written_off_and_told() -> None:
    mail = Mail(to="ann@example.com", subject="s", text="t", message_id="m")
    with pytest.raises(UndeliverableMail, match="MessageRejected") as told:
        SesMailer(Ses("MessageRejected", "ann@example.com"), "I <a@market.test>").send(mail)
    assert "ann" not in str(told.value)
    assert not sent_or_written_off(SesMailer(Ses("MessageRejected"), "a@market.test"), mail, UUID(int=1))
    unverified = "Email address is not verified. The following identities failed the check: a@market.test"
    for error, message in (("MessageRejected", unverified), ("SendingPausedException", "no")):
        with pytest.raises(DependencyUnavailable):
            SesMailer(Ses(error, message), "I <a@market.test>").send(mail)


OPENAPI = Path(__file__).parents[3] / "functions" / "docs_api" / "openapi.json"


def every_mail() -> list[Mail]:
    told: dict[str, Any] = DATA | {"url": "hooks.example.com", "because": "gone", "webhook_id": str(uuid4())}
    where: dict[str, Any] = {"to": "ann@example.com", "base_url": "https://market.test"}
    return [
        *(mail_of(uuid4(), type_, told, **where) for type_ in sorted(MAILED_TYPES)),
        digest_of(dict.fromkeys(MAILED_TYPES, 2), at=datetime.now(UTC), account_id=uuid4(), **where),
        *(account_mail_of(uuid4(), purpose, "t", **where) for purpose in ("confirm_email", "reset_password", "")),
    ]


@pytest.mark.parametrize("mail", every_mail(), ids=lambda mail: mail.subject)
def test_every_link_of_a_mail_leads_to_what_a_person_can_open(mail: Mail) -> None:
    """The page of the very request that the mail names: the route itself wants a token or a body."""
    operations = {
        operation["operationId"]: (method.upper(), re.sub(r"\{[^}]+\}", "[^/ ]+", path))
        for path, methods in json.loads(OPENAPI.read_text())["paths"].items()
        for method, operation in methods.items()
        if "operationId" in operation
    }
    links = re.findall(r"\S*://\S+", mail.text)
    requests = re.findall(r"\b([A-Z]{3,7}) (/v1/\S+)", mail.text)
    assert len(links) == len(requests) == 1
    (link,), ((method, path),) = links, requests
    page, _, anchor = link.partition("#")
    assert page == "https://market.test/v1/docs"
    documented_method, documented_path = operations[anchor]
    assert method == documented_method
    assert re.fullmatch(documented_path, path)
