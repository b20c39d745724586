"""`/v1/images/{id}/status`, which may be held for a while: in a function of its own, so that those who wait occupy
none of the rest of the API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from imagemarket.app import app
from imagemarket.catalog.errors import ImageNotFound
from imagemarket.ingestion.models import ImageProgress, StatusQuery
from imagemarket.platform.errors import Forbidden, InvalidRequest, TokenExpired
from imagemarket.platform.http import Caller, StrictRoute, create_api, problem_responses, require_role, seconds_since

router = APIRouter(route_class=StrictRoute)


@router.get(
    "/v1/images/{image_id}/status",
    operation_id="getImageStatus",
    summary="How an upload fares, step by step",
    tags=["Upload"],
    responses={
        200: {
            "headers": {
                "Retry-After": {
                    "description": "Seconds to leave before asking again, where the answer was not held.",
                    "schema": {"type": "integer", "minimum": 0},
                }
            }
        }
    }
    | problem_responses(TokenExpired, Forbidden, ImageNotFound, InvalidRequest),
)
def get_image_status(
    image_id: UUID,
    caller: Annotated[Caller, Depends(require_role("contributor", "admin"))],
    query: Annotated[StatusQuery, Query()],
    request: Request,
    response: Response,
) -> ImageProgress:
    """For the image's contributor and for admins; a rejection carries a machine code and a sentence.

    An answer is held only once the bytes have arrived, and two at a time for an account. Any other is given at once,
    and says by `Retry-After` how long to leave before asking again."""
    response.headers["Cache-Control"] = "no-store"
    owner = None if caller.role == "admin" else caller.account_id
    answer = app().ingestion.progress.wait(
        image_id,
        contributor_id=owner,
        account_id=caller.account_id,
        seconds=query.wait,
        waited=seconds_since(request),
    )
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return answer.progress


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api(
        "imagemarket: status",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
