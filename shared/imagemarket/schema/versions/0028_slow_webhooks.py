"""Accounts whose receivers kept a call waiting of late: their calls share a few places, each account's in its turn."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"

_STATEMENTS = (
    """
    CREATE TABLE webhook_slow_accounts (
        account_id  uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        slow_until  timestamptz NOT NULL,
        called_at   timestamptz NOT NULL
    )
    """,
    "GRANT SELECT, INSERT, UPDATE ON webhook_slow_accounts TO imagemarket_notifier",
    "GRANT SELECT ON webhook_slow_accounts TO imagemarket_upkeep",
    "GRANT SELECT (account_id, challenge, leased_until) ON webhook_calls TO imagemarket_upkeep",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_slow_accounts TO imagemarket_operator",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("REVOKE SELECT (account_id, challenge, leased_until) ON webhook_calls FROM imagemarket_upkeep")
    op.execute("DROP TABLE webhook_slow_accounts")
