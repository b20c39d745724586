"""SQS `webhooks`: one attempt at one delivery for each message."""

from __future__ import annotations

import json
from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import batch_handler


def _call(record: dict[str, Any]) -> None:
    app().notifications.webhook_worker.handle(json.loads(record["body"]))


handler = batch_handler(_call, lambda: app().resources.failure_log)
