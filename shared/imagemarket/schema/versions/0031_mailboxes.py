"""Mails are counted by mailbox, of which ann+1@ and ann+2@ are one."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.execute("CREATE INDEX users_mailbox ON users (regexp_replace(email, '\\+[^@]*@', '@'))")


def downgrade() -> None:
    op.execute("DROP INDEX users_mailbox")
