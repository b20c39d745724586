"""What only an upload needs lies in ingestion's own table; the image keeps what describes the image."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"

_TYPES = {
    "filename": "varchar(255) NOT NULL",
    "content_type": "varchar(100) NOT NULL",
    "announced_bytes": "bigint NOT NULL",
    "announced_sha256": "bytea",
    "multipart_id": "varchar(1024)",
    "refused_version": "varchar(1024)",
    "run": "int NOT NULL DEFAULT 1",
    "replays": "smallint NOT NULL DEFAULT 0",
    "request_id": "varchar(100)",
    "trace_header": "varchar(100)",
    "suggestions": "jsonb",
}
_COLUMNS = ", ".join(_TYPES)

_NOTIFY = """
    CREATE OR REPLACE FUNCTION notify_contributor() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        notification uuid;
    BEGIN
        IF NEW.status IN ('approved', 'pending_review') AND 'image.' || NEW.status = (
            SELECT type FROM notifications WHERE image_id = NEW.id ORDER BY seq DESC LIMIT 1) THEN
            RETURN NULL;
        END IF;
        INSERT INTO notifications (account_id, type, image_id, data)
        VALUES (NEW.contributor_id, 'image.' || NEW.status, NEW.id,
                jsonb_strip_nulls(jsonb_build_object(
                    'image_id', NEW.id, 'title', NEW.title, 'status', NEW.status, 'version', NEW.version,
                    'reason', CASE WHEN NEW.rejection IS NOT NULL THEN jsonb_build_object(
                        'code', NEW.rejection ->> 'code', 'detail', NEW.rejection ->> 'detail') END)))
        RETURNING id INTO notification;
        INSERT INTO outbox (topic, image_id, payload)
        VALUES ('notifications', NEW.id, jsonb_strip_nulls(jsonb_build_object(
                'notification_id', notification, 'image_id', NEW.id, 'request_id', __REQUEST__)));
        RETURN NULL;
    END $$
"""
NOTIFY = _NOTIFY.replace("__REQUEST__", "(SELECT request_id FROM uploads WHERE image_id = NEW.id)")

# A writer locks the image's row first, then the upload's.
_UPGRADE = (
    f"""
    CREATE TABLE uploads (
        image_id uuid PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
        {", ".join(f"{name} {kind}" for name, kind in _TYPES.items())}
    )
    """,
    f"INSERT INTO uploads (image_id, {_COLUMNS}) SELECT id, {_COLUMNS} FROM images",
    NOTIFY,
    f"ALTER TABLE images {', '.join(f'DROP COLUMN {name}' for name in _TYPES)}",
    # What other rooms may know of an upload.
    """
    CREATE VIEW image_uploads AS
    SELECT image_id, run, refused_version, request_id, trace_header FROM uploads
    """,
    "GRANT SELECT (image_id, run, announced_bytes, announced_sha256) ON uploads TO imagemarket_decoder",
    "GRANT SELECT ON uploads TO imagemarket_maker",
    "GRANT SELECT, UPDATE ON uploads TO imagemarket_ingestion",
    "GRANT SELECT, INSERT, UPDATE ON uploads TO imagemarket_uploader",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON uploads TO imagemarket_operator",
    *(
        f"GRANT SELECT ON image_uploads TO imagemarket_{role}"
        for role in ("ingestion", "indexer", "notifier", "upkeep", "operator")
    ),
)

_DOWNGRADE = (
    "DROP VIEW image_uploads",
    "ALTER TABLE images "
    + ", ".join(f"ADD COLUMN {name} {kind.replace(' NOT NULL', '')}" for name, kind in _TYPES.items()),
    f"""
    UPDATE images i SET {", ".join(f"{name} = u.{name}" for name in _TYPES)} FROM uploads u WHERE u.image_id = i.id
    """,
    "ALTER TABLE images "
    + ", ".join(f"ALTER COLUMN {name} SET NOT NULL" for name, kind in _TYPES.items() if "NOT NULL" in kind),
    _NOTIFY.replace("__REQUEST__", "NEW.request_id"),
    "DROP TABLE uploads",
    "GRANT SELECT (request_id, trace_header) ON images TO imagemarket_notifier",
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _UPGRADE:
        cursor.execute(statement)


def downgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _DOWNGRADE:
        cursor.execute(statement)
