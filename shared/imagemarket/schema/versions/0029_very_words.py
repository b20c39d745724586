"""Every approved picture is indexed again: phrases are found by the places of very words, which rows of before lack."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    # By the road that every change takes.
    op.execute(
        """
        INSERT INTO outbox (topic, image_id, payload)
        SELECT 'index', id, jsonb_build_object('image_id', id, 'version', version) FROM images WHERE status = 'approved'
        """
    )


def downgrade() -> None:
    pass
