"""Custom resource: brings the schema to the newest revision at each deploy."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.custom_resource import custom_resource


def _migrate(_properties: dict[str, Any]) -> dict[str, str]:
    app().operations.schema_upgrade.run()
    return {}


handler = custom_resource(_migrate)
