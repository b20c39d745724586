"""What a notification says: in a webhook's body and in an e-mail."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from imagemarket.notifications.models import WEBHOOK_DISABLED
from imagemarket.notifications.ports import Mail

_WORDS = {
    "image.approved": ("is in the catalogue", "Your picture was approved and can be found now."),
    "image.pending_review": ("is waiting for a review", "A person will look at your picture before it is published."),
    "image.rejected": ("was rejected", "Your picture was not accepted."),
    "image.processing_failed": (
        "could not be processed",
        "Processing failed on our side; your file is kept and can be processed again.",
    ),
    "image.taken_down": ("was taken down", "Your picture is no longer in the catalogue."),
}


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
            f"Mend it and enable it again: PUT {base_url}/v1/webhooks/{data['webhook_id']}",
        ]
    else:
        what, sentence = _WORDS.get(type_, ("has news", f"Its status is now {data['status']}."))
        subject = f"“{data['title']}” {what}"
        reason = (data.get("reason") or {}).get("detail")
        lines = [sentence, *([reason] if reason else []), f"{base_url}/v1/images/{data['image_id']}/status"]
    return Mail(
        to=to,
        # a title may hold line breaks; a header may not
        subject=" ".join(subject.split()),
        text="\n\n".join(lines) + "\n",
        message_id=f"{notification_id}@imagemarket",
    )


def as_message(mail: Mail, sender: str) -> EmailMessage:
    """The mail as RFC 5322 has it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Message-ID"] = f"<{mail.message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message
