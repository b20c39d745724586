"""HTTP: an account's favourites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagemarket.platform.gateway import lambda_handler

if TYPE_CHECKING:
    from fastapi import FastAPI


def _build() -> FastAPI:
    from functions.favourites_api.routes import build_api

    return build_api()


handler = lambda_handler(_build)
