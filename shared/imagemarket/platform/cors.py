"""What pages of other origins may do with the API: what the gateway tells a browser that asks.

Tokens travel in a header and never in a cookie, so any origin may call where the stage does not name them. The gateway
adds these headers to every answer, its own refusals included, and to the 204 that `docs_api` gives a preflight; no
function says anything of them. On one machine the front door does what API Gateway does in the cloud, and answers
preflights too.
"""

from __future__ import annotations

EVERY_ORIGIN = ("*",)
ALLOWED_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
ALLOWED_HEADERS = ("authorization", "content-type", "idempotency-key", "if-none-match")
EXPOSED_HEADERS = (
    *("allow", "etag", "link", "location", "retry-after", "www-authenticate"),
    *("ratelimit", "ratelimit-policy", "x-request-id", "apigw-requestid"),
)
PREFLIGHT_SECONDS = 86_400
"""How long a browser may keep the answer to a preflight."""
