"""Refresh tokens tell "used" from "retired by a sibling"; where an account has signed in from before."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"

_STATEMENTS = (
    "ALTER TABLE refresh_tokens ADD COLUMN used_at timestamptz, ADD COLUMN parent_sha256 bytea",
    # Which of them were retired by a sibling was not written down.
    "UPDATE refresh_tokens SET used_at = replaced_at",
    "CREATE INDEX refresh_tokens_parent ON refresh_tokens (parent_sha256) WHERE used_at IS NOT NULL",
    # A network by its digest: where somebody signs in from is nobody's to read.
    """
    CREATE TABLE known_networks (
        user_id         uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        network_sha256  bytea NOT NULL,
        last_at         timestamptz NOT NULL,
        PRIMARY KEY (user_id, network_sha256)
    )
    """,
    "CREATE INDEX known_networks_age ON known_networks (last_at)",
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE known_networks")
    op.execute("DROP INDEX refresh_tokens_parent")
    op.execute("ALTER TABLE refresh_tokens DROP COLUMN used_at, DROP COLUMN parent_sha256")
