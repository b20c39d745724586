"""What was searched, shown and looked at; the signs of a vector beside it."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

_STATEMENTS = (
    # `place` is where an event stood in its stream, so that none is taken twice.
    """
    CREATE TABLE search_events (
        place      varchar(40) PRIMARY KEY,
        kind       varchar(10) NOT NULL,
        search_id  uuid NOT NULL,
        at         timestamptz NOT NULL,
        event      jsonb NOT NULL
    )
    """,
    "CREATE INDEX search_events_by_search ON search_events (search_id)",
    "CREATE INDEX search_events_by_time ON search_events (at)",
    # `signs` of a vector lie in the row, where the vector is moved out of it: a sixteenth of what is to be read.
    """
    ALTER TABLE search_documents
        ADD COLUMN signs bit(768) GENERATED ALWAYS AS (binary_quantize(embedding)::bit(768)) STORED
    """,
    # Not what nearly every row has, such as being safe: its list would be read from end to end.
    "DROP INDEX search_documents_filters",
    """
    CREATE INDEX search_documents_filters ON search_documents
        USING gin (categories, colours, license_types, palette_cells, orientation, image_type, people)
        WITH (fastupdate = off) WHERE listed
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX search_documents_filters")
    op.execute(
        "CREATE INDEX search_documents_filters ON search_documents USING gin (categories, colours, license_types,"
        " palette_cells, orientation, image_type, people, safe) WITH (fastupdate = off) WHERE listed"
    )
    op.execute("ALTER TABLE search_documents DROP COLUMN signs")
    op.execute("DROP TABLE search_events")
