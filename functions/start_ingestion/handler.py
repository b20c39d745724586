"""SQS `uploads`: one message per object that arrived; each starts one saga."""

from __future__ import annotations

import json
from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import batch_handler


def _start(record: dict[str, Any]) -> None:
    app().ingestion.starter.handle(json.loads(record["body"]))


handler = batch_handler(_start, lambda: app().resources.failure_log)
