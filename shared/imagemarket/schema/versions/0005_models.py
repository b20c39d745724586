"""Which model's vectors searches compare: one row, changed in the transaction that brings the vectors over."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0002"

_STATEMENTS = (
    """
    CREATE TABLE model_in_use (
        one      boolean PRIMARY KEY DEFAULT true CHECK (one),
        version  varchar(80) NOT NULL,
        since    timestamptz NOT NULL DEFAULT now()
    )
    """,
    # A catalogue that is there already goes on with what most of its documents are of.
    """
    INSERT INTO model_in_use (version)
    SELECT model_version FROM search_documents WHERE listed AND model_version IS NOT NULL
     GROUP BY model_version ORDER BY count(*) DESC LIMIT 1
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE model_in_use")
