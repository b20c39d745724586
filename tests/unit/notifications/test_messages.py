"""Signatures as the reference library verifies them, and what e-mails say."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from imagemarket.notifications.account_mails import account_mail_of
from imagemarket.notifications.messages import as_message, digest_of, mail_of, webhook_body
from imagemarket.notifications.models import MAILED_TYPES, RETRY_SCHEDULE
from imagemarket.notifications.ports import Mail
from imagemarket.notifications.signing import new_secret, signed_headers

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
