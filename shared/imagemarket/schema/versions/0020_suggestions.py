"""What a file says of itself, kept for its contributor; times of exposure without a time zone that no file named."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("ALTER TABLE images ADD COLUMN suggestions jsonb")
    op.execute("""
        UPDATE images SET technical_meta =
                   jsonb_set(technical_meta, '{taken_at}', to_jsonb(rtrim(technical_meta ->> 'taken_at', 'Z')))
         WHERE technical_meta ->> 'taken_at' LIKE '%Z'
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE images DROP COLUMN suggestions")
