"""Favourites, and the role of functions that keep what buyers keep."""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"

_ACCOUNT = "id, email, role, display_name, created_at, email_confirmed_at"
"""What tells whether a token's account is still there."""

_UPGRADE = (
    """
    CREATE TABLE favourites (
        id         uuid PRIMARY KEY,
        account_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        image_id   uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (account_id, image_id)
    )
    """,
    "CREATE INDEX favourites_of_account ON favourites (account_id, id DESC)",
    "CREATE INDEX favourites_of_image ON favourites (image_id)",
    # Roles belong to the server, which may hold another database of ours.
    "DO $$ BEGIN CREATE ROLE imagemarket_buyer NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    "GRANT SELECT, INSERT, DELETE ON favourites TO imagemarket_buyer",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON favourites TO imagemarket_operator",
    "GRANT SELECT ON images, image_renditions TO imagemarket_buyer",
    "GRANT INSERT ON outbox TO imagemarket_buyer",
    f"GRANT SELECT ({_ACCOUNT}) ON users TO imagemarket_buyer",
)


def upgrade() -> None:
    for statement in _UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("REVOKE ALL ON images, image_renditions, outbox FROM imagemarket_buyer")
    op.execute(f"REVOKE ALL ({_ACCOUNT}) ON users FROM imagemarket_buyer")
    op.execute("DROP TABLE favourites")
