"""A document's words in the form that every engine is given: each document is indexed again."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

_AGAIN = """
    INSERT INTO outbox (topic, image_id, payload)
    SELECT 'index', id, jsonb_build_object('image_id', id, 'version', version) FROM images WHERE status = 'approved'
"""


def upgrade() -> None:
    op.execute(_AGAIN)


def downgrade() -> None:
    op.execute(_AGAIN)
