"""What contributors are told, where they want to be told, and what became of each telling."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from imagemarket.platform.text import Text

EventType = Literal[
    "image.approved", "image.rejected", "image.pending_review", "image.processing_failed", "image.taken_down"
]
"""What a webhook can be told of: an image came to this status."""
WEBHOOK_DISABLED = "webhook.disabled"
"""Notification that a webhook is not called any more; webhooks are not told of it."""
WEBHOOK_VERIFICATION = "webhook.verification"
"""A challenge that a new webhook has to tell again before anything else is sent to it."""

MAILED_TYPES = frozenset({"image.rejected", "image.processing_failed", "image.taken_down", WEBHOOK_DISABLED})
"""What also goes out by e-mail: news that ask something of the contributor."""

NEWS_MAILS_PER_DAY = 5
"""News of pictures that an account is mailed one by one; what comes beyond waits for a digest."""
DIGEST_EVERY = timedelta(days=1)
DIGEST_AFTER = timedelta(hours=1)
"""How long news gather before a digest tells them."""
NEWS_MAILED_FOR = timedelta(days=7)
"""Older news are not mailed any more: they stand in the app."""

MAX_WEBHOOKS = 10
"""Webhooks of one account."""

# Standard Webhooks 1.0, "Deliverability and reliability": waits before each attempt.
RETRY_SCHEDULE = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
DISABLED_AFTER = timedelta(days=5)
"""A webhook whose every delivery failed for this long is not called any more."""
OLD_SECRET_VALID_FOR = timedelta(hours=24)
"""After a rotation deliveries are signed with both secrets for this long."""
CHALLENGES_PER_HOUR = 20
"""Challenges that one account can have sent, whatever becomes of the webhooks."""
CHALLENGE_AGAIN_AFTER = timedelta(minutes=1)
REDELIVERY_AGAIN_AFTER = timedelta(minutes=1)
"""How often one delivery can be sent again by hand."""
REDELIVERIES_PER_MINUTE = 20
"""Deliveries of one webhook that can be sent again by hand."""

ENDPOINT_IN_FLIGHT = 2
"""Deliveries of one webhook under way side by side; one alone while nothing comes through."""
ACCOUNT_IN_FLIGHT = 3
"""Calls of one account under way side by side, whatever their webhooks; one of them at most is a challenge."""
SHARED_IN_FLIGHT = 2
"""Challenges and deliveries of slow accounts under way side by side, of all accounts together: no more than half of the
workers, so that the other half is left to accounts whose receivers answer quickly."""
CHALLENGES_IN_FLIGHT = 1
"""Challenges among them, since anybody may open an account; one goes before a second delivery of slow accounts."""
QUICK = timedelta(seconds=2)
"""A receiver whose answer takes longer makes its account a slow one, whether it takes the delivery or not."""
LONG_IN_FLIGHT = 2
"""Calls of an account that is not known as slow after which none is begun, once each of them takes longer than that."""
SLOW_FOR = timedelta(hours=1)
"""How long an account is slow after such an answer."""
MAX_CALL = timedelta(seconds=60)
"""Longer than a worker lives for one delivery."""


class ListQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: UUID | None = Field(default=None, description="`next_cursor` of the page before.")
    limit: int = Field(default=50, ge=1, le=100, description="How many at most.")


class NotificationsQuery(ListQuery):
    """Which notifications."""

    unread: bool = Field(default=False, description="Only what is unread.")


class NotificationView(BaseModel):
    """Something a contributor is told."""

    id: UUID
    type: str = Field(description="`image.approved` and so on, or `webhook.disabled`.")
    image_id: UUID | None = None
    data: dict[str, Any] = Field(description="For an image: title, status, version and, where refused, the reason.")
    created_at: datetime
    read: bool


class NotificationPage(BaseModel):
    """A page of notifications, newest first."""

    items: list[NotificationView]
    next_cursor: str | None = Field(description="Send it back as `cursor`; null on the last page.")
    unread_count: int = Field(description="All that are unread, on whichever page.")


class MarkRead(BaseModel):
    """Which notifications were read: some by id, or all up to and including one."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[UUID], Field(max_length=100)] = []
    up_to: UUID | None = None


class ReadReceipt(BaseModel):
    """How many notifications are unread now."""

    unread_count: int


def _deduplicated(values: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(values))


class WebhookRequest(BaseModel):
    """Where a contributor wants to be told, and of what."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Text(least=1, most=2000)] = Field(
        description="An https URL of a public host; redirects are not followed."
    )
    event_types: Annotated[list[EventType], Field(max_length=10), AfterValidator(_deduplicated)] = Field(
        default=[], description="Only these; all when empty."
    )
    description: Annotated[str, Text(most=200)] = ""


class WebhookChange(WebhookRequest):
    """All that can be changed of a webhook."""

    enabled: Annotated[bool, Field(strict=True)] = True


class WebhookView(BaseModel):
    """A webhook without its secret."""

    id: UUID
    url: str
    event_types: list[str]
    description: str
    enabled: bool
    state: Literal["pending", "active", "disabled"] = Field(
        description="Nothing but challenges is sent while `pending`: until the URL has told one again."
    )
    verification_error: str | None = Field(default=None, description="Why the last challenge did not come back.")
    disabled_because: str | None = Field(default=None, description="Why it was disabled, when not by its owner.")
    failing_since: datetime | None = Field(default=None, description="Since when no delivery has come through.")
    created_at: datetime


class WebhookPage(BaseModel):
    """Webhooks, oldest first."""

    items: list[WebhookView]
    next_cursor: None = Field(default=None, description="There is one page of them.")


class NewWebhook(WebhookView):
    """A webhook with its secret, which is told this once."""

    secret: str | None = Field(
        default=None,
        description="`whsec_…`, verifies signatures (Standard Webhooks 1.0). Null when the request is repeated with "
        "the same `Idempotency-Key`: it is told once; ask for a new one where it was lost.",
    )


class VerifyRequest(BaseModel):
    """A challenge that was received, or nothing, to have another one sent."""

    model_config = ConfigDict(extra="forbid")

    challenge: Annotated[str, Text(least=1, most=100)] | None = Field(
        default=None, description="As it came with `webhook.verification`."
    )


class NewSecret(BaseModel):
    """A webhook's new secret, which is told this once."""

    secret: str | None = Field(
        default=None,
        description="Null when the request is repeated with the same `Idempotency-Key`: ask for another one, with"
        " another key, where it was lost.",
    )
    previous_valid_until: datetime = Field(description="Until then deliveries carry a signature by the old one too.")


class Attempt(BaseModel):
    """One call of a webhook."""

    at: datetime
    milliseconds: int | None = Field(default=None, description="Null while it is under way, or when it broke off.")
    status: int | None = Field(default=None, description="The answer's HTTP status; null when there was none.")
    error: str | None = None
    response: str | None = Field(default=None, description="How the answer's body begins.")


class DeliveryView(BaseModel):
    """What became of one notification at one webhook."""

    id: UUID
    message_id: str = Field(description="The `webhook-id` header: the same at each attempt.")
    type: str
    image_id: UUID
    status: Literal["pending", "delivered", "failed", "cancelled"]
    attempts: int = Field(description="Calls since it was created, or since it was last sent again by hand.")
    next_attempt_at: datetime | None = None
    created_at: datetime
    log: list[Attempt] = Field(description="The newest calls first, 20 at most.")


class DeliveryPage(BaseModel):
    """A page of a webhook's deliveries, newest first."""

    items: list[DeliveryView]
    next_cursor: str | None = Field(description="Send it back as `cursor`; null on the last page.")


def message_id(notification_id: UUID) -> str:
    """The `webhook-id` of a notification; a receiver deduplicates by it."""
    return f"msg_{notification_id.hex}"
