"""SQS `endings`: executions that failed, timed out or were aborted; their images end with a reason."""

from __future__ import annotations

import json
from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import batch_handler


def _end(record: dict[str, Any]) -> None:
    app().ingestion.endings.handle(json.loads(record["body"]))


handler = batch_handler(_end, lambda: app().resources.failure_log)
