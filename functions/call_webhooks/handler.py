"""SQS `webhooks`: one attempt at one delivery for each message."""

from __future__ import annotations

import json
from typing import Any

from imagemarket import wiring
from imagemarket.platform.telemetry import batch_handler


def _call(record: dict[str, Any]) -> None:
    wiring.webhook_worker().handle(json.loads(record["body"]))


handler = batch_handler(_call, wiring.message_journal)
