"""Golden events: what AWS sends, as it sends it."""

from __future__ import annotations

import json
from typing import Any

from local.layout import REPOSITORY

EVENTS = REPOSITORY / "events"


def golden(name: str) -> dict[str, Any]:
    """The event `events/{name}`, fresh for each caller."""
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))
