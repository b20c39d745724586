"""The audit tells of every change of an image's status, whoever makes it."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"

_WRITERS = ("ingestion", "uploader")


def upgrade() -> None:
    op.execute("ALTER TABLE image_audit DROP CONSTRAINT image_audit_action_check")
    op.execute("ALTER TABLE image_audit ADD CHECK (action <> '')")
    for role in _WRITERS:
        op.execute(f"GRANT INSERT ON image_audit TO imagemarket_{role}")


def downgrade() -> None:
    for role in _WRITERS:
        op.execute(f"REVOKE INSERT ON image_audit FROM imagemarket_{role}")
    # What the new actions told cannot be said in the old words, and the audit is not rewritten.
    op.execute("ALTER TABLE image_audit DROP CONSTRAINT image_audit_action_check")
