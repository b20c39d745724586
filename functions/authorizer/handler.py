"""Lambda authorizer of the HTTP API (payload 2.0, simple response): who sends this request?

A real token that is over is let through as `{"denied": "expired"}`, so that the application can
answer with a problem that tells the client to refresh; the gateway's own answer could not.
"""

from __future__ import annotations

from typing import Any

from imagemarket.app import app
from imagemarket.identity.tokens import ExpiredToken, InvalidToken
from imagemarket.platform.telemetry import count, flush_metrics, logger

Event = dict[str, Any]

_REFUSED: Event = {"isAuthorized": False}


def handler(event: Event, _context: Any) -> Event:
    logger.clear_state()
    logger.append_keys(request_id=(event.get("requestContext") or {}).get("requestId"))
    try:
        return _answer((event.get("headers") or {}).get("authorization", ""))
    finally:
        flush_metrics()


def _answer(authorization: str) -> Event:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return _refuse("no bearer token")
    try:
        claims = app().identity.token_verifier.verify(token.strip())
    except ExpiredToken:
        return {"isAuthorized": True, "context": {"denied": "expired"}}
    except InvalidToken as error:
        return _refuse(str(error))
    return {
        "isAuthorized": True,
        "context": {
            "account_id": str(claims.account_id),
            "role": claims.role,
            "token_id": claims.token_id,
        },
    }


def _refuse(reason: str) -> Event:
    logger.info("token refused", reason=reason)
    count("TokensRefused")
    return dict(_REFUSED)
