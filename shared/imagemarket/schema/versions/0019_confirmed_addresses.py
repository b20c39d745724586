"""Addresses are confirmed before mail goes to them; tokens by mail; how many mails an account was sent."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"

_STATEMENTS = (
    "ALTER TABLE users ADD COLUMN email_confirmed_at timestamptz, ADD COLUMN password_changed_at timestamptz",
    # An admin's address was given by an operator; everybody else's by whoever registered.
    "UPDATE users SET email_confirmed_at = created_at WHERE role = 'admin'",
    """
    CREATE TABLE account_tokens (
        token_sha256  bytea PRIMARY KEY,
        user_id       uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        purpose       varchar(20) NOT NULL CHECK (purpose IN ('confirm_email', 'reset_password')),
        expires_at    timestamptz NOT NULL,
        used_at       timestamptz
    )
    """,
    "CREATE INDEX account_tokens_user ON account_tokens (user_id)",
    "CREATE INDEX account_tokens_expiry ON account_tokens (expires_at)",
    # `user_id` is null where nobody has the address: the same is written for the known and the unknown, and no
    # stranger's address is kept.
    """
    CREATE TABLE account_mails (
        id            uuid PRIMARY KEY,
        user_id       uuid REFERENCES users (id) ON DELETE CASCADE,
        purpose       varchar(20) NOT NULL CHECK (purpose IN ('confirm_email', 'reset_password', 'password_changed')),
        requested_at  timestamptz NOT NULL,
        handled_at    timestamptz
    )
    """,
    "CREATE INDEX account_mails_waiting ON account_mails (requested_at) WHERE handled_at IS NULL",
    "CREATE INDEX account_mails_age ON account_mails (requested_at)",
    """
    CREATE TABLE mails_sent (
        user_id  uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        purpose  varchar(20) NOT NULL,
        at       timestamptz NOT NULL
    )
    """,
    "CREATE INDEX mails_sent_user ON mails_sent (user_id, at)",
    "CREATE INDEX mails_sent_age ON mails_sent (at)",
    """
    CREATE INDEX notifications_unmailed ON notifications (account_id, seq) WHERE mailed_at IS NULL
        AND type IN ('image.rejected', 'image.processing_failed', 'image.taken_down', 'webhook.disabled')
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX notifications_unmailed")
    op.execute("DROP TABLE mails_sent, account_mails, account_tokens")
    op.execute("ALTER TABLE users DROP COLUMN email_confirmed_at, DROP COLUMN password_changed_at")
