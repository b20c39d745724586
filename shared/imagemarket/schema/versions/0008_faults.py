"""What failures need: leases on steps, runs of an image, and an audit that nobody rewrites."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS = (
    # `run` numbers the executions of one object version; `replays` are those that nobody asked for, since the last
    # one that somebody did. A version that was refused is not taken again when its event comes late.
    """
    ALTER TABLE images
        ADD COLUMN run int NOT NULL DEFAULT 1,
        ADD COLUMN replays smallint NOT NULL DEFAULT 0,
        ADD COLUMN refused_version varchar(1024)
    """,
    "ALTER TABLE images DROP CONSTRAINT images_status_check",
    """
    ALTER TABLE images ADD CONSTRAINT images_status_check CHECK (status IN
        ('processing', 'approved', 'rejected', 'pending_review', 'processing_failed', 'taken_down', 'deleted'))
    """,
    # Set while a delivery of the step may be at work; what is over and not null was left by a crash.
    "ALTER TABLE processing_steps ADD COLUMN lease_until timestamptz",
    # Without a foreign key: it outlives whatever it tells of.
    """
    CREATE TABLE image_audit (
        id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        image_id       uuid NOT NULL,
        action         varchar(20) NOT NULL CHECK (action IN ('take_down', 'restore', 'delete')),
        actor          varchar(255) NOT NULL CHECK (actor <> ''),
        reason         text NOT NULL CHECK (reason <> ''),
        status_before  varchar(20) NOT NULL,
        status_after   varchar(20) NOT NULL,
        at             timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX image_audit_image ON image_audit (image_id, id)",
    """
    CREATE FUNCTION refuse_to_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is appended to and never rewritten', TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER image_audit_stands BEFORE UPDATE OR DELETE OR TRUNCATE ON image_audit
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite()
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("The audit is not thrown away; restore a snapshot instead.")
