"""HTTP: search by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagemarket.platform.gateway import lambda_handler

if TYPE_CHECKING:
    from fastapi import FastAPI

MAX_BODY_BYTES = 4_194_304
"""`imagemarket.search.by_image.MAX_DIRECT_BYTES`, which a handler is too light to import; a test compares the two.
JSON takes as much as elsewhere."""
BODY_INSTEAD = "a larger picture, of up to 10000000 bytes, goes by the form of POST /v1/search/by-image/upload"


def _build() -> FastAPI:
    from functions.image_search_api.routes import build_api

    return build_api()


handler = lambda_handler(_build, max_body_bytes=MAX_BODY_BYTES, instead=BODY_INSTEAD)
