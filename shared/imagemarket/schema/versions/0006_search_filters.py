"""More to filter by: palette, safety, a place for random orders; and indexes that find few documents among many."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    """
    ALTER TABLE search_documents
        ADD COLUMN palette jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN palette_cells int[] NOT NULL DEFAULT '{}',
        ADD COLUMN safe boolean NOT NULL DEFAULT true,
        ADD COLUMN place int NOT NULL DEFAULT 0
    """,
    # Every filter that is not a range in one index: its columns are intersected inside it, led by the rarest.
    "DROP INDEX search_documents_filters",
    """
    CREATE INDEX search_documents_filters ON search_documents
        USING gin (categories, colours, license_types, palette_cells, orientation, image_type, people, safe)
        WITH (fastupdate = off) WHERE listed
    """,
    "CREATE INDEX search_documents_place ON search_documents (place, image_id) WHERE listed",
    "CREATE INDEX search_documents_width ON search_documents (width) WHERE listed",
    "CREATE INDEX search_documents_height ON search_documents (height) WHERE listed",
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
    op.execute("DROP INDEX search_documents_filters, search_documents_width, search_documents_height")
    for column in ("palette", "palette_cells", "safe", "place"):
        op.execute(f"ALTER TABLE search_documents DROP COLUMN {column}")
    op.execute(
        "CREATE INDEX search_documents_filters ON search_documents"
        " USING gin (categories, colours, license_types) WITH (fastupdate = off) WHERE listed"
    )
