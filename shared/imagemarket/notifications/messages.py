"""What a notification says: in a webhook's body and in an e-mail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Literal
from uuid import UUID

from imagemarket.notifications.models import WEBHOOK_DISABLED
from imagemarket.notifications.ports import Mail, UndeliverableMail

# Subjects hold nobody's words: a mailbox shows them without being asked to.
_WORDS = {
    "image.rejected": ("A picture of yours was rejected", "Your picture was not accepted."),
    "image.processing_failed": (
        "A picture of yours could not be processed",
        "Processing failed on our side; your file is kept and can be processed again.",
    ),
    "image.taken_down": ("A picture of yours was taken down", "Your picture is no longer in the catalogue."),
}
_IN_DIGEST = {
    "image.rejected": "rejected",
    "image.processing_failed": "not processed",
    "image.taken_down": "taken down",
    WEBHOOK_DISABLED: "webhooks disabled",
}


def request_and_page(request: str, operation: str, *, base_url: str) -> str:
    """A request for programs, and a page about it that people can open: most routes want a token or a body, so that
    whoever followed a link to one would find a refusal. The request is a path, which no mailbox makes a link of."""
    return f"{request}\n{base_url}/v1/docs#{operation} says how."


def webhook_body(type_: str, at: datetime, data: dict[str, Any]) -> bytes:
    """The same bytes at each attempt: `{"type", "timestamp", "data"}` as Standard Webhooks 1.0 recommends."""
    document = {"type": type_, "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def mail_of(notification_id: UUID, type_: str, data: dict[str, Any], *, to: str, base_url: str) -> Mail:
    """The e-mail of a notification."""
    if type_ == WEBHOOK_DISABLED:
        subject = "Your webhook was disabled"
        lines = [
            f"Your webhook {data['url']} is not called any more: {data['because']}.",
            "Mend it and enable it again: "
            + request_and_page(f"PUT /v1/webhooks/{data['webhook_id']}", "changeWebhook", base_url=base_url),
        ]
    else:
        subject, sentence = _WORDS[type_]
        reason = (data.get("reason") or {}).get("detail")
        # In one line: what looks like further paragraphs would be read as ours.
        title = f"“{' '.join(str(data['title']).split())}”"
        more = request_and_page(f"GET /v1/images/{data['image_id']}/status", "getImageStatus", base_url=base_url)
        lines = [sentence, title, *([reason] if reason else []), f"Signed in, you are told more: {more}"]
    return Mail(to=to, subject=subject, text="\n\n".join(lines) + "\n", message_id=f"{notification_id}@imagemarket")


def digest_of(numbers: Mapping[str, int], *, to: str, at: datetime, account_id: UUID, base_url: str) -> Mail:
    """The e-mail that tells of many notifications: how many there are of each type."""
    lines = [f"{_IN_DIGEST[type_]}: {number}" for type_, number in sorted(numbers.items())]
    all_of_it = request_and_page("GET /v1/notifications", "listNotifications", base_url=base_url)
    return Mail(
        to=to,
        subject="News of your pictures",
        text="\n".join(["Since the last mail:", "", *lines, "", f"All of it: {all_of_it}"]) + "\n",
        message_id=f"digest-{account_id}-{at.astimezone(UTC):%Y%m%d%H%M}@imagemarket",
    )


def as_message(mail: Mail, sender: str, *, encoding: Literal["8bit"] | None = None) -> EmailMessage:
    """The mail as RFC 5322 has it; its text in an encoding that every server passes on, or in the one named.

    Raises `UndeliverableMail` for an address that a header would not give back as it is.
    """
    message = EmailMessage()
    message["From"] = sender
    try:
        message["To"] = mail.to
    except ValueError:
        raise UndeliverableMail("The address cannot stand in a header.") from None
    if [each.addr_spec for each in message["To"].addresses] != [mail.to]:
        raise UndeliverableMail("The header would name another address.")
    message["Subject"] = mail.subject
    message["Message-ID"] = f"<{mail.message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte=encoding)
    return message
