"""Custom resource: makes the signing keys at the first deploy, publishes their public halves at each."""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.platform.custom_resource import custom_resource


def _provision(_properties: dict[str, Any]) -> dict[str, str]:
    return {"ActiveKeyId": app().identity.signing_key_provisioner.provision()}


handler = custom_resource(_provision)
