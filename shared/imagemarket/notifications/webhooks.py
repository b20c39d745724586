"""Where contributors want to be told: webhooks, their secrets, and the log of what was delivered."""

from __future__ import annotations

import hmac
import math
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from imagemarket.notifications.delivery import Deliveries
from imagemarket.notifications.models import (
    CHALLENGE_AGAIN_AFTER,
    CHALLENGES_PER_HOUR,
    MAX_WEBHOOKS,
    OLD_SECRET_VALID_FOR,
    REDELIVERIES_PER_MINUTE,
    REDELIVERY_AGAIN_AFTER,
    Attempt,
    DeliveryPage,
    DeliveryView,
    NewSecret,
    NewWebhook,
    WebhookChange,
    WebhookRequest,
    WebhookView,
    message_id,
)
from imagemarket.notifications.repository import deliveries
from imagemarket.notifications.repository import webhooks as repository
from imagemarket.notifications.signing import new_secret
from imagemarket.notifications.targets import TargetRules
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.errors import Conflict, DependencyUnavailable, InvalidRequest, NotFound, TooManyRequests
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.ids import new_id
from imagemarket.platform.telemetry import logger

_CHALLENGE_BYTES = 32


class Webhooks:
    """An account's own webhooks; every method takes the account and knows no others'."""

    def __init__(
        self,
        *,
        database: Database,
        rules: TargetRules,
        deliveries: Deliveries,
        idempotency: IdempotencyKeys,
        clock: Clock,
    ) -> None:
        self._database = database
        self._rules = rules
        self._deliveries = deliveries
        self._idempotency = idempotency
        self._clock = clock

    def create(self, account_id: UUID, request: WebhookRequest, *, idempotency_key: str | None) -> NewWebhook:
        """A webhook that is pending until its URL tells a challenge again; the challenge is on its way.

        Of a key that was used already the webhook is told as it is now, without the secret. Raises `InvalidRequest`
        for a URL that is never called, `Conflict` above `MAX_WEBHOOKS` and for a key whose webhook was deleted,
        `TooManyRequests` above `CHALLENGES_PER_HOUR`.
        """
        self._rules.parse(request.url)
        secret: str | None = None

        def work(connection: Connection) -> dict[str, Any]:
            nonlocal secret
            repository.lock_account(connection, account_id)
            if repository.number(connection, account_id) >= MAX_WEBHOOKS:
                raise Conflict(f"An account has {MAX_WEBHOOKS} webhooks at most; delete one first.")
            secret = new_secret()
            webhook_id = new_id()
            repository.add(connection, account_id, webhook_id, request, secret)
            self._request_challenge(connection, account_id, webhook_id)
            return {"id": str(webhook_id)}

        answer = self._idempotency.run(
            account_id=account_id,
            operation="createWebhook",
            key=idempotency_key,
            request=request.model_dump(mode="json"),
            work=work,
        )
        webhook_id = UUID(answer["id"])
        if secret is not None:
            self._wake_challenge(webhook_id)
        try:
            view = self.get(account_id, webhook_id)
        except NotFound:
            raise Conflict("The webhook that this Idempotency-Key made was deleted; send a new key.") from None
        return NewWebhook.model_validate({**view.model_dump(), "secret": secret})

    def _request_challenge(self, connection: Connection, account_id: UUID, webhook_id: UUID) -> None:
        """Makes a new challenge, to be sent after the commit. Raises `TooManyRequests`."""
        now, hour = self._clock.now(), timedelta(hours=1)
        number, first = repository.challenges_since(connection, account_id, now - hour)
        if first is not None and number >= CHALLENGES_PER_HOUR:
            raise _too_many(f"At most {CHALLENGES_PER_HOUR} webhooks are challenged in an hour", first + hour - now)
        repository.request_challenge(connection, account_id, webhook_id, secrets.token_urlsafe(_CHALLENGE_BYTES), now)

    def _wake_challenge(self, webhook_id: UUID) -> None:
        try:
            self._deliveries.wake_challenge(webhook_id)
        except DependencyUnavailable:
            # What was asked for is written down; the minute's schedule makes up for the message.
            logger.warning("a challenge waits for the schedule: the queue is not answering")

    def verify(self, account_id: UUID, webhook_id: UUID, challenge: str | None) -> WebhookView:
        """Takes the challenge that a pending webhook received, or has another one sent to it.

        An active webhook stays as it is. Raises `NotFound`, `Conflict` while disabled, `InvalidRequest` for a
        challenge that is not the last one sent, `TooManyRequests` when another is asked for too soon.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            repository.lock_account(connection, account_id)
            row = _found(repository.lock_own(connection, account_id, webhook_id))
            if not row["enabled"]:
                raise Conflict("The webhook is disabled; enable it first.")
            send = row["verified_at"] is None and challenge is None
            if row["verified_at"] is None and challenge is not None:
                if not hmac.compare_digest(challenge.encode("utf-8", "replace"), (row["challenge"] or "").encode()):
                    detail = "is not the one that was sent last"
                    raise InvalidRequest(
                        f"challenge: {detail}.", errors=[{"in": "body", "field": "challenge", "detail": detail}]
                    )
                repository.answer_challenge(connection, webhook_id, challenge, error=None, at=now)
            elif send:
                asked = row["challenge_requested_at"]
                if asked is not None and now - asked < CHALLENGE_AGAIN_AFTER:
                    raise _too_many("A webhook is challenged once a minute", asked + CHALLENGE_AGAIN_AFTER - now)
                self._request_challenge(connection, account_id, webhook_id)
        if send:
            self._wake_challenge(webhook_id)
        return self.get(account_id, webhook_id)

    def all(self, account_id: UUID) -> list[WebhookView]:
        return [WebhookView.model_validate(row) for row in repository.all_of(self._database, account_id)]

    def get(self, account_id: UUID, webhook_id: UUID) -> WebhookView:
        """Raises `NotFound`."""
        return WebhookView.model_validate(_found(repository.own(self._database, account_id, webhook_id)))

    def change(self, account_id: UUID, webhook_id: UUID, change: WebhookChange) -> WebhookView:
        """Replaces all that can be changed. Another URL makes the webhook pending again, and is challenged; what was
        due waits for it. Disabling cancels what is pending; enabling forgets old failures.

        Raises `NotFound`, `InvalidRequest`, `TooManyRequests` above `CHALLENGES_PER_HOUR`.
        """
        self._rules.parse(change.url)
        with self._database.transaction() as connection:
            repository.lock_account(connection, account_id)
            before = _found(repository.lock_own(connection, account_id, webhook_id))
            moved = change.url != before["url"]
            repository.replace(connection, webhook_id, change, verified_at=None if moved else before["verified_at"])
            challenged = change.enabled and (moved or (before["verified_at"] is None and not before["enabled"]))
            if challenged:
                self._request_challenge(connection, account_id, webhook_id)
            elif moved:
                # Whoever received the old one must not speak for the new URL.
                repository.forget_challenge(connection, webhook_id)
            if not change.enabled:
                deliveries.cancel_pending(connection, webhook_id, self._clock.now())
        if challenged:
            self._wake_challenge(webhook_id)
        return self.get(account_id, webhook_id)

    def delete(self, account_id: UUID, webhook_id: UUID) -> None:
        """Deletes a webhook with its log. Raises `NotFound`."""
        with self._database.transaction() as connection:
            if not repository.delete(connection, account_id, webhook_id):
                raise _not_found()

    def rotate_secret(self, account_id: UUID, webhook_id: UUID, *, idempotency_key: str | None = None) -> NewSecret:
        """A new secret; for `OLD_SECRET_VALID_FOR` deliveries carry a signature by the old one too, and from now on
        none by one before that. Of a key that was used already nothing is made, and no secret told.

        Raises `NotFound`.
        """
        secret: str | None = None

        def work(connection: Connection) -> dict[str, Any]:
            nonlocal secret
            until = self._clock.now() + OLD_SECRET_VALID_FOR
            secret = new_secret()
            if not repository.rotate_secret(connection, account_id, webhook_id, secret, previous_until=until):
                raise _not_found()
            return {"id": str(webhook_id), "previous_valid_until": until.isoformat()}

        answer = self._idempotency.run(
            account_id=account_id,
            operation="rotateWebhookSecret",
            key=idempotency_key,
            request={"webhook_id": str(webhook_id)},
            work=work,
        )
        return NewSecret(secret=secret, previous_valid_until=answer["previous_valid_until"])

    def deliveries(self, account_id: UUID, webhook_id: UUID, *, cursor: UUID | None, limit: int) -> DeliveryPage:
        """Newest first, from behind the delivery that `cursor` names. Raises `NotFound`."""
        self.get(account_id, webhook_id)
        rows = deliveries.page(self._database, webhook_id, cursor=cursor, limit=limit + 1)
        page = rows[:limit]
        return DeliveryPage(
            items=[_view(row) for row in page],
            next_cursor=str(page[-1]["id"]) if len(rows) > limit else None,
        )

    def redeliver(self, account_id: UUID, webhook_id: UUID, delivery_id: UUID) -> None:
        """Sends a delivery that has ended once more, from the beginning of the schedule; a pending one right away.

        Raises `NotFound`, `Conflict` while the webhook is disabled or pending, `TooManyRequests` for a delivery within
        `REDELIVERY_AGAIN_AFTER`, or a webhook's more than `REDELIVERIES_PER_MINUTE`.
        """
        state = self.get(account_id, webhook_id).state
        if state != "active":
            way_out = "enable it" if state == "disabled" else "have it verified"
            raise Conflict(f"The webhook is {state}; {way_out} before anything is sent to it.")
        now, minute = self._clock.now(), timedelta(minutes=1)
        with self._database.transaction() as connection:
            repository.lock(connection, webhook_id)  # one request at a time, so that the limits hold
            row = _found(deliveries.of_webhook(connection, webhook_id, delivery_id))
            last = row["redelivered_at"]
            if last is not None and now - last < REDELIVERY_AGAIN_AFTER:
                raise _too_many("A delivery is sent again once a minute", last + REDELIVERY_AGAIN_AFTER - now)
            number, first = deliveries.redelivered_since(connection, webhook_id, now - minute)
            if first is not None and number >= REDELIVERIES_PER_MINUTE:
                raise _too_many(
                    f"At most {REDELIVERIES_PER_MINUTE} of a webhook's deliveries are sent again in a minute",
                    first + minute - now,
                )
            deliveries.redeliver(connection, delivery_id, now)
        self._deliveries.wake_delivery(delivery_id)


def _too_many(what: str, wait: timedelta) -> TooManyRequests:
    seconds = max(1, math.ceil(wait.total_seconds()))
    return TooManyRequests(f"{what}; try again in {seconds} seconds.", retry_after=seconds)


def _found(row: Row | None) -> Row:
    if row is None:
        raise _not_found()
    return row


def _not_found() -> NotFound:
    return NotFound("None of your webhooks or deliveries has this id.")


def _view(row: Row) -> DeliveryView:
    return DeliveryView(
        id=row["id"],
        message_id=message_id(row["notification_id"]),
        type=row["type"],
        image_id=row["image_id"],
        status=row["status"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"],
        created_at=row["created_at"],
        log=[Attempt.model_validate(attempt) for attempt in row["log"] or []],
    )
