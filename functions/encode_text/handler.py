"""Text to vector, on the CPU: what a search asks before it compares meanings."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.telemetry import traced
from imagemarket.search.encoding import EncodeRequest


@traced
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return app().search.text_towers.encode(EncodeRequest.model_validate(event)).model_dump()
