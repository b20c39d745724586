"""The request that announced an image, in all that follows from it; leases found without reading every step."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

_NOTIFY = """
    CREATE OR REPLACE FUNCTION notify_contributor() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        notification uuid;
    BEGIN
        {unless}
        INSERT INTO notifications (account_id, type, image_id, data)
        VALUES (NEW.contributor_id, 'image.' || NEW.status, NEW.id,
                jsonb_strip_nulls(jsonb_build_object(
                    'image_id', NEW.id, 'title', NEW.title, 'status', NEW.status, 'version', NEW.version,
                    'reason', CASE WHEN NEW.rejection IS NOT NULL THEN jsonb_build_object(
                        'code', NEW.rejection ->> 'code', 'detail', NEW.rejection ->> 'detail') END)))
        RETURNING id INTO notification;
        INSERT INTO outbox (topic, image_id, payload)
        VALUES ('notifications', NEW.id, {payload});
        RETURN NULL;
    END $$
    """
_UNLESS_KNOWN = """IF NEW.status IN ('approved', 'pending_review') AND 'image.' || NEW.status = (
            SELECT type FROM notifications WHERE image_id = NEW.id ORDER BY seq DESC LIMIT 1) THEN
            RETURN NULL;
        END IF;"""
"""An image that is made anew, because something of it was lost, comes to where its contributor knows it is."""

_TRIGGER = """
    CREATE OR REPLACE TRIGGER images_notify_contributor AFTER UPDATE OF status ON images FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND {news})
    EXECUTE FUNCTION notify_contributor()
    """


def upgrade() -> None:
    op.execute("CREATE INDEX processing_steps_leases ON processing_steps (lease_until) WHERE lease_until IS NOT NULL")
    op.execute("ALTER TABLE images ADD COLUMN request_id varchar(100)")
    op.execute("CREATE INDEX notifications_image ON notifications (image_id, seq DESC)")
    op.execute(
        _NOTIFY.format(
            unless=_UNLESS_KNOWN,
            payload="jsonb_strip_nulls(jsonb_build_object('notification_id', notification, 'image_id', NEW.id,"
            " 'request_id', NEW.request_id))",
        )
    )
    statuses = "'approved', 'rejected', 'pending_review', 'processing_failed', 'taken_down'"
    op.execute(_TRIGGER.format(news=f"NEW.status IN ({statuses})"))


def downgrade() -> None:
    op.execute(_TRIGGER.format(news="NEW.status <> 'processing'"))
    op.execute(
        _NOTIFY.format(unless="", payload="jsonb_build_object('notification_id', notification, 'image_id', NEW.id)")
    )
    op.execute("DROP INDEX notifications_image")
    op.execute("ALTER TABLE images DROP COLUMN request_id")
    op.execute("DROP INDEX processing_steps_leases")
