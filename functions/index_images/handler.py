"""SQS `index`: images whose search documents may have changed, written to the engines in bulk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from imagemarket.app import app
from imagemarket.platform.handlers import bulk_handler


def _index(records: Sequence[dict[str, Any]]) -> list[str]:
    """The ids of the messages whose images an engine did not take."""
    from imagemarket.platform.events import received
    from imagemarket.search.document import Removal
    from imagemarket.search.errors import IndexingIncomplete
    from imagemarket.search.indexing.listener import LISTENS_TO

    told: dict[str, Removal] = {}
    for record in records:
        _, changed = received(json.loads(record["body"]), *LISTENS_TO)
        told[record["messageId"]] = Removal(changed.image_id, changed.version)
    try:
        app().search.indexer.index(told.values())
    except IndexingIncomplete as error:
        return [message_id for message_id, image in told.items() if image.image_id in error.image_ids]
    return []


handler = bulk_handler(_index, lambda: app().resources.failure_log)
