"""From an API Gateway event to a FastAPI app and back.

Kept apart from `imagemarket.platform.http` so that a function's handler is imported without
FastAPI; the app is built at the first request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagemarket.platform.telemetry import add_log_context, flush_metrics, logger, traced

if TYPE_CHECKING:
    from fastapi import FastAPI

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_BODY_BYTES = 256 * 1024
"""Few requests of this API need a larger body: pictures go straight to the object store."""
BODY_INSTEAD = "pictures go to the presigned URL"

Event = dict[str, Any]


def lambda_handler(
    build_api: Callable[[], FastAPI], *, max_body_bytes: int = MAX_BODY_BYTES, instead: str = BODY_INSTEAD
) -> Callable[[Event, Any], dict[str, Any]]:
    """The Lambda handler of an HTTP function; the app is built at the first request.

    `max_body_bytes` are those that the client sent, of a body that is no JSON; `instead` is where more go. JSON takes
    `MAX_BODY_BYTES` everywhere.
    """
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
        add_log_context(request_id=(event.get("requestContext") or {}).get("requestId"))
        json_body = is_json((event.get("headers") or {}).get("content-type", ""))
        limit, way_out = (MAX_BODY_BYTES, BODY_INSTEAD) if json_body else (max_body_bytes, instead)
        if _body_bytes(event) > limit:
            return _too_large(event, limit, way_out)
        try:
            return adapter(event, context)
        finally:
            flush_metrics()

    return traced(handler)


def is_json(content_type: str) -> bool:
    """Whether a content type is one of JSON's."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _body_bytes(event: Event) -> int:
    """How long the body is, which an event carries as base64 where it is no text."""
    body: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return len(body) // 4 * 3 - body[-2:].count("=")
    return len(body.encode())


def too_large(max_body_bytes: int, instead: str, *, instance: str) -> dict[str, Any]:
    """The problem document of a body that is too large."""
    return {
        "type": "about:blank",
        "title": "Content Too Large",
        "status": 413,
        "detail": f"A request body takes at most {max_body_bytes} bytes; {instead}.",
        "instance": instance,
    }


def _too_large(event: Event, max_body_bytes: int, instead: str) -> dict[str, Any]:
    import json

    method = ((event.get("requestContext") or {}).get("http") or {}).get("method", "unknown")
    logger.info("request", method=method, route="unmatched", status=413)
    document = too_large(
        max_body_bytes, instead, instance=(event.get("requestContext") or {}).get("requestId", "no-gateway")
    )
    return {
        "statusCode": 413,
        "headers": {"content-type": PROBLEM_MEDIA_TYPE},
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }
