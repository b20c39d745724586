"""Signatures of webhooks, as Standard Webhooks 1.0 has them."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

_SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def new_secret() -> str:
    """A new secret in the form that verifying libraries take."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(valid_secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers; one signature for each secret that is valid now, the newest first. `at` is in UTC."""
    from standardwebhooks import Webhook

    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, text) for secret in valid_secrets),
    }
