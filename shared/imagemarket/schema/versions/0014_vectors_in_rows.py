"""A document's vector and words in its row: what filters leave is compared while it is read."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

_STATEMENTS = (
    # Two rows fill a page. What makes a row longer than that leaves it first: all that only pages show.
    "ALTER TABLE search_documents SET (toast_tuple_target = 4080)",
    """
    ALTER TABLE search_documents
        ALTER COLUMN embedding SET STORAGE MAIN, ALTER COLUMN words SET STORAGE MAIN, DROP COLUMN signs
    """,
    # Written again by the road that every change takes.
    """
    INSERT INTO outbox (topic, image_id, payload)
    SELECT 'index', id, jsonb_build_object('image_id', id, 'version', version) FROM images WHERE status = 'approved'
    """,
)


def upgrade() -> None:
    cursor = op.get_bind().connection.cursor()
    for statement in _STATEMENTS:
        cursor.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE search_documents RESET (toast_tuple_target)")
    op.execute(
        """
        ALTER TABLE search_documents
            ALTER COLUMN embedding SET STORAGE EXTERNAL, ALTER COLUMN words SET STORAGE EXTERNAL,
            ADD COLUMN signs bit(768) GENERATED ALWAYS AS (binary_quantize(embedding)::bit(768)) STORED
        """
    )
