"""SQS `favourites`: an image was made a favourite, and is more popular."""

from __future__ import annotations

import json
from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import batch_handler


def _count(record: dict[str, Any]) -> None:
    from imagemarket.favourites.listener import LISTENS_TO
    from imagemarket.platform.events import received

    _, event = received(json.loads(record["body"]), *LISTENS_TO)
    app().favourites.popularity_feed.count(event)


handler = batch_handler(_count, lambda: app().resources.failure_log)
