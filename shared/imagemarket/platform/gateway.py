"""From an API Gateway event to a FastAPI app and back.

Kept apart from `imagemarket.platform.http` so that a function's handler is imported without
FastAPI; the app is built at the first request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagemarket.platform.telemetry import annotate, flush_metrics, logger, traced

if TYPE_CHECKING:
    from fastapi import FastAPI

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_BODY_BYTES = 256 * 1024
"""No request of this API needs a larger body: pictures go straight to the object store."""

Event = dict[str, Any]


def lambda_handler(build_api: Callable[[], FastAPI]) -> Callable[[Event, Any], dict[str, Any]]:
    """The Lambda handler of an HTTP function; the app is built at the first request."""
    adapter: Any = None

    def handler(event: Event, context: Any) -> dict[str, Any]:
        nonlocal adapter
        if adapter is None:
            from mangum import Mangum

            adapter = Mangum(
                build_api(),
                lifespan="off",
                # Mangum sends any other type as base64 (decisions.md, correction 6).
                text_mime_types=["text/", "application/json", "application/javascript", PROBLEM_MEDIA_TYPE],
            )
        logger.clear_state()
        annotate(request_id=(event.get("requestContext") or {}).get("requestId"))
        if len(event.get("body") or "") > MAX_BODY_BYTES:
            return _too_large(event)
        try:
            return adapter(event, context)
        finally:
            flush_metrics()

    return traced(handler)


def _too_large(event: Event) -> dict[str, Any]:
    import json

    document = {
        "type": "about:blank",
        "title": "Content Too Large",
        "status": 413,
        "detail": f"A request body takes at most {MAX_BODY_BYTES} bytes; pictures go to the presigned URL.",
        "instance": (event.get("requestContext") or {}).get("requestId", "no-gateway"),
    }
    return {
        "statusCode": 413,
        "headers": {"content-type": PROBLEM_MEDIA_TYPE},
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }
