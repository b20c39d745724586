"""HTTP: finding pictures by a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagemarket.platform.gateway import lambda_handler

if TYPE_CHECKING:
    from fastapi import FastAPI

# `imagemarket.search.pictures.MAX_DIRECT_BYTES` in base64; a test compares the two.
_MAX_BODY_BYTES = 5_592_408


def _build() -> FastAPI:
    from functions.picture_api.routes import build_api

    return build_api()


handler = lambda_handler(
    _build,
    max_body_bytes=_MAX_BODY_BYTES,
    instead="a larger picture, up to 10 MB, goes by the form of POST /v1/search/by-image/upload",
)
