"""Looks at pictures, and searches counted by network: nobody alone makes a suggestion or a popular picture."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

_STATEMENTS = (
    # A visitor is a network by a name that lasts a day; rows are deleted after two.
    """
    CREATE TABLE image_looks (
        image_id  uuid NOT NULL,
        day       date NOT NULL,
        visitor   varchar(16) NOT NULL,
        PRIMARY KEY (image_id, day, visitor)
    )
    """,
    """
    CREATE TABLE image_popularity (
        image_id    uuid PRIMARY KEY,
        popularity  double precision NOT NULL DEFAULT 0,
        indexed     double precision NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE phrase_searches (
        phrase   varchar(100) NOT NULL,
        day      date NOT NULL,
        visitor  varchar(16) NOT NULL,
        PRIMARY KEY (phrase, day, visitor)
    )
    """,
    "ALTER TABLE search_events ALTER COLUMN search_id DROP NOT NULL",
    # What was counted before was counted by search, so that one visitor sufficed.
    "DELETE FROM suggestions WHERE images <= 0",
    "UPDATE suggestions SET searches = 0",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM search_events WHERE search_id IS NULL")
    op.execute("ALTER TABLE search_events ALTER COLUMN search_id SET NOT NULL")
    op.execute("DROP TABLE image_looks, image_popularity, phrase_searches")
