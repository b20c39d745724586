"""Webhooks prove that they are their account's own; attempts are written before they are made; fair turns."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

_STATEMENTS = (
    """
    ALTER TABLE webhook_endpoints
        ADD COLUMN verified_at             timestamptz,
        ADD COLUMN challenge               varchar(100),
        ADD COLUMN challenge_requested_at  timestamptz,
        ADD COLUMN challenge_sent_at       timestamptz,
        ADD COLUMN verification_error      varchar(300),
        ADD COLUMN unanswered              int NOT NULL DEFAULT 0,
        ADD COLUMN rests_until             timestamptz
    """,
    # They have been called all along.
    "UPDATE webhook_endpoints SET verified_at = created_at",
    """
    CREATE INDEX webhook_endpoints_challenges ON webhook_endpoints (challenge_requested_at)
        WHERE verified_at IS NULL AND challenge_requested_at IS NOT NULL AND challenge_sent_at IS NULL
    """,
    # How many challenges an account has had sent, whatever became of the webhooks.
    """
    CREATE TABLE webhook_challenges (
        account_id  uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        at          timestamptz NOT NULL
    )
    """,
    "CREATE INDEX webhook_challenges_account ON webhook_challenges (account_id, at)",
    "CREATE INDEX webhook_challenges_age ON webhook_challenges (at)",
    "ALTER TABLE webhook_deliveries ADD COLUMN redelivered_at timestamptz",
    "DROP INDEX webhook_deliveries_due",
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE status = 'pending'",
    "CREATE INDEX webhook_deliveries_image ON webhook_deliveries (image_id) WHERE status = 'pending'",
    "CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint_id) WHERE leased_until IS NOT NULL",
    "UPDATE webhook_deliveries SET leased_until = NULL WHERE status <> 'pending' AND leased_until IS NOT NULL",
    # Null while an attempt is under way, or when it broke off.
    "ALTER TABLE webhook_attempts ALTER COLUMN milliseconds DROP NOT NULL",
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("UPDATE webhook_attempts SET milliseconds = 0 WHERE milliseconds IS NULL")
    op.execute("ALTER TABLE webhook_attempts ALTER COLUMN milliseconds SET NOT NULL")
    op.execute("DROP INDEX webhook_deliveries_leased, webhook_deliveries_image, webhook_deliveries_due")
    op.execute("CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE status = 'pending'")
    op.execute("ALTER TABLE webhook_deliveries DROP COLUMN redelivered_at")
    op.execute("DROP TABLE webhook_challenges")
    op.execute(
        """
        ALTER TABLE webhook_endpoints
            DROP COLUMN verified_at, DROP COLUMN challenge, DROP COLUMN challenge_requested_at,
            DROP COLUMN challenge_sent_at, DROP COLUMN verification_error, DROP COLUMN unanswered,
            DROP COLUMN rests_until
        """
    )
