"""Signatures of webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from imagemarket.notifications.signing import new_secret, signed_headers


def test_headers_are_those_of_the_specification_with_one_signature_for_each_secret() -> None:
    """The example of the Standard Webhooks specification's own libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    body = b'{"test": 2432232314}'
    signed = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = signed_headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signed,
    }
    two = signed_headers([new_secret(), secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)
    newest, previous = two["webhook-signature"].split(" ")
    assert previous == signed
    assert newest != signed


def test_secrets_are_long_enough_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)
