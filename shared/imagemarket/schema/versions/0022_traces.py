"""The trace of the request that an image was announced by, which goes on when its bytes have arrived."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0020"


def upgrade() -> None:
    op.execute("ALTER TABLE images ADD COLUMN trace_header varchar(100)")


def downgrade() -> None:
    op.execute("ALTER TABLE images DROP COLUMN trace_header")
