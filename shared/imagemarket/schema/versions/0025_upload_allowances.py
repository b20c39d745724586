"""What an account has announced today, and its open uploads found without reading all of its images."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0022"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE upload_allowances (
            account_id      uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            day             date NOT NULL,
            announced_bytes bigint NOT NULL CHECK (announced_bytes >= 0)
        )
    """)
    op.execute(
        "CREATE INDEX images_open_uploads ON images (contributor_id)"
        " WHERE status = 'processing' AND object_version IS NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX images_open_uploads")
    op.execute("DROP TABLE upload_allowances")
