"""Where contributors want to be told: webhooks, their secrets, and the log of what was delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from imagemarket.notifications.delivery import Deliveries
from imagemarket.notifications.models import (
    MAX_WEBHOOKS,
    OLD_SECRET_VALID_FOR,
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
from imagemarket.platform.database import Database, Row
from imagemarket.platform.errors import Conflict, NotFound
from imagemarket.platform.idempotency import IdempotencyKeys
from imagemarket.platform.ids import new_id

if TYPE_CHECKING:
    from psycopg import Connection

_LOGGED_ATTEMPTS = 20
_COLUMNS = "id, url, event_types, description, enabled, disabled_because, failing_since, created_at"


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
        """Raises `InvalidRequest` for a URL that is never called, `Conflict` above `MAX_WEBHOOKS`."""
        self._rules.parse(request.url)

        def work(connection: Connection[Row]) -> dict[str, Any]:
            # one account's requests side by side take turns, so that the limit holds
            connection.execute("SELECT 1 FROM users WHERE id = %s FOR UPDATE", (account_id,))
            row = connection.execute(
                "SELECT count(*) AS number FROM webhook_endpoints WHERE account_id = %s", (account_id,)
            ).fetchone()
            assert row is not None
            if row["number"] >= MAX_WEBHOOKS:
                raise Conflict(f"An account has {MAX_WEBHOOKS} webhooks at most; delete one first.")
            made = connection.execute(
                "INSERT INTO webhook_endpoints (id, account_id, url, description, event_types, secret)"
                f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}, secret",
                (new_id(), account_id, request.url, request.description, request.event_types, new_secret()),
            ).fetchone()
            return NewWebhook.model_validate(made).model_dump(mode="json")

        answer = self._idempotency.run(
            account_id=account_id,
            operation="createWebhook",
            key=idempotency_key,
            request=request.model_dump(mode="json"),
            work=work,
        )
        return NewWebhook.model_validate(answer)

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
        """Replaces all that can be changed. Disabling cancels what is pending; enabling forgets old failures.

        Raises `NotFound`, `InvalidRequest`.
        """
        self._rules.parse(change.url)
        with self._database.transaction() as connection:
            row = _found(
                connection.execute(
                    "UPDATE webhook_endpoints SET url = %(url)s, description = %(description)s,"
                    " event_types = %(event_types)s, enabled = %(enabled)s, disabled_because = NULL,"
                    " failing_since = CASE WHEN enabled THEN failing_since END, updated_at = now()"
                    f" WHERE id = %(id)s AND account_id = %(account)s RETURNING {_COLUMNS}",
                    {**change.model_dump(), "id": webhook_id, "account": account_id},
                ).fetchone()
            )
            if not change.enabled:
                connection.execute(
                    "UPDATE webhook_deliveries SET status = 'cancelled', finished_at = now()"
                    " WHERE endpoint_id = %s AND status = 'pending'",
                    (webhook_id,),
                )
        return WebhookView.model_validate(row)

    def delete(self, account_id: UUID, webhook_id: UUID) -> None:
        """Deletes a webhook with its log. Raises `NotFound`."""
        with self._database.transaction() as connection:
            _found(
                connection.execute(
                    "DELETE FROM webhook_endpoints WHERE id = %s AND account_id = %s RETURNING id",
                    (webhook_id, account_id),
                ).fetchone()
            )

    def rotate_secret(self, account_id: UUID, webhook_id: UUID) -> NewSecret:
        """A new secret; for `OLD_SECRET_VALID_FOR` deliveries carry a signature by the old one too.

        Raises `NotFound`.
        """
        until = self._clock.now() + OLD_SECRET_VALID_FOR
        with self._database.transaction() as connection:
            row = _found(
                connection.execute(
                    "UPDATE webhook_endpoints SET previous_secret = secret, previous_secret_until = %s, secret = %s,"
                    " updated_at = now() WHERE id = %s AND account_id = %s RETURNING secret",
                    (until, new_secret(), webhook_id, account_id),
                ).fetchone()
            )
        return NewSecret(secret=row["secret"], previous_valid_until=until)

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
            deliveries=[_view(row) for row in page],
            next_cursor=str(page[-1]["id"]) if len(rows) > limit else None,
        )

    def redeliver(self, account_id: UUID, webhook_id: UUID, delivery_id: UUID) -> None:
        """Sends a delivery that has ended once more, from the beginning of the schedule; a pending one right away.

        Raises `NotFound`, `Conflict` while the webhook is disabled.
        """
        if not self.get(account_id, webhook_id).enabled:
            raise Conflict("The webhook is disabled; enable it before anything is sent to it.")
        with self._database.transaction() as connection:
            _found(
                connection.execute(
                    "UPDATE webhook_deliveries SET redelivered = redelivered OR status <> 'pending',"
                    " attempts = CASE WHEN status = 'pending' THEN attempts ELSE 0 END, status = 'pending',"
                    " due_at = %s, finished_at = NULL WHERE id = %s AND endpoint_id = %s RETURNING id",
                    (self._clock.now(), delivery_id, webhook_id),
                ).fetchone()
            )
        self._deliveries.wake(delivery_id=delivery_id)


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
