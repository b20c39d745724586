"""Why messages failed and which were replayed; what contributors are told, and how it reaches them."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

_STATEMENTS = (
    # --- dead letters ------------------------------------------------------------------------
    # SQS carries no reason; consumers write it here, by the message's id or the call's request id.
    """
    CREATE TABLE message_failures (
        message_id   varchar(100) PRIMARY KEY,
        function     varchar(60) NOT NULL,
        error        varchar(100) NOT NULL,
        detail       text NOT NULL,
        receives     int NOT NULL,
        request_id   varchar(60),
        first_at     timestamptz NOT NULL DEFAULT now(),
        last_at      timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX message_failures_age ON message_failures (last_at)",
    # A dead message is claimed before it is sent again. A claim without `sent_at` may or may not have been
    # sent: it is sent (again) with the same token, and the consumer drops what it has ticked off.
    """
    CREATE TABLE message_replays (
        message_id       varchar(100) PRIMARY KEY,
        queue            varchar(80) NOT NULL,
        token            uuid NOT NULL UNIQUE,
        origin_id        varchar(100) NOT NULL,
        replayed_by      varchar(60) NOT NULL,
        claimed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        sent_at          timestamptz,
        sent_message_id  varchar(100),
        completed_at     timestamptz
    )
    """,
    "CREATE INDEX message_replays_origin ON message_replays (origin_id)",
    "CREATE INDEX message_replays_sent ON message_replays (sent_message_id)",
    "CREATE INDEX message_replays_age ON message_replays (claimed_at)",
    # --- what contributors are told ----------------------------------------------------------
    # In the order of `seq` for each image: an image's row is locked while its status changes.
    """
    CREATE TABLE notifications (
        id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        seq         bigint GENERATED ALWAYS AS IDENTITY,
        account_id  uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        type        varchar(40) NOT NULL,
        image_id    uuid,
        data        jsonb NOT NULL,
        created_at  timestamptz NOT NULL DEFAULT now(),
        read_at     timestamptz,
        told_at     timestamptz,
        mailed_at   timestamptz
    )
    """,
    "CREATE INDEX notifications_account ON notifications (account_id, seq DESC)",
    "CREATE INDEX notifications_unread ON notifications (account_id, seq DESC) WHERE read_at IS NULL",
    "CREATE INDEX notifications_untold ON notifications (image_id, seq) WHERE told_at IS NULL",
    "CREATE INDEX notifications_age ON notifications (created_at)",
    # Here rather than in each place that changes a status, so that no change can forget to tell.
    """
    CREATE FUNCTION notify_contributor() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        notification uuid;
    BEGIN
        INSERT INTO notifications (account_id, type, image_id, data)
        VALUES (NEW.contributor_id, 'image.' || NEW.status, NEW.id,
                jsonb_strip_nulls(jsonb_build_object(
                    'image_id', NEW.id, 'title', NEW.title, 'status', NEW.status, 'version', NEW.version,
                    'reason', CASE WHEN NEW.rejection IS NOT NULL THEN jsonb_build_object(
                        'code', NEW.rejection ->> 'code', 'detail', NEW.rejection ->> 'detail') END)))
        RETURNING id INTO notification;
        INSERT INTO outbox (topic, image_id, payload)
        VALUES ('notifications', NEW.id, jsonb_build_object('notification_id', notification, 'image_id', NEW.id));
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER images_notify_contributor AFTER UPDATE OF status ON images FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status <> 'processing')
    EXECUTE FUNCTION notify_contributor()
    """,
    # --- webhooks ----------------------------------------------------------------------------
    """
    CREATE TABLE webhook_endpoints (
        id                     uuid PRIMARY KEY,
        account_id             uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        url                    varchar(2000) NOT NULL,
        description            varchar(200) NOT NULL,
        event_types            varchar(40)[] NOT NULL,
        enabled                boolean NOT NULL DEFAULT true,
        disabled_because       varchar(300),
        secret                 varchar(100) NOT NULL,
        previous_secret        varchar(100),
        previous_secret_until  timestamptz,
        failing_since          timestamptz,
        created_at             timestamptz NOT NULL DEFAULT now(),
        updated_at             timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX webhook_endpoints_account ON webhook_endpoints (account_id, id)",
    """
    CREATE TABLE webhook_deliveries (
        id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        seq              bigint GENERATED ALWAYS AS IDENTITY,
        endpoint_id      uuid NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
        notification_id  uuid NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
        image_id         uuid NOT NULL,
        status           varchar(10) NOT NULL DEFAULT 'pending'
                         CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
        attempts         int NOT NULL DEFAULT 0,
        due_at           timestamptz NOT NULL DEFAULT now(),
        leased_until     timestamptz,
        redelivered      boolean NOT NULL DEFAULT false,
        finished_at      timestamptz,
        created_at       timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT webhook_deliveries_once UNIQUE (endpoint_id, notification_id)
    )
    """,
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE status = 'pending'",
    "CREATE INDEX webhook_deliveries_log ON webhook_deliveries (endpoint_id, seq DESC)",
    """
    CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint_id, image_id, seq)
        WHERE status = 'pending'
    """,
    "CREATE INDEX webhook_deliveries_notification ON webhook_deliveries (notification_id)",
    """
    CREATE TABLE webhook_attempts (
        delivery_id   uuid NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
        number        int NOT NULL,
        at            timestamptz NOT NULL DEFAULT clock_timestamp(),
        milliseconds  int NOT NULL,
        status        int,
        error         varchar(300),
        response      varchar(500),
        PRIMARY KEY (delivery_id, number)
    )
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE webhook_attempts, webhook_deliveries, webhook_endpoints")
    op.execute("DROP TRIGGER images_notify_contributor ON images")
    op.execute("DROP FUNCTION notify_contributor")
    op.execute("DROP TABLE notifications")
    op.execute("DROP TABLE message_replays")
    op.execute("DROP TABLE message_failures")
