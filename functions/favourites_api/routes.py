"""`/v1/favourites`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Response

from imagemarket.app import app
from imagemarket.catalog.errors import ImageGone, ImageNotFound
from imagemarket.favourites.errors import TooManyFavourites
from imagemarket.favourites.models import FavouritePage, FavouritesQuery
from imagemarket.platform.errors import InvalidRequest, TokenExpired
from imagemarket.platform.http import Caller, StrictRoute, create_api, current_caller, problem_responses

router = APIRouter(route_class=StrictRoute)

Account = Annotated[Caller, Depends(current_caller)]


@router.get(
    "/v1/favourites",
    operation_id="listFavourites",
    summary="List your favourites, the latest first",
    tags=["Favourites"],
    responses=problem_responses(TokenExpired, InvalidRequest),
)
def list_favourites(caller: Account, query: Annotated[FavouritesQuery, Query()], response: Response) -> FavouritePage:
    """An image that was taken down is left out, and is back when it is restored."""
    response.headers["Cache-Control"] = "no-store"
    return app().favourites.service.page(caller.account_id, cursor=query.cursor, limit=query.limit)


@router.put(
    "/v1/favourites/{image_id}",
    operation_id="addFavourite",
    summary="Make an image a favourite",
    tags=["Favourites"],
    status_code=204,
    responses=problem_responses(TokenExpired, ImageNotFound, ImageGone, TooManyFavourites, InvalidRequest),
)
def add_favourite(image_id: UUID, caller: Account) -> None:
    """Safe to send again. An account has at most 10,000 favourites."""
    app().favourites.service.add(caller.account_id, image_id)


@router.delete(
    "/v1/favourites/{image_id}",
    operation_id="removeFavourite",
    summary="Remove an image from your favourites",
    tags=["Favourites"],
    status_code=204,
    responses=problem_responses(TokenExpired, InvalidRequest),
)
def remove_favourite(image_id: UUID, caller: Account) -> None:
    """Safe to send again, and for an image that is no favourite."""
    app().favourites.service.remove(caller.account_id, image_id)


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api(
        "imagemarket: favourites",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
