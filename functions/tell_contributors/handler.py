"""SQS `notifications`: an event of an image, and its contributor's webhooks and mailbox are told; of an account that
asked for a mail; or an account is due a digest."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from imagemarket.app import app
from imagemarket.platform.handlers import batch_handler


def _tell(record: dict[str, Any]) -> None:
    from imagemarket.identity.events import AccountMailRequested
    from imagemarket.notifications.listener import LISTENS_TO
    from imagemarket.platform.events import received

    message = json.loads(record["body"])
    if "digest_of" in message:
        app().notifications.teller.digest(UUID(message["digest_of"]))
        return
    event_id, event = received(message, *LISTENS_TO)
    if isinstance(event, AccountMailRequested):
        app().notifications.account_mails.send(event.account_mail_id)
    else:
        app().notifications.teller.tell(event_id, event)


handler = batch_handler(_tell, lambda: app().resources.failure_log)
