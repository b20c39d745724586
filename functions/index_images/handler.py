"""SQS `index`: images whose search documents may have changed, written to the engines in bulk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from imagemarket import wiring
from imagemarket.platform.telemetry import bulk_handler


def _index(records: Sequence[dict[str, Any]]) -> None:
    from imagemarket.search.models import Removal

    messages = [json.loads(record["body"]) for record in records]
    wiring.indexer().index(Removal(UUID(message["image_id"]), int(message["version"])) for message in messages)


handler = bulk_handler(_index, wiring.message_journal)
