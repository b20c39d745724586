"""`/v1/notifications` and `/v1/webhooks`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Response

from imagemarket.app import app
from imagemarket.notifications.models import (
    DeliveryPage,
    ListQuery,
    MarkRead,
    NewSecret,
    NewWebhook,
    NotificationPage,
    NotificationsQuery,
    ReadReceipt,
    VerifyRequest,
    WebhookChange,
    WebhookPage,
    WebhookRequest,
    WebhookView,
)
from imagemarket.platform.errors import (
    Conflict,
    Forbidden,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    TokenExpired,
    TooManyRequests,
)
from imagemarket.platform.http import Caller, IdempotencyKey, StrictRoute, create_api, problem_responses, require_role

router = APIRouter(route_class=StrictRoute)

Contributor = Annotated[Caller, Depends(require_role("contributor"))]


@router.get(
    "/v1/notifications",
    operation_id="listNotifications",
    summary="What happened to your pictures, newest first",
    tags=["Notifications"],
    responses=problem_responses(TokenExpired, Forbidden, InvalidRequest),
)
def list_notifications(
    caller: Contributor, query: Annotated[NotificationsQuery, Query()], response: Response
) -> NotificationPage:
    """Kept for 180 days. A cursor stays good when newer notifications come in."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.inbox.page(
        caller.account_id, cursor=query.cursor, limit=query.limit, unread_only=query.unread
    )


@router.post(
    "/v1/notifications/read",
    operation_id="markNotificationsRead",
    summary="Mark notifications as read",
    tags=["Notifications"],
    responses=problem_responses(TokenExpired, Forbidden, InvalidRequest),
)
def mark_notifications_read(body: MarkRead, caller: Contributor, response: Response) -> ReadReceipt:
    """Some by `ids`, or all up to and including `up_to`; safe to send again."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.inbox.mark_read(caller.account_id, body)


@router.post(
    "/v1/webhooks",
    operation_id="createWebhook",
    summary="Be told by webhook",
    tags=["Webhooks"],
    status_code=201,
    responses=problem_responses(
        TokenExpired,
        Forbidden,
        InvalidRequest,
        Conflict,
        IdempotencyKeyReused,
        IdempotencyInFlight,
        TooManyRequests,
    ),
)
def create_webhook(
    body: WebhookRequest,
    caller: Contributor,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> NewWebhook:
    """The answer holds the secret, which is not told again. Signatures are those of Standard Webhooks 1.0.

    A new webhook is `pending`: it is sent a `webhook.verification` with a `challenge`, and is `active` when it
    answers with it."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.webhooks.create(caller.account_id, body, idempotency_key=idempotency_key)


@router.get(
    "/v1/webhooks",
    operation_id="listWebhooks",
    summary="Your webhooks",
    tags=["Webhooks"],
    responses=problem_responses(TokenExpired, Forbidden),
)
def list_webhooks(caller: Contributor, response: Response) -> WebhookPage:
    """Ten at most."""
    response.headers["Cache-Control"] = "no-store"
    return WebhookPage(items=app().notifications.webhooks.all(caller.account_id))


@router.get(
    "/v1/webhooks/{webhook_id}",
    operation_id="getWebhook",
    summary="One webhook",
    tags=["Webhooks"],
    responses=problem_responses(TokenExpired, Forbidden, NotFound, InvalidRequest),
)
def get_webhook(webhook_id: UUID, caller: Contributor, response: Response) -> WebhookView:
    """Says since when it fails, and why it was disabled."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.webhooks.get(caller.account_id, webhook_id)


@router.put(
    "/v1/webhooks/{webhook_id}",
    operation_id="changeWebhook",
    summary="Change, disable or enable a webhook",
    tags=["Webhooks"],
    responses=problem_responses(TokenExpired, Forbidden, NotFound, InvalidRequest, TooManyRequests),
)
def change_webhook(webhook_id: UUID, body: WebhookChange, caller: Contributor, response: Response) -> WebhookView:
    """Disabling gives up what is still to be delivered; enabling forgets old failures. Another `url` has to be
    verified like a new webhook's."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.webhooks.change(caller.account_id, webhook_id, body)


@router.delete(
    "/v1/webhooks/{webhook_id}",
    operation_id="deleteWebhook",
    summary="Delete a webhook",
    tags=["Webhooks"],
    status_code=204,
    responses=problem_responses(TokenExpired, Forbidden, NotFound, InvalidRequest),
)
def delete_webhook(webhook_id: UUID, caller: Contributor) -> None:
    """With its log."""
    app().notifications.webhooks.delete(caller.account_id, webhook_id)


@router.post(
    "/v1/webhooks/{webhook_id}/verify",
    operation_id="verifyWebhook",
    summary="Verify a webhook, or challenge it again",
    tags=["Webhooks"],
    responses=problem_responses(TokenExpired, Forbidden, NotFound, Conflict, InvalidRequest, TooManyRequests),
)
def verify_webhook(webhook_id: UUID, body: VerifyRequest, caller: Contributor, response: Response) -> WebhookView:
    """With the `challenge` that it received, for a receiver that cannot answer with it; without, to have another one
    sent, once a minute at most."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.webhooks.verify(caller.account_id, webhook_id, body.challenge)


@router.post(
    "/v1/webhooks/{webhook_id}/secret",
    operation_id="rotateWebhookSecret",
    summary="Give a webhook a new secret",
    tags=["Webhooks"],
    responses=problem_responses(
        TokenExpired, Forbidden, NotFound, InvalidRequest, IdempotencyKeyReused, IdempotencyInFlight
    ),
)
def rotate_webhook_secret(
    webhook_id: UUID, caller: Contributor, response: Response, idempotency_key: IdempotencyKey = None
) -> NewSecret:
    """For 24 hours deliveries carry two signatures, by the new and the old secret; one before that is over at once."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.webhooks.rotate_secret(caller.account_id, webhook_id, idempotency_key=idempotency_key)


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    operation_id="listWebhookDeliveries",
    summary="What was delivered to a webhook, newest first",
    tags=["Webhooks"],
    responses=problem_responses(TokenExpired, Forbidden, NotFound, InvalidRequest),
)
def list_webhook_deliveries(
    webhook_id: UUID, caller: Contributor, query: Annotated[ListQuery, Query()], response: Response
) -> DeliveryPage:
    """Each with its calls and their answers; kept for 30 days."""
    response.headers["Cache-Control"] = "no-store"
    return app().notifications.webhooks.deliveries(
        caller.account_id, webhook_id, cursor=query.cursor, limit=query.limit
    )


@router.post(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    operation_id="redeliverWebhook",
    summary="Deliver once more",
    tags=["Webhooks"],
    status_code=204,
    responses=problem_responses(TokenExpired, Forbidden, NotFound, Conflict, InvalidRequest, TooManyRequests),
)
def redeliver_webhook(webhook_id: UUID, delivery_id: UUID, caller: Contributor) -> None:
    """With the same `webhook-id`, so that a receiver that has it already can tell. Once a minute for each delivery, 20
    a minute for each webhook."""
    app().notifications.webhooks.redeliver(caller.account_id, webhook_id, delivery_id)


def build_api() -> FastAPI:
    """The app of this function."""
    return create_api(
        "imagemarket: notifications",
        router,
        limiter=lambda: app().resources.rate_limiter,
        accounts=lambda: app().identity.directory,
    )
