"""SQS `notifications`: something happened to an image; its contributor's webhooks and mailbox are told."""

from __future__ import annotations

import json
from typing import Any

from imagemarket import wiring
from imagemarket.platform.telemetry import batch_handler


def _tell(record: dict[str, Any]) -> None:
    wiring.teller().tell(json.loads(record["body"]))


handler = batch_handler(_tell, wiring.message_journal)
