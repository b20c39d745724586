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
from imagemarket.notifications.signing import new_secret
from imagemarket.notifications.targets import TargetRules
from imagemarket.platform.clock import Clock
from imagemarket.platform.database import Connection, Database, Row
from imagemarket.platform.errors import Conflict, DependencyUnavailable, InvalidRequest, NotFound, TooManyRequests
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.ids import new_id
from imagemarket.platform.telemetry import logger

_LOGGED_ATTEMPTS = 20
_COLUMNS = (
    "id, url, event_types, description, enabled, disabled_because, failing_since, created_at, verification_error,"
    " CASE WHEN NOT enabled THEN 'disabled' WHEN verified_at IS NULL THEN 'pending' ELSE 'active' END AS state"
)
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
            # one account's requests side by side take turns, so that the limit holds
            connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (account_id,))
            row = connection.execute(
                "SELECT count(*) AS number FROM webhook_endpoints WHERE account_id = %s", (account_id,)
            ).fetchone()
            assert row is not None
            if row["number"] >= MAX_WEBHOOKS:
                raise Conflict(f"An account has {MAX_WEBHOOKS} webhooks at most; delete one first.")
            secret = new_secret()
            made = connection.execute(
                "INSERT INTO webhook_endpoints (id, account_id, url, description, event_types, secret)"
                f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
                (new_id(), account_id, request.url, request.description, request.event_types, secret),
            ).fetchone()
            view = WebhookView.model_validate(made)
            self._request_challenge(connection, account_id, view.id)
            return {"id": str(view.id)}

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
        found = connection.execute(
            "SELECT count(*) AS number, min(at) AS first FROM webhook_challenges WHERE account_id = %s AND at > %s",
            (account_id, now - hour),
        ).fetchone()
        assert found is not None
        if found["number"] >= CHALLENGES_PER_HOUR:
            raise _too_many(
                f"At most {CHALLENGES_PER_HOUR} webhooks are challenged in an hour", found["first"] + hour - now
            )
        connection.execute("INSERT INTO webhook_challenges (account_id, at) VALUES (%s, %s)", (account_id, now))
        connection.execute(
            "UPDATE webhook_endpoints SET verified_at = NULL, challenge = %s, challenge_requested_at = %s,"
            " challenge_sent_at = NULL, verification_error = NULL WHERE id = %s",
            (secrets.token_urlsafe(_CHALLENGE_BYTES), now, webhook_id),
        )

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
            connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (account_id,))
            row = _found(
                connection.execute(
                    "SELECT enabled, verified_at, challenge, challenge_requested_at FROM webhook_endpoints"
                    " WHERE id = %s AND account_id = %s FOR NO KEY UPDATE",
                    (webhook_id, account_id),
                ).fetchone()
            )
            if not row["enabled"]:
                raise Conflict("The webhook is disabled; enable it first.")
            send = row["verified_at"] is None and challenge is None
            if row["verified_at"] is None and challenge is not None:
                if not hmac.compare_digest(challenge.encode("utf-8", "replace"), (row["challenge"] or "").encode()):
                    detail = "is not the one that was sent last"
                    raise InvalidRequest(
                        f"challenge: {detail}.", errors=[{"in": "body", "field": "challenge", "detail": detail}]
                    )
                connection.execute(
                    "UPDATE webhook_endpoints SET verified_at = %s, verification_error = NULL, updated_at = %s"
                    " WHERE id = %s",
                    (now, now, webhook_id),
                )
            elif send:
                asked = row["challenge_requested_at"]
                if asked is not None and now - asked < CHALLENGE_AGAIN_AFTER:
                    raise _too_many("A webhook is challenged once a minute", asked + CHALLENGE_AGAIN_AFTER - now)
                self._request_challenge(connection, account_id, webhook_id)
        if send:
            self._wake_challenge(webhook_id)
        return self.get(account_id, webhook_id)

    def all(self, account_id: UUID) -> list[WebhookView]:
        rows = self._database.fetch_all(
            f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE account_id = %s ORDER BY id", (account_id,)
        )
        return [WebhookView.model_validate(row) for row in rows]

    def get(self, account_id: UUID, webhook_id: UUID) -> WebhookView:
        """Raises `NotFound`."""
        return WebhookView.model_validate(
            _found(
                self._database.fetch_one(
                    f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE id = %s AND account_id = %s",
                    (webhook_id, account_id),
                )
            )
        )

    def change(self, account_id: UUID, webhook_id: UUID, change: WebhookChange) -> WebhookView:
        """Replaces all that can be changed. Another URL makes the webhook pending again, and is challenged; what was
        due waits for it. Disabling cancels what is pending; enabling forgets old failures.

        Raises `NotFound`, `InvalidRequest`, `TooManyRequests` above `CHALLENGES_PER_HOUR`.
        """
        self._rules.parse(change.url)
        with self._database.transaction() as connection:
            connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (account_id,))
            before = _found(
                connection.execute(
                    "SELECT url, enabled, verified_at FROM webhook_endpoints WHERE id = %s AND account_id = %s"
                    " FOR NO KEY UPDATE",
                    (webhook_id, account_id),
                ).fetchone()
            )
            moved = change.url != before["url"]
            connection.execute(
                "UPDATE webhook_endpoints SET url = %(url)s, description = %(description)s,"
                " event_types = %(event_types)s, enabled = %(enabled)s, disabled_because = NULL,"
                " failing_since = CASE WHEN enabled THEN failing_since END, rests_until = NULL, unanswered = 0,"
                " verified_at = %(verified)s, updated_at = now()"
                " WHERE id = %(id)s",
                {**change.model_dump(), "verified": None if moved else before["verified_at"], "id": webhook_id},
            )
            challenged = change.enabled and (moved or (before["verified_at"] is None and not before["enabled"]))
            if challenged:
                self._request_challenge(connection, account_id, webhook_id)
            elif moved:
                # Whoever received the old one must not speak for the new URL.
                connection.execute(
                    "UPDATE webhook_endpoints SET challenge = NULL, challenge_requested_at = NULL WHERE id = %s",
                    (webhook_id,),
                )
            if not change.enabled:
                connection.execute(
                    "UPDATE webhook_deliveries SET status = 'cancelled', finished_at = now(), leased_until = NULL"
                    " WHERE endpoint_id = %s AND status = 'pending'",
                    (webhook_id,),
                )
        if challenged:
            self._wake_challenge(webhook_id)
        return self.get(account_id, webhook_id)

    def delete(self, account_id: UUID, webhook_id: UUID) -> None:
        """Deletes a webhook with its log. Raises `NotFound`."""
        with self._database.transaction() as connection:
            _found(
                connection.execute(
                    "DELETE FROM webhook_endpoints WHERE id = %s AND account_id = %s RETURNING id",
                    (webhook_id, account_id),
                ).fetchone()
            )

    def rotate_secret(self, account_id: UUID, webhook_id: UUID, *, idempotency_key: str | None = None) -> NewSecret:
        """A new secret; for `OLD_SECRET_VALID_FOR` deliveries carry a signature by the old one too, and from now on
        none by one before that. Of a key that was used already nothing is made, and no secret told.

        Raises `NotFound`.
        """
        secret: str | None = None

        def work(connection: Connection) -> dict[str, Any]:
            nonlocal secret
            until = self._clock.now() + OLD_SECRET_VALID_FOR
            row = _found(
                connection.execute(
                    "UPDATE webhook_endpoints SET previous_secret = secret, previous_secret_until = %s, secret = %s,"
                    " updated_at = now() WHERE id = %s AND account_id = %s RETURNING secret",
                    (until, new_secret(), webhook_id, account_id),
                ).fetchone()
            )
            secret = row["secret"]
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
        rows = self._database.fetch_all(
            "SELECT d.id, d.notification_id, n.type, d.image_id, d.status, d.attempts, d.created_at,"
            "  CASE WHEN d.status = 'pending' THEN d.due_at END AS next_attempt_at,"
            "  (SELECT json_agg(a ORDER BY a.number DESC) FROM"
            "     (SELECT number, at, milliseconds, status, error, response FROM webhook_attempts"
            f"       WHERE delivery_id = d.id ORDER BY number DESC LIMIT {_LOGGED_ATTEMPTS}) a) AS log"
            " FROM webhook_deliveries d JOIN notifications n ON n.id = d.notification_id"
            " WHERE d.endpoint_id = %(webhook)s AND (%(cursor)s::uuid IS NULL OR d.seq <"
            "   (SELECT seq FROM webhook_deliveries WHERE id = %(cursor)s AND endpoint_id = %(webhook)s))"
            " ORDER BY d.seq DESC LIMIT %(limit)s",
            {"webhook": webhook_id, "cursor": cursor, "limit": limit + 1},
        )
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
            # One request at a time for each webhook, so that the limits hold.
            connection.execute("SELECT 1 FROM webhook_endpoints WHERE id = %s FOR NO KEY UPDATE", (webhook_id,))
            row = _found(
                connection.execute(
                    "SELECT redelivered_at FROM webhook_deliveries WHERE id = %s AND endpoint_id = %s",
                    (delivery_id, webhook_id),
                ).fetchone()
            )
            last = row["redelivered_at"]
            if last is not None and now - last < REDELIVERY_AGAIN_AFTER:
                raise _too_many("A delivery is sent again once a minute", last + REDELIVERY_AGAIN_AFTER - now)
            recent = connection.execute(
                "SELECT count(*) AS number, min(redelivered_at) AS first FROM webhook_deliveries"
                " WHERE endpoint_id = %s AND redelivered_at > %s",
                (webhook_id, now - minute),
            ).fetchone()
            assert recent is not None
            if recent["number"] >= REDELIVERIES_PER_MINUTE:
                raise _too_many(
                    f"At most {REDELIVERIES_PER_MINUTE} of a webhook's deliveries are sent again in a minute",
                    recent["first"] + minute - now,
                )
            connection.execute(
                "UPDATE webhook_deliveries SET redelivered = redelivered OR status <> 'pending',"
                " attempts = CASE WHEN status = 'pending' THEN attempts ELSE 0 END, status = 'pending',"
                " due_at = %s, finished_at = NULL, redelivered_at = %s WHERE id = %s",
                (now, now, delivery_id),
            )
        self._deliveries.wake_delivery(delivery_id)


def _too_many(what: str, wait: timedelta) -> TooManyRequests:
    seconds = max(1, math.ceil(wait.total_seconds()))
    return TooManyRequests(f"{what}; try again in {seconds} seconds.", retry_after=seconds)


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound("None of your webhooks or deliveries has this id.")
    return row


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
