"""The calls under way to webhooks, each in a place of its account, also when the webhook is deleted meanwhile."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"

_STATEMENTS = (
    """
    CREATE TABLE webhook_calls (
        id            uuid PRIMARY KEY,
        account_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        challenge     boolean NOT NULL,
        leased_until  timestamptz NOT NULL
    )
    """,
    "CREATE INDEX webhook_calls_account ON webhook_calls (account_id)",
    "GRANT SELECT, INSERT, DELETE ON webhook_calls TO imagemarket_notifier",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_calls TO imagemarket_operator",
    "GRANT SELECT (account_id) ON webhook_challenges TO imagemarket_upkeep",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("REVOKE SELECT (account_id) ON webhook_challenges FROM imagemarket_upkeep")
    op.execute("DROP TABLE webhook_calls")
