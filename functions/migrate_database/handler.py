"""Custom resource: brings the schema to the newest revision at each deploy."""

from __future__ import annotations

from typing import Any

from imagemarket import wiring
from imagemarket.platform.custom_resource import custom_resource


def _migrate(_properties: dict[str, Any]) -> dict[str, str]:
    wiring.migrate()
    return {}


handler = custom_resource(_migrate)
