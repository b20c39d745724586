"""SQS `notifications`: something happened to an image, and its contributor's webhooks and mailbox are told; an account
asked for a mail, or is due a digest."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from imagemarket.app import app
from imagemarket.platform.handlers import batch_handler


def _tell(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    if "account_mail_id" in message:
        app().notifications.account_mails.send(UUID(message["account_mail_id"]))
    elif "digest_of" in message:
        app().notifications.teller.digest(UUID(message["digest_of"]))
    else:
        app().notifications.teller.tell(message)


handler = batch_handler(_tell, lambda: app().resources.failure_log)
