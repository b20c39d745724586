"""The outbox holds typed events; what contributors are told a listener decides, and no trigger."""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0033"
down_revision = "0032"

_UPGRADE = (
    "DROP TRIGGER images_notify_contributor ON images",
    "DROP FUNCTION notify_contributor",
    "ALTER TABLE outbox RENAME COLUMN topic TO type",
    "ALTER TABLE outbox RENAME COLUMN image_id TO subject",
    """
    ALTER TABLE outbox ALTER COLUMN type TYPE varchar(60),
        ADD COLUMN event_id uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD COLUMN request_id varchar(100),
        ADD COLUMN trace_header varchar(100)
    """,
    # A notification that a trigger wrote waits only to be passed on.
    """
    UPDATE outbox o
       SET type = CASE type WHEN 'index' THEN 'ImageListingChanged' ELSE 'NotificationAdded' END,
           payload = payload - 'request_id', request_id = payload ->> 'request_id',
           trace_header = (SELECT u.trace_header FROM uploads u WHERE u.image_id = o.subject)
    """,
    "CREATE INDEX outbox_subject ON outbox (subject, type)",
    # One event makes one notification.
    "ALTER TABLE notifications ADD COLUMN event_id uuid UNIQUE",
    "GRANT SELECT ON outbox TO imagemarket_notifier",
    "GRANT INSERT ON outbox TO imagemarket_uploader",
    "GRANT SELECT ON image_uploads TO imagemarket_uploader",
)

_DOWNGRADE = (
    "REVOKE SELECT ON image_uploads FROM imagemarket_uploader",
    "REVOKE INSERT ON outbox FROM imagemarket_uploader",
    "REVOKE SELECT ON outbox FROM imagemarket_notifier",
    "ALTER TABLE notifications DROP COLUMN event_id",
    "DROP INDEX outbox_subject",
    # Changes that the listener has not heard of by then are told to nobody.
    "DELETE FROM outbox WHERE type NOT IN ('ImageListingChanged', 'NotificationAdded')",
    """
    UPDATE outbox
       SET type = CASE type WHEN 'ImageListingChanged' THEN 'index' ELSE 'notifications' END,
           payload = payload || jsonb_strip_nulls(jsonb_build_object('request_id', request_id))
    """,
    """
    ALTER TABLE outbox ALTER COLUMN type TYPE varchar(30),
        DROP COLUMN event_id, DROP COLUMN request_id, DROP COLUMN trace_header
    """,
    "ALTER TABLE outbox RENAME COLUMN type TO topic",
    "ALTER TABLE outbox RENAME COLUMN subject TO image_id",
    import_module("imagemarket.schema.versions.0032_ingestion_uploads").NOTIFY,
    """
    CREATE TRIGGER images_notify_contributor AFTER UPDATE OF status ON images FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND
          NEW.status IN ('approved', 'rejected', 'pending_review', 'processing_failed', 'taken_down'))
    EXECUTE FUNCTION notify_contributor()
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _UPGRADE:
        cursor.execute(statement)


def downgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _DOWNGRADE:
        cursor.execute(statement)
